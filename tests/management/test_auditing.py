"""Rows held against listings: what is missing, what nobody names, and what changes meanwhile."""

from __future__ import annotations

import json
import tracemalloc
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Callable, Iterator, List

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage
from django.db import connection, models
from django.test.utils import isolate_apps

from smart_storages import FallbackStorage, MirrorStorage, ScopedStorage, StorageDispatcher
from smart_storages.backends.s3.stat import Stat
from smart_storages.exceptions import AccessDeniedError
from smart_storages.management.auditing import columns, trash, uploads
from smart_storages.management.auditing.areas import Area
from smart_storages.management.auditing.auditor import Auditor, Scope
from smart_storages.management.auditing.store import Reference, Store
from smart_storages.queued import registry
from smart_storages.queued.backends import QueuedStorage
from smart_storages.queued.models import QueuedFile
from smart_storages.resolvers import ByTenant
from smart_storages.storages import SmartS3Storage
from smart_storages.storages.lookup import get_storage
from smart_storages.tenancy import use_tenant
from tests.disks import files_limited
from tests.management.calls import Answer, call
from tests.management.conftest import Ends, make_model

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def report(moto_ends: Ends, use_models: Any) -> Any:
    """A model whose files are in the module ``photos``."""
    model = make_model(get_storage("photos"))
    use_models(model)
    return model


TENANTS = {"tenant_photos": "photos", "tenant_archive": "archive"}


def audit(*arguments: str) -> Answer:
    return call("audit", "--age", "0", "--json", *arguments)


def missing(answer: Answer) -> Any:
    return sorted((each["field"], each["name"]) for each in answer.json["missing_shown"])


def orphans(answer: Answer) -> Any:
    return [each["key"] for each in answer.json["orphans_shown"]]


class TestColumns:
    def test_every_column_of_every_model_is_read_once(
        self, moto_ends: Ends, use_models: Any, other_database: str
    ) -> None:
        storage = get_storage("photos")
        with isolate_apps("tests.queued"):

            class Abstract(models.Model):
                scan = models.FileField(storage=storage, null=True)

                class Meta:
                    abstract = True
                    app_label = "queued_tests"

            class Hiding(models.Manager):
                def get_queryset(self) -> Any:
                    return super().get_queryset().none()

            class Parent(Abstract):
                file = models.FileField(storage=storage, blank=True)
                objects = Hiding()

                class Meta:
                    app_label = "queued_tests"
                    base_manager_name = "objects"

            class Child(Parent):
                extra = models.ImageField(storage=storage)

                class Meta:
                    app_label = "queued_tests"

            class Proxy(Parent):
                class Meta:
                    app_label = "queued_tests"
                    proxy = True

        use_models(Parent, Child, Proxy, databases=("default", other_database))
        for alias in ("default", other_database):
            Child(file=f"{alias}-file", extra=f"{alias}-extra", scan=None).save(using=alias)
            Parent(file="", scan=f"{alias}-scan").save(using=alias)
        for name in ("default-file", "other-extra", "nobody's"):
            moto_ends.put(name, b"x")
        answer = audit()
        assert answer.code == 1
        assert answer.json["rows"] == 6
        assert missing(answer) == [
            ("queued_tests.Child.extra", "default-extra"),
            ("queued_tests.Parent.file in other", "other-file"),
            ("queued_tests.Parent.scan", "default-scan"),
            ("queued_tests.Parent.scan in other", "other-scan"),
        ]
        assert orphans(answer) == ["in/nobody's"]

    def test_a_table_that_is_not_there_stops_the_audit(
        self, moto_ends: Ends, use_models: Any
    ) -> None:
        use_models(make_model(get_storage("photos")), databases=())
        moto_ends.put("a", b"x")
        answer = audit("--delete")
        assert answer.code == 1
        assert "migrate" in answer.err
        assert moto_ends.of_photos() == {"a": b"x"}

    def test_names_are_compared_in_the_order_of_s3(self, moto_ends: Ends, report: Any) -> None:
        names = ["a.txt", "a/b", "B", "ä", "Z", "z", "😀", "a b", "ﬀ", "~"]
        for name in names:
            moto_ends.put(name, b"x")
            report(file=name).save()
        answer = audit()
        assert (answer.code, answer.json["missing"], answer.json["orphans"]) == (0, 0, 0)


class TestStorages:
    def test_a_recorded_alias_leads_to_its_bucket(self, moto_ends: Ends, use_models: Any) -> None:
        dispatcher = StorageDispatcher(ByTenant(), storages=TENANTS, record_alias=True)
        model = make_model(dispatcher)
        use_models(model)
        for tenant in ("photos", "archive"):
            with use_tenant(tenant):
                row = model()
                row.file.save("a.txt", ContentFile(b"x"))
        assert row.file.name == "tenant_archive/a.txt"
        model(file="tenant_photos/b.txt").save()
        moto_ends.archive.put("out/b.txt", b"nobody's")
        answer = audit()
        assert missing(answer) == [("queued_tests.Report.file", "tenant_photos/b.txt")]
        assert orphans(answer) == ["out/b.txt"]

    def test_without_a_recorded_alias_a_file_may_be_in_any_of_them(
        self, moto_ends: Ends, use_models: Any
    ) -> None:
        model = make_model(StorageDispatcher(ByTenant(), storages=TENANTS))
        use_models(model)
        for name in ("a", "b", "gone"):
            model(file=name).save()
        moto_ends.put("a", b"x")
        for name in ("a", "b", "nobody's"):
            moto_ends.archive.put(f"out/{name}", b"x")
        answer = audit()
        assert [name for _, name in missing(answer)] == ["gone"]
        assert orphans(answer) == ["out/nobody's"]

    def test_where_the_context_alone_tells_nothing_is_deleted(
        self, moto_ends: Ends, use_models: Any
    ) -> None:
        use_models(model := make_model(StorageDispatcher(ByTenant())))
        model(file="a").save()
        answer = audit("--delete")
        assert answer.code == 1
        assert "could not be judged" in answer.err

    def test_a_file_is_there_if_one_of_several_storages_has_it(
        self, moto_ends: Ends, use_models: Any, disk: Any
    ) -> None:
        on_disk = disk("old")
        on_disk.save("on-disk", ContentFile(b"x"))
        moto_ends.put("first", b"x")
        moto_ends.archive.put("out/second", b"x")
        moto_ends.archive.put("out/nobody's", b"x")
        model = make_model(
            FallbackStorage(["photos", on_disk, MirrorStorage("archive", ["photos"])])
        )
        use_models(model)
        for name in ("first", "second", "on-disk", "gone"):
            model(file=name).save()
        answer = audit()
        assert missing(answer) == [("queued_tests.Report.file", "gone")]
        assert orphans(answer) == ["out/nobody's"]

    def test_a_scope_is_part_of_the_key(self, moto_ends: Ends, use_models: Any) -> None:
        model = make_model(ScopedStorage("photos", "acme"))
        use_models(model)
        model(file="a").save()
        moto_ends.put("acme/a", b"x")
        moto_ends.put("a", b"nobody's")
        answer = audit()
        assert (missing(answer), orphans(answer)) == ([], ["in/a"])

    def test_a_queued_file_is_nobody_s_orphan_and_not_missing(
        self,
        moto_ends: Ends,
        use_models: Any,
        tmp_path: Path,
        settings: Any,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(registry, "_storages", {})
        settings.SMART_STORAGE_TASKS = "tests.queued.broker.post"
        queue = QueuedStorage(
            "django.core.files.storage.FileSystemStorage",
            "photos",
            {"location": str(tmp_path / "local"), "base_url": "/local/"},
        )
        model = make_model(queue)
        use_models(model)
        row = model()
        row.file.save("waits", ContentFile(b"x"))
        queue.save("without a row", ContentFile(b"x"))
        QueuedFile.objects.filter(name="without a row").update(
            state="done", remote_name="renamed", local_name=""
        )
        moto_ends.put("renamed", b"x")
        moto_ends.put("nobody's", b"x")
        answer = audit()
        assert (missing(answer), orphans(answer)) == ([], ["in/nobody's"])

    def test_a_name_that_leads_nowhere_is_told_and_nothing_deleted(
        self, moto_ends: Ends, report: Any
    ) -> None:
        report(file="../evil").save()
        moto_ends.put("nobody's", b"x")
        answer = call("audit", "--age", "0", "--delete")
        assert answer.code == 1
        assert "could not be judged: queued_tests.Report.file" in answer.err
        assert moto_ends.of_photos() == {"nobody's": b"x"}

    def test_fields_on_a_disk_need_no_bucket(self, moto_ends: Ends, use_models: Any) -> None:
        model = make_model(FileSystemStorage(str(moto_ends.directory)))
        use_models(model)
        model(file="a").save()
        moto_ends.put("a", b"x")
        answer = audit()
        assert (answer.code, answer.json["rows"], answer.json["objects"]) == (0, 1, 0)


class TestScope:
    def test_what_others_keep_in_the_bucket_is_left_alone(
        self, moto_ends: Ends, report: Any
    ) -> None:
        entries = moto_ends.settings.SMART_STORAGE_BUCKETS
        nested = {**entries["photos"], "location": "in/static"}
        moto_ends.settings.SMART_STORAGE_BUCKETS = {**entries, "nested": nested}
        for name in ("static/a.css", "cache/thumb.jpg", "old", "folder/"):
            moto_ends.put(name, b"x")
        moto_ends.photos.put("beside", b"x")
        assert orphans(audit()) == ["in/cache/thumb.jpg", "in/old"]
        assert orphans(audit("--exclude", "cache/")) == ["in/old"]
        assert orphans(audit("--exclude", "in/old", "--exclude", "cache")) == []
        young = call("audit", "--json")
        assert (young.code, young.json["objects"], orphans(young)) == (0, 4, [])

    def test_static_files_in_the_same_place_stop_the_audit(
        self, moto_ends: Ends, report: Any
    ) -> None:
        static = {"BACKEND": "smart_storages.SmartS3Storage", "OPTIONS": {"module_name": "photos"}}
        moto_ends.settings.STORAGES = {**moto_ends.settings.STORAGES, "staticfiles": static}
        moto_ends.put("app.css", b"x")
        answer = call("audit", "--age", "0", "--delete")
        assert answer.code == 1
        assert "staticfiles" in answer.err
        assert moto_ends.of_photos() == {"app.css": b"x"}

    def test_the_default_of_a_field_is_needed_by_the_next_row(
        self, moto_ends: Ends, use_models: Any
    ) -> None:
        with isolate_apps("tests.queued"):

            class Author(models.Model):
                photo = models.ImageField(storage=get_storage("photos"), default="nobody.png")

                class Meta:
                    app_label = "queued_tests"

        use_models(Author)
        for name in ("nobody.png", "old.png"):
            moto_ends.put(name, b"x")
        answer = audit("--delete")
        assert (answer.code, answer.json["moved_to_trash"], missing(answer)) == (0, 1, [])
        assert "nobody.png" in moto_ends.of_photos()

    def test_a_bucket_with_two_addresses_is_one(self, moto_ends: Ends, use_models: Any) -> None:
        from tests.servers import S3Proxy

        entry = moto_ends.settings.SMART_STORAGE_BUCKETS["photos"]
        with S3Proxy(moto_ends.photos.endpoint_url) as proxy:
            moto_ends.settings.SMART_STORAGE_BUCKETS = {
                "photos": entry,
                "inside": {**entry, "location": "in/inside", "endpoint_url": proxy.endpoint_url},
                "again": {**entry, "endpoint_url": proxy.endpoint_url},
            }
            with isolate_apps("tests.queued"):

                class Report(models.Model):
                    one = models.FileField(storage=get_storage("photos"), blank=True)
                    other = models.FileField(storage=get_storage("again"), blank=True)

                    class Meta:
                        app_label = "queued_tests"

            use_models(Report)
            for name in ("one", "other", "old", "inside/of no field"):
                moto_ends.put(name, b"x")
            Report(one="one", other="other").save()
            answer = audit("--delete")
        assert (answer.code, missing(answer)) == (0, [])
        kept = [name for name in moto_ends.of_photos() if not name.startswith(".trash/")]
        assert kept == ["inside/of no field", "one", "other"]

    @pytest.mark.parametrize(
        ("text", "seconds"), [("0", 0), ("90m", 5400), ("1.5h", 5400), ("2d", 172_800), ("30", 30)]
    )
    def test_an_age_has_a_unit(self, text: str, seconds: float) -> None:
        from smart_storages.management.subcommands.audit import _duration

        assert _duration(text) == seconds

    def test_the_listing_is_a_request_for_each_1000_objects(
        self, moto_ends: Ends, report: Any, settings: Any
    ) -> None:
        from tests.servers import S3Proxy

        with S3Proxy(moto_ends.photos.endpoint_url) as proxy:
            settings.AWS_S3_ENDPOINT_URL = proxy.endpoint_url
            report._meta.get_field("file").storage = get_storage("photos")
            for number in range(20):
                moto_ends.put(f"{number:02}", b"x")
                report(file=f"{number:02}").save()
            assert audit().code == 0
            assert len(proxy.requests) == 2  # and one that lists incomplete uploads


class TestTrash:
    def test_orphans_go_to_the_trash_and_come_back(self, ends: Ends, use_models: Any) -> None:
        model = make_model(get_storage("photos"))
        use_models(model)
        model(file="kept").save()
        files = {"kept": b"1", "a/b.txt": b"2", "ä ö": b"3"}
        for name, body in files.items():
            ends.put(name, body, ContentType="text/x-mine", Metadata={"who": "me"})
        answer = audit("--delete")
        assert answer.code == 0, answer
        assert (answer.json["orphans"], answer.json["moved_to_trash"]) == (2, 2)
        there = ends.of_photos()
        assert sorted(name.rpartition("Z/")[2] for name in there) == sorted(files)
        assert [name for name in there if not name.startswith(".trash/")] == ["kept"]
        assert audit().json["orphans"] == 0
        assert call("audit", "--restore", "a/").out == "1 restored, 0 failed.\n"
        assert call("audit", "--restore", "--json").json == {"restored": 1, "failed": 0}
        assert ends.of_photos() == files
        head = ends.photos.client.head_object(Bucket=ends.photos.name, Key="in/a/b.txt")
        assert (head["ContentType"], head["Metadata"]) == ("text/x-mine", {"who": "me"})

    def test_the_trash_is_purged_after_some_days(
        self, moto_ends: Ends, report: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        stamps = [
            (datetime.now(timezone.utc) - timedelta(days=days)).strftime(trash._STAMP)
            for days in (40, 20)
        ]
        for stamp in stamps:
            moto_ends.put(f".trash/{stamp}/old", b"x")
        moto_ends.put(".trash/not-a-time/old", b"x")
        assert audit().code == 0
        assert len(moto_ends.of_photos()) == 3
        answer = audit("--delete")
        assert (answer.code, answer.json["purged"]) == (0, 1)
        assert list(moto_ends.of_photos()) == [
            f".trash/{stamps[1]}/old",
            ".trash/not-a-time/old",
        ]
        assert audit("--delete", "--days", "10").json["purged"] == 1
        moto_ends.put("thrown away now", b"x")
        assert audit("--delete", "--days", "0").json["purged"] == 0
        assert call("audit", "--restore").out == "1 restored, 0 failed.\n"

    def test_a_name_that_is_taken_again_is_not_restored_over(
        self, moto_ends: Ends, report: Any
    ) -> None:
        moto_ends.put(".trash/20260101T000000Z/a", b"older")
        moto_ends.put(".trash/20260201T000000Z/a", b"newer")
        moto_ends.put(".trash/20260201T000000Z/b", b"old")
        moto_ends.put("b", b"new")
        answer = call("audit", "--restore")
        assert answer.out == "1 restored, 0 failed.\n"
        assert "in/b: not restored" in answer.err
        found = moto_ends.of_photos()
        assert (found["a"], found["b"]) == (b"newer", b"new")
        assert found[".trash/20260101T000000Z/a"] == b"older"


def test_a_full_disk_ends_the_audit_and_nothing_is_deleted(
    moto_ends: Ends, report: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    moto_ends.put("old", b"x")
    old = datetime.now(timezone.utc) - timedelta(days=9)
    keys = [f"in/{number:05}{'x' * 200}" for number in range(30_000)]
    stat = Stat(size=1, modified_time=old, etag="0")
    listing = ((key, stat) for key in keys)
    monkeypatch.setattr(SmartS3Storage, "iter_keys", lambda *_: listing)
    with files_limited(64 * 1024):
        answer = audit("--delete")
    assert answer.code == 1
    assert "temporary file" in answer.err
    assert "set TMPDIR" in answer.err
    assert moto_ends.of_photos() == {"old": b"x"}


class TestMeanwhile:
    """The audit is exact although files are saved and deleted at its every step."""

    @pytest.fixture
    def at(self, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Callable[[], Any]], None]:
        def plan(step: str, action: Callable[[], Any], *, after: bool = False) -> None:
            original = getattr(Auditor, step)
            left = [action]

            def stepped(self: Auditor, *args: Any) -> Any:
                if left and not after:
                    left.pop()()
                result = original(self, *args)
                if left and after:
                    left.pop()()
                return result

            monkeypatch.setattr(Auditor, step, stepped)

        return plan

    def test_a_file_saved_after_the_rows_were_read_is_no_orphan(
        self, moto_ends: Ends, report: Any, at: Any
    ) -> None:
        def save() -> None:
            moto_ends.put("saved", b"x")
            report(file="saved").save()

        at("_hold_against_rows", save)
        answer = audit("--delete")
        assert (answer.code, answer.json["orphans"], answer.json["objects"]) == (0, 0, 1)

    def test_a_file_saved_after_the_listing_is_not_missing(
        self, moto_ends: Ends, report: Any, at: Any
    ) -> None:
        report(file="saved").save()
        at("_hold_against_rows", lambda: moto_ends.put("saved", b"x"), after=True)
        answer = audit()
        assert (answer.code, answer.json["missing"], answer.json["objects"]) == (0, 0, 0)

    def test_a_file_deleted_with_its_row_is_neither(
        self, moto_ends: Ends, report: Any, at: Any
    ) -> None:
        for name in ("one", "two"):
            moto_ends.put(name, b"x")
            report(file=name).save()

        def delete(name: str) -> None:
            report.objects.filter(file=name).delete()
            moto_ends.photos.client.delete_object(Bucket=moto_ends.photos.name, Key=f"in/{name}")

        at("_hold_against_rows", lambda: delete("one"))
        at("look_again", lambda: delete("two"))
        answer = audit()
        assert (answer.code, answer.json["missing"], answer.json["orphans"]) == (0, 0, 0)

    def test_a_name_that_moves_to_a_row_that_was_read_is_no_orphan(
        self, moto_ends: Ends, report: Any, at: Any
    ) -> None:
        first, second = report(file=""), report(file="moving")
        first.save()
        second.save()
        moto_ends.put("moving", b"x")
        original = columns.Column.names

        def names(self: Any) -> Iterator[Any]:
            found = list(original(self))
            if report.objects.filter(pk=second.pk, file="moving").exists():
                report.objects.filter(pk=first.pk).update(file="moving")
                report.objects.filter(pk=second.pk).delete()
                return iter(())
            return iter(found)

        at("find_areas", lambda: setattr(columns.Column, "names", names))
        try:
            answer = audit("--delete")
        finally:
            columns.Column.names = original
        assert (answer.code, answer.json["orphans"]) == (0, 0)
        assert moto_ends.of_photos() == {"moving": b"x"}

    def test_an_orphan_that_is_overwritten_is_judged_anew(
        self, moto_ends: Ends, report: Any, at: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        moto_ends.put("old", b"x")
        later = datetime.now(timezone.utc) + timedelta(days=2)

        def overwrite() -> None:
            stat = Stat(size=1, modified_time=later, etag="new")
            patched.setattr(
                SmartS3Storage, "stat_keys", lambda storage, keys: dict.fromkeys(keys, stat)
            )

        at("look_again", overwrite)
        with monkeypatch.context() as patched:
            answer = audit("--delete")
        assert (answer.code, answer.json["orphans"]) == (0, 0)
        assert moto_ends.of_photos() == {"old": b"x"}

    def test_an_orphan_that_a_row_names_while_it_is_moved_comes_back(
        self, moto_ends: Ends, report: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        moto_ends.put("wanted", b"x")
        moto_ends.put("unwanted", b"y")
        original = trash.Trash.throw_away

        def throw_away(self: Any, objects: Any) -> int:
            count = original(self, objects)
            report(file="wanted").save()
            return count

        monkeypatch.setattr(trash.Trash, "throw_away", throw_away)
        answer = audit("--delete")
        assert answer.json["moved_to_trash"] == 1
        found = moto_ends.of_photos()
        assert found.pop("wanted") == b"x"
        assert [name.rpartition("/")[2] for name in found] == ["unwanted"]

    def test_an_orphan_that_is_saved_again_while_it_is_moved_stays(
        self, ends: Ends, use_models: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        use_models(make_model(get_storage("photos")))
        for name in ("again", "old"):
            ends.put(name, b"x")
        copy = trash.Trash._copy

        def copy_then_save(self: Any, move: Any) -> None:
            copy(self, move)
            ends.put("again", b"new")

        monkeypatch.setattr(trash.Trash, "_copy", copy_then_save)
        answer = audit("--delete")
        assert answer.json["moved_to_trash"] == 1
        assert "in/again: not moved, it was saved again" in answer.err
        found = ends.of_photos()
        assert found.pop("again") == b"new"
        assert [name.rpartition("/")[2] for name in found] == ["old"]

    def test_a_delete_whose_answer_is_lost_leaves_one_of_each(
        self, moto_ends: Ends, use_models: Any
    ) -> None:
        from tests.servers import S3Proxy

        with S3Proxy(moto_ends.photos.endpoint_url) as proxy:
            moto_ends.module("photos", endpoint_url=proxy.endpoint_url)
            use_models(make_model(get_storage("photos")))
            moto_ends.put("old", b"x")
            proxy.inject(method="POST", query="delete", lose_answer=True, times=None)
            assert audit("--delete").code == 1
        assert [name.rpartition("/")[2] for name in moto_ends.of_photos()] == ["old"]

    def test_what_is_saved_while_the_trash_is_brought_back_stays(
        self, moto_ends: Ends, report: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        moto_ends.put(".trash/20260101T000000Z/a", b"old")
        copy = trash.Trash._copy

        def save_then_copy(self: Any, move: Any) -> None:
            moto_ends.put("a", b"new")
            copy(self, move)

        monkeypatch.setattr(trash.Trash, "_copy", save_then_copy)
        answer = call("audit", "--restore")
        assert (answer.code, "has been taken" in answer.err) == (1, True)
        assert moto_ends.of_photos() == {".trash/20260101T000000Z/a": b"old", "a": b"new"}


@pytest.mark.slow
def test_memory_grows_neither_with_the_rows_nor_with_the_listing(
    moto_ends: Ends, report: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    moment = datetime(2026, 1, 1, tzinfo=timezone.utc)

    def peak(count: int) -> int:
        report.objects.all().delete()
        report.objects.bulk_create(
            (report(file=f"{number:07}/{'x' * 80}") for number in range(0, count, 2)),
            batch_size=400,
        )
        entries = (
            (f"in/{number:07}/{'x' * 80}", Stat(size=1, modified_time=moment, etag="e"))
            for number in range(1, count, 2)
        )
        monkeypatch.setattr(SmartS3Storage, "iter_keys", lambda *_: entries)
        connection.queries_log.clear()
        tracemalloc.start()
        try:
            with Store() as store:
                found = Auditor(store, Scope(0, (), ".trash"))
                found.run()
                total = tracemalloc.get_traced_memory()[1]
                assert store.has_orphans()
            return total
        finally:
            tracemalloc.stop()

    peak(2_000)
    small, large = peak(6_000), peak(16_000)
    # What the process does besides is in it too.
    assert large < 1.6 * small, (small, large)


def test_what_is_missing_is_asked_for_in_the_order_of_the_keys() -> None:
    # A page of names that are far apart would take a listing of the whole bucket.
    with Store() as store:
        for number, key in enumerate(["b", "d", "a", "c"]):
            store.miss(Reference(0, key, 0, str(number), key, others=False))
        assert [each.key for page in store.missing() for each in page] == ["a", "b", "c", "d"]


def test_the_limit_is_of_what_is_shown_and_not_of_what_is_counted(
    moto_ends: Ends, report: Any
) -> None:
    for number in range(5):
        moto_ends.put(f"orphan-{number}", b"x")
        report(file=f"missing-{number}").save()
    answer = audit("--limit", "2")
    assert (answer.json["orphans"], answer.json["missing"]) == (5, 5)
    assert (len(answer.json["orphans_shown"]), len(answer.json["missing_shown"])) == (2, 2)
    text = call("audit", "--age", "0", "--limit", "2").out
    assert text.count("orphan: ") == text.count("missing: ") == 2
    assert "5 files missing, 5 orphans (5 B)" in text
    assert json.loads(answer.out)["rows"] == 5


class TestIncompleteUploads:
    def begin(self, *names: str) -> None:
        for name in names:
            get_storage("photos").create_multipart_upload(name, content_type="text/plain")

    def test_they_are_counted_and_stay(self, moto_ends: Ends, report: Any) -> None:
        self.begin("a.txt", "b.txt")
        moto_ends.photos.client.create_multipart_upload(
            Bucket=moto_ends.photos.name, Key="elsewhere/c.txt"
        )
        answer = audit()
        assert (answer.code, answer.json["incomplete_uploads"]) == (0, 2)
        assert answer.json["aborted_uploads"] == 0
        assert len(moto_ends.photos.open_uploads()) == 3
        answer = call("audit")
        assert "2 incomplete uploads" in answer.out
        assert "--abort-uploads 7d" in answer.out

    def test_old_ones_are_aborted(self, moto_ends: Ends, report: Any) -> None:
        self.begin("a.txt", "kept/b.txt")
        answer = audit("--abort-uploads", "0", "--exclude", "kept/")
        assert (answer.code, answer.json["aborted_uploads"]) == (0, 1)
        assert moto_ends.photos.open_uploads() == ["in/kept/b.txt"]

    def test_young_ones_stay(
        self, moto_ends: Ends, report: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.begin("a.txt")
        # moto starts every upload in 2010.
        started = next(get_storage("photos").iter_multipart_uploads()).started

        class LaterThan(datetime):
            @classmethod
            def now(cls, tz: Any = None) -> Any:
                return started + timedelta(hours=5)

        monkeypatch.setattr(uploads, "datetime", LaterThan)
        assert audit("--abort-uploads", "6h").json["aborted_uploads"] == 0
        assert moto_ends.photos.open_uploads() == ["in/a.txt"]
        assert audit("--abort-uploads", "5h").json["aborted_uploads"] == 1

    def test_what_cannot_be_aborted_is_told(
        self, moto_ends: Ends, report: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.begin("a.txt")

        def refuse(*_: Any) -> None:
            raise AccessDeniedError("Not allowed.")

        monkeypatch.setattr(SmartS3Storage, "abort_multipart_upload", refuse)
        answer = audit("--abort-uploads", "0")
        assert answer.code == 1
        assert (answer.json["aborted_uploads"], answer.json["failed"]) == (0, 1)
        assert "in/a.txt: Not allowed." in answer.err

    def test_a_place_that_takes_none_is_no_error(self, tmp_path: Path) -> None:
        elsewhere = SmartS3Storage(
            "away", backend="filesystem", root=tmp_path, base_url="https://files.example.com/"
        )
        told: List[Any] = []
        found = uploads.look_for_uploads([Area(0, elsewhere, "")], lambda *each: told.append(each))
        assert (found.found, found.oldest, told) == (0, None, [])
