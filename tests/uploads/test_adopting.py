"""A row and the ledger are saved together, or neither is."""

from __future__ import annotations

import threading
from contextlib import nullcontext
from typing import Any, Iterator, List

import django
import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import IntegrityError, connections, transaction

from smart_storages.exceptions import UploadError
from smart_storages.uploads.adopting import claim_upload
from smart_storages.uploads.models import DirectUpload, State
from tests.conftest import REQUIRE_REAL_S3
from tests.queued.conftest import _default_database, rolled_back
from tests.servers.keeper import ask_for
from tests.servers.queues import Postgres
from tests.uploads.conftest import film
from tests.uploads.models import Film, Report

pytestmark = pytest.mark.django_db(transaction=True)

VIDEO = "uploads_tests.Film.video"


@pytest.fixture
def claim(browser: Any, request_of: Any) -> Any:
    """Returns the file of a token, as a form would."""

    def make(token: str, label: str = VIDEO) -> Any:
        return claim_upload(request_of(browser), token, label)

    return make


def state() -> str:
    return str(DirectUpload.objects.get().state)


def test_a_rollback_frees_the_token(browser: Any, store: Any, s3_bucket: Any) -> None:
    token = browser.upload(film())
    answer = browser.submit("/fail/", title="a", **{"video-upload": token})
    assert answer.content == b"rolled back"
    assert not Film.objects.exists()
    assert state() == State.COMPLETED
    answer = browser.submit("/page/film/", title="a", **{"video-upload": token})
    assert s3_bucket.keys() == [answer.json()["video"]]
    assert state() == State.ADOPTED


def test_a_row_that_cannot_be_saved_adopts_nothing(store: Any, browser: Any, claim: Any) -> None:
    # Nobody began a transaction here: the ledger would be written, and then the row fail.
    Film.objects.create(title="taken")
    token = browser.upload(film())
    with pytest.raises(IntegrityError):
        Film.objects.create(title="taken", video=claim(token))
    assert state() == State.COMPLETED
    Film.objects.create(title="free", video=claim(token))
    assert state() == State.ADOPTED


def test_an_instance_may_be_saved_again_after_a_rollback(
    store: Any, browser: Any, claim: Any
) -> None:
    token = browser.upload(film())
    saved = Film(title="a", video=claim(token))
    with rolled_back():
        saved.save()
        assert state() == State.ADOPTED
    assert state() == State.COMPLETED
    saved.pk = None
    saved._state.adding = True
    saved.save()
    assert state() == State.ADOPTED
    assert Film.objects.get().video.size == 5000
    saved.title = "b"
    saved.save()  # long after
    with pytest.raises(UploadError, match="submitted already"):
        claim(token)


def test_a_field_may_be_named_as_django_names_models(store: Any, browser: Any, claim: Any) -> None:
    token = browser.upload(film(), field="uploads_tests.film.video")
    assert claim(token, "uploads_tests.film.video").size == 5000


def test_saving_other_columns_adopts_nothing(store: Any, browser: Any, claim: Any) -> None:
    saved = Film.objects.create(title="a")
    saved.video = claim(browser.upload(film()))
    saved.title = "b"
    saved.save(update_fields=["title"])
    assert state() == State.COMPLETED
    saved.save(update_fields=["video"])
    assert state() == State.ADOPTED


def test_the_second_row_with_a_file_is_refused(store: Any, browser: Any, claim: Any) -> None:
    token = browser.upload(film())
    one, other = claim(token), claim(token)  # two forms, both valid
    Film.objects.create(title="a", video=one)
    with pytest.raises(UploadError, match="submitted already"):
        Film.objects.create(title="b", video=other)
    assert [each.title for each in Film.objects.all()] == ["a"]


def test_a_file_stays_until_the_row_with_its_copy_is_committed(
    store: Any, browser: Any, claim: Any, s3_bucket: Any
) -> None:
    label = "uploads_tests.Report.file"
    token = browser.upload(film(), field=label)
    with rolled_back():
        Report.objects.create(title="a", file=claim(token, label))
    # It was completed in the transaction that was rolled back; the bucket has it all the same.
    assert state() == State.OPEN
    saved = Report.objects.create(title="b", file=claim(token, label))
    keys = s3_bucket.keys()
    assert saved.file.name in keys
    assert not [key for key in keys if key.startswith("direct-uploads/")]


def test_a_file_for_another_field_is_copied_and_used_up(
    store: Any, browser: Any, claim: Any, s3_bucket: Any
) -> None:
    token = browser.upload(film())
    saved = Report.objects.create(title="a", file=claim(token))
    assert saved.file.name.startswith("by-title/a/")
    assert s3_bucket.keys() == [saved.file.name]
    assert state() == State.ADOPTED


@pytest.mark.parametrize("order", ["at once", "in place first", "copied first"])
def test_rows_that_are_saved_with_one_file_do_not_share_it(
    store: Any, browser: Any, claim: Any, s3_bucket: Any, order: str
) -> None:
    # As with any other file, of which each row gets a copy.
    file = claim(browser.upload(film()))
    if order == "copied first":
        Report.objects.create(title="a", file=file)
        # Nothing is left that a row could name.
        with pytest.raises(UploadError, match="submitted already"):
            Film.objects.create(title="a", video=file)
        return
    with transaction.atomic() if order == "at once" else nullcontext():
        saved = [
            Film.objects.create(title="a", video=file).video,
            Film.objects.create(title="b", video=file).video,
            Report.objects.create(title="c", file=file).file,
        ]
    assert sorted(s3_bucket.keys()) == sorted({each.name for each in saved})
    for each in saved:
        assert each.open().read() == film()


def test_many_rows_with_one_file_do_not_share_it(
    store: Any, browser: Any, claim: Any, s3_bucket: Any
) -> None:
    file = claim(browser.upload(film()))
    with transaction.atomic():
        Film.objects.bulk_create([Film(title="a", video=file), Film(title="b", video=file)])
    assert sorted(s3_bucket.keys()) == sorted({each.video.name for each in Film.objects.all()})
    assert len(s3_bucket.keys()) == 2


def test_many_rows_at_once_of_which_one_cannot_be_saved_adopt_nothing(
    store: Any, browser: Any, claim: Any
) -> None:
    Film.objects.create(title="a")
    file = claim(browser.upload(film()))
    with pytest.raises(IntegrityError), transaction.atomic():
        Film.objects.bulk_create([Film(title="a", video=file)])
    assert state() == State.COMPLETED
    if django.VERSION >= (6, 1):  # older ones begin a transaction for each bulk_create()
        with pytest.raises(ValueError, match=r"bulk_create\(\) .* transaction\.atomic\(\)"):
            Film.objects.bulk_create([Film(title="b", video=file)])
        assert state() == State.COMPLETED


@pytest.mark.parametrize("save", [True, False])
def test_a_file_that_is_saved_by_itself_is_adopted_with_its_row(
    store: Any, browser: Any, claim: Any, s3_bucket: Any, save: bool
) -> None:
    saved, other = Film(title="a"), Film(title="b")
    file = claim(browser.upload(film()))
    saved.video.save("another.mp4", file, save=save)
    if not save:
        assert state() == State.COMPLETED
        saved.save()
    assert state() == State.ADOPTED
    other.video = file
    other.save()
    assert len({saved.video.name, other.video.name, *s3_bucket.keys()}) == 2


@pytest.mark.parametrize("save", [True, False])
def test_a_row_that_cannot_be_saved_leaves_a_file_that_was_saved_by_itself(
    store: Any, browser: Any, claim: Any, save: bool
) -> None:
    Film.objects.create(title="a")
    token = browser.upload(film())
    saved = Film(title="a")
    if save:
        with pytest.raises(IntegrityError):
            saved.video.save("another.mp4", claim(token))
    else:
        saved.video.save("another.mp4", claim(token), save=False)
        with pytest.raises(IntegrityError):
            saved.save()
    assert state() == State.COMPLETED
    saved.title = "b"
    saved.save()
    assert state() == State.ADOPTED
    with pytest.raises(UploadError):
        Film.objects.create(title="c", video=claim(token))


def test_a_copy_whose_row_cannot_be_saved_leaves_the_upload(
    store: Any, browser: Any, claim: Any
) -> None:
    label = "uploads_tests.Report.file"
    token = browser.upload(film(), field=label)
    with pytest.raises(IntegrityError):
        Report(title=None).file.save("a.mp4", claim(token, label))
    assert state() == State.COMPLETED
    report = Report(title="a")
    report.file.save("a.mp4", claim(token, label), save=False)
    assert store.exists(DirectUpload.objects.get().name)
    report.save()
    assert state() == State.ADOPTED
    assert report.file.size == 5000
    assert not store.exists(DirectUpload.objects.get().name)


def test_a_row_that_failed_is_saved_again_as_the_only_one(
    store: Any, browser: Any, claim: Any
) -> None:
    Film.objects.create(title="a")
    token = browser.upload(film())
    file = claim(token)
    failed, other = Film(title="a", video=file), Film(title="b", video=file)
    with pytest.raises(IntegrityError):
        failed.save()
    failed.title = "c"
    other.save()
    with pytest.raises(UploadError):  # it names the file that the other row has by now
        failed.save()
    other_token = browser.upload(film())
    failed.video = claim(other_token)
    failed.save()
    assert failed.video.name != other.video.name


def test_an_update_that_saves_no_file_is_refused(store: Any, browser: Any, claim: Any) -> None:
    saved = Film.objects.create(title="a")
    saved.video = claim(browser.upload(film()))
    with pytest.raises(ValueError, match=r"Film\.video: update\(\) and bulk_update\(\)"):
        Film.objects.bulk_update([saved], ["video"])
    with pytest.raises(ValueError, match="do not save files"):
        Film.objects.update(video=saved.video)
    assert Film.objects.get().video.name == ""
    saved.save()
    assert Film.objects.get().video.size == 5000


def test_a_file_that_a_rollback_freed_is_another_rows(
    store: Any, browser: Any, claim: Any, s3_bucket: Any
) -> None:
    file = claim(browser.upload(film()))
    Film.objects.create(title="before")
    with rolled_back():
        Film.objects.create(title="a", video=file)
    saved = Film.objects.create(title="b", video=file)
    assert s3_bucket.keys() == [saved.video.name]


# Two at once, on a database that has them


@pytest.fixture(scope="module")
def postgres_entry(django_db_blocker: Any, django_db_setup: Any) -> Any:
    missing = Postgres.missing()
    if missing and not REQUIRE_REAL_S3:
        pytest.skip(f"PostgreSQL is not installed: {missing}")
    made = ask_for("postgres").create_database()
    entry = {**connections["default"].settings_dict, "OPTIONS": {}, **made}
    with django_db_blocker.unblock(), _default_database(entry):
        call_command("migrate", verbosity=0, run_syncdb=True)
    return entry


@pytest.fixture
def on_postgres(postgres_entry: Any, transactional_db: None) -> Iterator[None]:
    with _default_database(postgres_entry):
        yield
        for model in (Film, DirectUpload, User):
            model.objects.all().delete()


def test_of_two_forms_at_once_one_wins(
    on_postgres: None, store: Any, browser: Any, s3_bucket: Any
) -> None:
    for attempt in range(3):
        token = browser.upload(film())
        start = threading.Barrier(4)
        answers: List[Any] = []

        def submit(title: str, token: str = token, start: Any = start, got: Any = answers) -> None:
            from tests.uploads.browser import Browser

            own = Browser(User.objects.get())
            own.client.raise_request_exception = False
            start.wait(20)
            got.append(own.submit("/page/film/", title=title, **{"video-upload": token}))
            connections.close_all()

        threads = [
            threading.Thread(target=submit, args=(f"{attempt}-{number}",)) for number in range(4)
        ]
        for each in threads:
            each.start()
        for each in threads:
            each.join(60)
        assert len(answers) == 4
        won = [each for each in answers if each["Content-Type"] == "application/json"]
        assert len(won) == 1
        # Refused by the form, or where both forms were valid, by the save: never a server error.
        assert {each.status_code for each in answers} <= {200, 400}
    assert Film.objects.count() == 3
    assert sorted(s3_bucket.keys()) == sorted(each.video.name for each in Film.objects.all())
