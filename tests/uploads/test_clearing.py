"""What was uploaded and never used is removed, and nothing else."""

from __future__ import annotations

import datetime
import json
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.config import Config
from django.apps import apps
from django.utils import timezone

from smart_storages.management.auditing import columns
from smart_storages.tenancy import use_tenant
from smart_storages.uploads.adopting import claim_upload
from smart_storages.uploads.clearing import clear
from smart_storages.uploads.models import DirectUpload, State
from tests.management.calls import call
from tests.uploads.conftest import film
from tests.uploads.models import Film, Plain

pytestmark = pytest.mark.django_db(transaction=True)


VIDEO = "uploads_tests.Film.video"


def later(hours: float = 26) -> datetime.datetime:
    return timezone.now() + datetime.timedelta(hours=hours)


def pass_time(hours: float = 26) -> None:
    for row in DirectUpload.objects.all():
        row.expires_at -= datetime.timedelta(hours=hours)
        row.save()


@pytest.fixture
def uploads(browser: Any, store: Any) -> Any:
    """One upload in each state: open, completed, adopted, cancelled."""
    tokens = [browser.upload(film()) for _ in range(4)]
    browser.submit("/page/film/", title="", **{"video-upload": tokens[1]})
    browser.submit("/page/film/", title="a", **{"video-upload": tokens[2]})
    browser.ask("cancel", {"token": tokens[3]})
    return tokens


def test_everything_but_what_a_row_names(uploads: Any, s3_bucket: Any) -> None:
    assert clear(now=later(1)) == (0, 0, 0, 0)
    assert len(s3_bucket.keys()) == 2
    counted = clear(delete=False, now=later())
    assert (counted.uploads, counted.bytes, counted.failed) == (3, 15_000, 0)
    assert len(s3_bucket.keys()) == 2
    assert clear(now=later()).uploads == 3
    assert s3_bucket.keys() == [Film.objects.get().video.name]
    assert s3_bucket.open_uploads() == []
    assert not DirectUpload.objects.exists()
    assert clear(now=later()) == (0, 0, 0, 0)


def test_a_file_that_a_row_names_stays_whatever_the_ledger_says(
    uploads: Any, s3_bucket: Any
) -> None:
    name = Film.objects.get().video.name
    DirectUpload.objects.filter(state=State.ADOPTED).update(state=State.COMPLETED)
    clear(now=later())
    assert s3_bucket.keys() == [name]
    assert not DirectUpload.objects.exists()


def test_a_file_that_another_model_names_stays(browser: Any, store: Any, s3_bucket: Any) -> None:
    token = browser.upload(film())
    browser.submit("/page/film/", title="", **{"video-upload": token})
    (name,) = s3_bucket.keys()
    Plain.objects.create(attachment=name)
    clear(now=later())
    assert s3_bucket.keys() == [name]


def test_a_file_whose_completion_was_rolled_back(browser: Any, store: Any, s3_bucket: Any) -> None:
    token = browser.upload(film())
    browser.submit("/page/film/", title="", **{"video-upload": token})
    DirectUpload.objects.update(state=State.OPEN)
    assert len(s3_bucket.keys()) == 1
    assert clear(now=later()).uploads == 1
    assert s3_bucket.keys() == []


def test_what_cannot_be_removed_now_is_removed_the_next_time(
    browser: Any, s3_bucket: Any, s3_proxy: Any, use: Any, make_storage: Any
) -> None:
    use(make_storage(client_config=Config(retries={"total_max_attempts": 1})))
    browser.upload(film())
    s3_proxy.inject(method="DELETE", status=403)
    assert clear(now=later()).failed == 1
    assert len(s3_bucket.open_uploads()) == 1
    assert clear(now=later())[:1] == (1,)
    assert s3_bucket.open_uploads() == []


def test_on_behalf_of_the_tenant(browser: Any, store: Any, s3_bucket: Any) -> None:
    with use_tenant("acme"):
        browser.upload(film())
    assert clear(now=later()).uploads == 1
    assert s3_bucket.open_uploads() == []


@pytest.fixture
def only_these_models(monkeypatch: pytest.MonkeyPatch) -> None:
    """Models of other tests have no tables in this database."""
    models = list(apps.get_app_config("uploads_tests").get_models())
    found = SimpleNamespace(get_models=lambda **_: models, is_installed=apps.is_installed)
    monkeypatch.setattr(columns, "apps", found)


@pytest.mark.usefixtures("only_these_models")
class TestTheAudit:
    def test_tells_and_deletes(self, uploads: Any, s3_bucket: Any) -> None:
        assert "direct uploads" not in call("audit").out
        pass_time()
        told = call("audit")
        assert "3 direct uploads were never used (14.6 KiB)" in told.out
        assert "to delete" in told.out
        assert told.code == 1
        done = call("audit", "--delete", "--json")
        assert json.loads(done.out)["direct_uploads"]["uploads"] == 3
        assert s3_bucket.keys() == [Film.objects.get().video.name]
        assert call("audit").code == 0

    def test_takes_no_file_whose_form_may_still_be_submitted(
        self, browser: Any, store: Any, s3_bucket: Any
    ) -> None:
        token = browser.upload(film())
        browser.submit("/page/film/", title="", **{"video-upload": token})
        assert call("audit", "--age", "0").code == 0
        call("audit", "--age", "0", "--delete")
        assert browser.submit("/page/film/", title="a", **{"video-upload": token}).json()["pk"]
        assert Film.objects.get().video.size == 5000

    def test_takes_no_file_whose_row_is_just_being_saved(
        self, browser: Any, store: Any, request_of: Any
    ) -> None:
        file = claim_upload(request_of(browser), browser.upload(film()), VIDEO)
        pass_time(24.01)  # it expires while its form is being saved
        assert call("audit", "--age", "0", "--delete").code == 0
        assert Film.objects.create(title="a", video=file).video.open().read() == film()
