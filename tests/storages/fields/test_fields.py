"""Files that no row names any more are deleted when the transaction commits; no others."""

import io
import logging
import subprocess
import sys
from pathlib import Path

import django
import pytest
from django import forms
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage
from django.db import IntegrityError, connection, models, transaction
from django.db.migrations.autodetector import MigrationAutodetector
from django.db.migrations.state import ModelState, ProjectState
from django.db.migrations.writer import MigrationWriter
from PIL import Image

from smart_storages.dispatcher import StorageDispatcher
from smart_storages.queued import registry
from smart_storages.queued.backends import QueuedStorage
from smart_storages.queued.models import QueuedFile
from smart_storages.resolvers import BySize
from smart_storages.storages import fields
from smart_storages.storages.fields import SmartFileField, SmartImageField
from tests.queued import broker
from tests.storages.fields.models import Paper, PaperProxy, Photo, Plain, SignedPaper

pytestmark = pytest.mark.django_db(transaction=True)

ROOT = Path(__file__).resolve().parents[3]
EVERY_FIELD = [
    (Paper, "file"), (Paper, "cover"), (SignedPaper, "signature"), (Photo, "image"),
    (Plain, "attachment"),
]  # fmt: skip


@pytest.fixture
def store(disk, monkeypatch):
    """The storage of every field; ``store.files()`` is what it holds."""
    made = disk("store")
    made.files = lambda: set(made.listdir("")[1])
    made.change = lambda model, name, storage: monkeypatch.setattr(
        model._meta.get_field(name), "storage", storage
    )
    for model, name in EVERY_FIELD:
        made.change(model, name, made)
    return made


def put(store, *names):
    for name in names:
        assert store.save(name, ContentFile(name.encode())) == name


def upload(name):
    return ContentFile(name.encode(), name)


class TestWhatIsDeleted:
    def test_a_file_that_is_replaced_cleared_or_whose_row_is_deleted(self, store):
        put(store, "not-ours.txt")
        paper = Paper.objects.create(file=upload("a.txt"))
        paper.file = upload("b.txt")
        paper.save()
        assert store.files() == {"b.txt", "not-ours.txt"}
        paper.file.save("c.txt", upload("c.txt"))
        assert store.files() == {"c.txt", "not-ours.txt"}
        paper.cover = upload("cover.txt")
        paper.file = None
        paper.save()
        assert store.files() == {"cover.txt", "not-ours.txt"}
        paper.file = upload("d.txt")
        paper.save(update_fields=["file"])
        paper.delete()
        assert store.files() == {"not-ours.txt"}

    def test_by_each_way_through_the_instances(self, store):
        Paper.objects.update_or_create(title="t", defaults={"file": upload("1.txt")})
        paper, _ = Paper.objects.update_or_create(title="t", defaults={"file": upload("2.txt")})
        assert store.files() == {"2.txt"}
        paper.file.name = "renamed.txt"  # as code does that has moved the file itself
        put(store, "renamed.txt")
        paper.save()
        assert store.files() == {"renamed.txt"}
        paper.file.delete()
        assert store.files() == set()
        assert not Paper.objects.get().file
        # By its primary key alone, never loaded.
        Paper.objects.filter(pk=paper.pk).update(file="renamed.txt")
        put(store, "renamed.txt")
        Paper(pk=paper.pk, file=upload("3.txt")).save()
        assert store.files() == {"3.txt"}
        # The loaded instance is older than the row.
        old = Paper.objects.get()
        Paper(pk=paper.pk, file=upload("4.txt")).save()
        old.delete()
        assert store.files() == set()

    def test_the_clear_checkbox_of_a_form(self, store):
        class PaperForm(forms.ModelForm):
            class Meta:
                model = Paper
                fields = ["file"]

        paper = Paper.objects.create(file=upload("a.txt"))
        form = PaperForm({"file-clear": "on"}, {}, instance=paper)
        assert form.is_valid(), form.errors
        assert store.files() == {"a.txt"}
        form.save()
        assert store.files() == set()
        formset = forms.modelformset_factory(Paper, fields=["file"], can_delete=True)
        paper.file = upload("b.txt")
        paper.save()
        posted = formset(
            {
                "form-TOTAL_FORMS": "1", "form-INITIAL_FORMS": "1",
                "form-0-id": str(paper.pk), "form-0-DELETE": "on",
            }
        )  # fmt: skip
        assert posted.is_valid(), posted.errors
        posted.save()
        assert store.files() == set()

    def test_images_and_their_sizes(self, store):
        body = io.BytesIO()
        Image.new("RGB", (3, 2)).save(body, "PNG")
        photo = Photo.objects.create(image=ContentFile(body.getvalue(), "a.png"))
        assert (photo.width, photo.height) == (3, 2)
        photo = Photo.objects.get()
        photo.image = ContentFile(body.getvalue(), "b.png")
        photo.save()
        assert store.files() == {"b.png"}
        photo.image.delete()
        assert store.files() == set()
        assert (Photo.objects.get().width, Photo.objects.get().height) == (None, None)

    def test_of_children_proxies_and_abstract_parents(self, store):
        signed = SignedPaper.objects.create(
            file=upload("a.txt"), cover=upload("cover.txt"), signature=upload("s.txt")
        )
        signed.file = upload("b.txt")
        signed.signature = upload("t.txt")
        signed.save()
        assert store.files() == {"b.txt", "cover.txt", "t.txt"}
        proxy = PaperProxy.objects.get()
        proxy.cover = upload("cover2.txt")
        proxy.save()
        assert store.files() == {"b.txt", "cover2.txt", "t.txt"}
        Paper.objects.get().delete()  # the parent takes its child with it
        assert store.files() == set()
        PaperProxy.objects.create(file=upload("p.txt")).delete()
        assert store.files() == set()

    def test_of_many_rows_with_few_queries(self, store, django_assert_num_queries):
        for number in range(20):
            paper = Paper.objects.create(file=upload(f"{number}.txt"))
        Plain.objects.create(attachment="7.txt", paper=paper)
        Paper.objects.filter(title="").only("id").exclude(pk=paper.pk).delete()
        assert store.files() == {"7.txt", "19.txt"}
        Paper.objects.all().delete()  # the cascade deletes the row that names 7.txt, a plain field
        assert store.files() == {"7.txt"}
        for number in range(20):
            Paper.objects.create(file=upload(f"q{number}.txt"))
        if django.VERSION >= (4, 1):  # before, Django does not say what it has loaded just now
            with django_assert_num_queries(15, exact=False):
                Paper.objects.all().delete()
        Paper.objects.all().delete()
        assert store.files() == {"7.txt"}


class TestWhatStays:
    def test_a_file_that_another_row_field_or_model_names(self, store):
        first = Paper.objects.create(file=upload("a.txt"))
        hidden = Paper.objects.create(file="a.txt", hidden=True)
        first.delete()
        assert store.files() == {"a.txt"}
        hidden.cover = "a.txt"
        hidden.file = ""
        hidden.save()
        assert store.files() == {"a.txt"}
        plain = Plain.objects.create(attachment="a.txt")
        hidden.delete()
        assert store.files() == {"a.txt"}
        plain.delete()  # Django's own field: nobody deletes it, as ever
        assert store.files() == {"a.txt"}

    def test_a_file_of_the_same_name_in_another_storage_is_another(self, store, disk, monkeypatch):
        other = disk("other")
        put(other, "a.txt")
        monkeypatch.setattr(Plain._meta.get_field("attachment"), "storage", other)
        Plain.objects.create(attachment="a.txt")
        Paper.objects.create(file=upload("a.txt")).delete()
        assert store.files() == set()
        assert other.exists("a.txt")
        # The same folder by another storage is the same file, under whatever name.
        within = FileSystemStorage(store.location + "/sub")
        monkeypatch.setattr(Plain._meta.get_field("attachment"), "storage", within)
        paper = Paper.objects.create()
        paper.file.save("sub/b.txt", upload("b.txt"))
        Plain.objects.create(attachment="b.txt")
        paper.delete()
        assert within.exists("b.txt")

    def test_the_default_and_what_was_only_assigned(self, store):
        put(store, "default.txt", "mine.txt")
        paper = Paper.objects.create()
        assert paper.file == "default.txt"
        paper.file = upload("a.txt")
        paper.save()
        paper.delete()
        Paper.objects.create().delete()
        assert store.files() == {"default.txt", "mine.txt"}
        paper = Paper.objects.create(file=upload("a.txt"))
        paper.file = upload("mine.txt")  # never saved
        paper.delete()
        assert store.files() == {"default.txt", "mine.txt"}
        paper = Paper(file=upload("mine.txt"))
        paper.file.delete(save=False)
        assert store.files() == {"default.txt", "mine.txt"}

    def test_what_is_not_written(self, store, django_assert_num_queries):
        Paper.objects.create(file=upload("a.txt"), title="t")
        paper = Paper.objects.get()
        paper.file = upload("b.txt")
        with django_assert_num_queries(1):  # the fields of files are not looked at
            paper.save(update_fields=["title"])
        paper.refresh_from_db()
        assert paper.file == "a.txt"
        paper = Paper.objects.defer("file").get()
        paper.title = "u"
        paper.save()
        paper = Paper.objects.only("id").get()
        paper.save()
        assert store.files() == {"a.txt"}
        paper = Paper.objects.get()
        paper.file.delete(save=False)
        assert store.files() == {"a.txt"}  # as long as the row names it
        paper.save()
        assert store.files() == set()

    def test_a_file_whose_name_comes_back(self, store):
        paper = Paper.objects.create(file=upload("a.txt"))
        with transaction.atomic():
            paper.file = upload("b.txt")
            paper.save()
            paper.file = "a.txt"
            paper.save()
        assert store.files() == {"a.txt"}
        copy = Paper.objects.get()
        copy.pk, copy._state.adding = None, True
        copy.save()
        paper.delete()
        assert store.files() == {"a.txt"}
        copy.delete()
        assert store.files() == set()


class TestTransactions:
    def test_nothing_is_deleted_before_the_commit(self, store):
        paper = Paper.objects.create(file=upload("a.txt"), cover=upload("c.txt"))
        with transaction.atomic():
            paper.file = upload("b.txt")
            paper.save()
            paper.cover.delete()
            assert store.files() == {"a.txt", "b.txt", "c.txt"}
            with transaction.atomic():
                Paper.objects.all().delete()
            assert store.files() == {"a.txt", "b.txt", "c.txt"}
        assert store.files() == set()

    def test_a_rollback_leaves_everything_that_rows_name(self, store):
        paper = Paper.objects.create(file=upload("a.txt"), cover=upload("c.txt"))
        with transaction.atomic():
            paper.cover.delete()
            paper.file = upload("b.txt")
            paper.save()
            paper.delete()
            transaction.set_rollback(True)
        paper = Paper.objects.get()
        assert (paper.file, paper.cover) == ("a.txt", "c.txt")
        assert {"a.txt", "c.txt"} <= store.files()
        # Nothing of it is left for the next transaction.
        with transaction.atomic():
            paper.title = "t"
            paper.save()
        assert {"a.txt", "c.txt"} <= store.files()

    def test_a_savepoint_that_is_rolled_back_leaves_its_own(self, store):
        first, second, third = (
            Paper.objects.create(file=upload(f"{number}.txt")) for number in range(3)
        )
        with transaction.atomic():
            first.delete()
            with transaction.atomic():
                second.delete()
                with transaction.atomic():
                    third.file = ""
                    third.save()
                transaction.set_rollback(True)
            with transaction.atomic():
                third.file = upload("new.txt")
                third.save()
        assert store.files() == {"1.txt", "new.txt"}

    def test_a_save_that_fails_deletes_nothing(self, store):
        paper = Paper.objects.create(file=upload("a.txt"))
        paper.file = upload("b.txt")
        paper.hidden = None
        with pytest.raises(IntegrityError):
            paper.save()
        assert "a.txt" in store.files()
        paper.hidden = False
        paper.save()
        assert store.files() == {"b.txt"}

    def test_a_receiver_may_save_the_same_instance(self, store):
        def touch(instance, **kwargs):
            if instance.title != "touched":
                instance.title = "touched"
                instance.save()

        for signal in (models.signals.pre_save, models.signals.post_save):
            paper = Paper.objects.create(file=upload("a.txt"))
            paper.file = upload("b.txt")
            signal.connect(touch, sender=Paper)
            try:
                paper.save()
            finally:
                signal.disconnect(touch, sender=Paper)
            assert store.files() == {"b.txt"}
            paper.delete()

    def test_the_transaction_is_that_of_the_rows_database(self, tmp_path):
        subprocess.run(
            [sys.executable, "-m", "tests.storages.fields.two_databases", str(tmp_path)],
            cwd=str(ROOT),
            check=True,
        )

    def test_without_autocommit_the_file_stays_and_the_log_says_so(self, store, caplog):
        paper = Paper.objects.create(file=upload("a.txt"))
        connection.set_autocommit(False)
        try:
            paper.file = ""
            paper.save()
            connection.commit()
        finally:
            connection.set_autocommit(True)
        assert store.files() == {"a.txt"}
        assert "'a.txt' stay" in caplog.text


class TestFailures:
    def test_a_delete_that_fails_is_logged_and_not_raised(self, store, monkeypatch, caplog):
        def refuse(name):
            if name == "a.txt":
                raise OSError("The disk is read-only.")
            FileSystemStorage.delete(store, name)

        monkeypatch.setattr(store, "delete", refuse)
        with transaction.atomic():
            Paper.objects.create(file=upload("a.txt")).delete()
            Paper.objects.create(file=upload("b.txt")).delete()
        assert store.files() == {"a.txt"}
        [record] = [each for each in caplog.records if each.levelno == logging.ERROR]
        assert "'a.txt' of fields_tests.Paper.file" in record.getMessage()
        assert "buckets audit" in record.getMessage()
        assert "read-only" in caplog.text

    def test_if_the_database_cannot_say_whether_a_row_names_it_the_file_stays(
        self, store, monkeypatch, caplog
    ):
        def fail(using, model):
            raise RuntimeError("The router fails.")

        paper = Paper.objects.create(file=upload("a.txt"))
        monkeypatch.setattr(fields.router, "allow_migrate_model", fail)
        paper.delete()
        assert store.files() == {"a.txt"}
        assert "were not deleted" in caplog.text


class TestStorages:
    def test_in_s3_many_are_one_request_and_a_wrong_name_harms_no_other(
        self, store, make_storage, s3_proxy, caplog
    ):
        s3_bucket = make_storage(location="").bucket
        storage = make_storage(location="media", file_overwrite=False)
        store.change(Paper, "file", storage)
        for number in range(5):
            Paper.objects.create(file=upload(f"{number}.txt"))
        shared = make_storage(location="")
        store.change(Plain, "attachment", shared)
        Plain.objects.create(attachment="media/3.txt")
        s3_proxy.reset()
        Paper.objects.all().delete()
        assert [request.method for request in s3_proxy.requests] == ["POST"]
        assert [each.key for each in s3_bucket.objects.all()] == ["media/3.txt"]
        Paper.objects.create(file="../outside.txt")
        Paper.objects.create(file=upload("a.txt"))
        Paper.objects.all().delete()
        assert [each.key for each in s3_bucket.objects.all()] == ["media/3.txt"]
        assert "'../outside.txt'" in caplog.text

    def test_a_dispatcher_deletes_where_the_name_leads(self, store, disk):
        small, large = disk("small"), disk("large")
        dispatcher = StorageDispatcher(
            BySize(5, "small", "large"),
            storages={"small": small, "large": large},
            record_alias=True,
        )
        store.change(Paper, "file", dispatcher)
        paper = Paper.objects.create(file=upload("a.txt"))
        twin = Paper.objects.create(file=str(paper.file))
        paper.file = upload("longer.txt")
        paper.save()
        assert small.exists("a.txt")
        twin.delete()
        assert not small.exists("a.txt")
        assert large.exists("longer.txt")
        paper.delete()
        assert not large.exists("longer.txt")

    def test_a_queue_deletes_by_its_ledger(self, store, disk, settings, monkeypatch):
        settings.SMART_STORAGE_TASKS = "tests.queued.broker.post"
        monkeypatch.setattr(broker, "messages", [])
        monkeypatch.setattr(registry, "_storages", {})
        queue = QueuedStorage(disk("local"), disk("remote"), durable=False)
        store.change(Paper, "file", queue)
        paper = Paper.objects.create(file=upload("a.txt"))
        with transaction.atomic():
            paper.file = upload("b.txt")
            paper.save()
            assert set(QueuedFile.objects.values_list("name", flat=True)) == {"a.txt", "b.txt"}
            transaction.set_rollback(True)
        paper = Paper.objects.get()
        broker.deliver()
        assert disk("remote").exists("a.txt")
        paper.file.delete()
        broker.deliver()
        assert not queue.exists("a.txt")
        assert not disk("remote").exists("a.txt")


class TestMigrations:
    def test_they_name_the_public_path_and_nothing_of_the_model(self):
        field = SmartFileField(upload_to="x")
        field.set_attributes_from_name("file")
        assert field.deconstruct()[1] == "smart_storages.storages.fields.SmartFileField"
        image = SmartImageField(upload_to="y", width_field="w")
        image.set_attributes_from_name("image")
        assert image.deconstruct()[1:] == (
            "smart_storages.storages.fields.SmartImageField", [],
            {"upload_to": "y", "width_field": "w"},
        )  # fmt: skip
        text, imports = MigrationWriter.serialize(field)
        assert text == "smart_storages.storages.fields.SmartFileField(upload_to='x')"
        assert imports == {"import smart_storages.storages.fields"}

    def test_models_of_migrations_delete_no_files(self, store):
        state = ProjectState()
        state.add_model(ModelState.from_model(Paper))
        historical = state.apps.get_model("fields_tests", "Paper")
        Paper.objects.create(file=upload("a.txt"))
        row = historical._base_manager.get()
        monkey = historical._meta.get_field("file")
        monkey.storage = store
        row.file = ""
        row.save()
        row.delete()
        assert store.files() == {"a.txt"}

    def test_a_change_to_it_alters_the_field_alone(self):
        def state(field):
            made = ProjectState()
            made.add_model(
                ModelState("press", "Article", [("id", models.AutoField(primary_key=True)),
                                                ("file", field)])
            )  # fmt: skip
            return made

        before, after = state(models.FileField()), state(SmartFileField())
        changes = MigrationAutodetector(before, after)._detect_changes()
        [migration] = changes["press"]
        assert [type(each).__name__ for each in migration.operations] == ["AlterField"]
