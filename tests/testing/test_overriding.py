"""override_buckets: every module in memory for the time of a test, and nothing left behind."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import unittest
from pathlib import Path

import pytest
from django.core.files.base import ContentFile
from django.db import models
from django.test import SimpleTestCase

from smart_storages.exceptions import ConfigurationError, UnknownModuleError
from smart_storages.storages import DocumentStorage, MediaStorage
from smart_storages.testing import assert_not_saved, assert_saved, override_buckets
from smart_storages.utils import get_storage
from tests.network_trap import CAUGHT, set_trap

ROOT = Path(__file__).resolve().parents[2]

#: Made at import, as the storage of a model's field is.
FIELD = models.FileField(storage=DocumentStorage())


@pytest.fixture(autouse=True)
def _bucket(settings):
    settings.SMART_STORAGE_BUCKETS = {
        "documents": {"bucket_name": "acme-documents"},
        "tenant_*": {"bucket_name": "acme-tenants", "location": "{module}/"},
    }


def save(name="a.txt", content=b"x", storage=FIELD.storage):
    return storage.save(name, ContentFile(content))


def test_a_block_keeps_files_in_memory_and_forgets_them():
    with override_buckets():
        assert save() == "a.txt"
        assert_saved("documents", "a.txt", b"x")
        assert not FIELD.storage.is_in_s3
    assert FIELD.storage.is_in_s3
    assert type(FIELD.storage) is DocumentStorage
    with override_buckets():
        assert_not_saved("documents")


def test_names_presets_and_refusals_are_those_of_the_settings(settings):
    settings.SMART_STORAGE_STRICT = True
    with override_buckets():
        save()
        assert save() != "a.txt"
        tenant = get_storage("tenant_x")
        assert (tenant.bucket_name, tenant.get_key("a.txt")) == ("acme-tenants", "tenant_x/a.txt")
        with pytest.raises(UnknownModuleError):
            get_storage("tenatn_x").exists("a.txt")
        assert "signature=" in FIELD.storage.url("a.txt")


@override_buckets()
def test_a_function_is_decorated():
    save()
    assert_saved("documents", "a.txt")


@override_buckets(backend="filesystem")
def test_a_directory_can_keep_the_files():
    save()
    root = Path(FIELD.storage.root)
    assert (root / "acme-documents" / "documents" / "a.txt").read_bytes() == b"x"


def test_the_directory_is_removed():
    with override_buckets(backend="filesystem"):
        root = Path(FIELD.storage.root)
        save()
        assert root.is_dir()
    assert not root.exists()


def test_a_coroutine_is_decorated():
    @override_buckets()
    async def use():
        await FIELD.storage.asave("a.txt", ContentFile(b"x"))
        return await FIELD.storage.aexists("a.txt")

    assert asyncio.run(use()) is True
    assert FIELD.storage.is_in_s3


def test_blocks_can_be_nested():
    with override_buckets():
        save("outer.txt")
        with override_buckets():
            assert_not_saved("documents")
            save("inner.txt")
        assert_not_saved("documents", "inner.txt")
        assert_saved("documents", "outer.txt")


def test_other_buckets_can_be_given():
    with override_buckets(buckets={"documents": {"location": "other"}}):
        assert FIELD.storage.get_key("a.txt") == "other/a.txt"


def test_the_buckets_of_a_server_can_be_given():
    with override_buckets(
        "s3", endpoint_url="http://127.0.0.1:9000", access_key="key", secret_key="hidden"
    ):
        assert FIELD.storage.is_in_s3
        assert FIELD.storage.url("a.txt").startswith("http://127.0.0.1:9000/acme-documents/")
        assert "hidden" not in repr(vars(FIELD.storage))


def test_what_is_no_backend_or_no_option_is_refused():
    with pytest.raises(
        ValueError, match="no backend 'disk': use one of azure, filesystem, gcs, memory, s3"
    ):
        override_buckets("disk")
    with pytest.raises(ConfigurationError, match=r"override_buckets\(\): the option 'bucket'"):
        override_buckets(bucket="acme")
    with pytest.raises(TypeError, match="TestCase"):
        override_buckets()(type("NoTest", (), {}))


def test_a_block_that_cannot_begin_leaves_nothing(monkeypatch):
    from smart_storages.testing import overriding

    def fail(**settings):
        raise ZeroDivisionError

    with monkeypatch.context() as patched:
        patched.setattr(overriding, "override_settings", fail)
        with pytest.raises(ZeroDivisionError):
            override_buckets().enable()
    assert FIELD.storage.is_in_s3


def test_a_block_that_raises_ends_all_the_same():
    with pytest.raises(ZeroDivisionError), override_buckets():
        save(content=b"%d" % (1 / 0))
    assert FIELD.storage.is_in_s3


# Classes of tests


def run(*classes):
    suite = unittest.TestSuite(
        unittest.defaultTestLoader.loadTestsFromTestCase(each) for each in classes
    )
    result = unittest.TestResult()
    suite.run(result)
    assert result.testsRun > 0
    return [text for _, text in result.failures + result.errors]


@pytest.mark.parametrize("backend", ["memory", "filesystem"])
def test_each_test_of_a_class_begins_with_what_the_class_saved(backend):
    @override_buckets(backend)
    class Tests(SimpleTestCase):
        @classmethod
        def setUpClass(cls):
            super().setUpClass()
            save("class.txt")

        def setUp(self):
            save("test.txt", b"of the test")

        def use(self):
            if backend == "memory":
                assert_saved("documents", "class.txt", b"x")
            assert_saved("documents", "test.txt", b"of the test")
            assert_not_saved("documents", "method.txt")
            save("method.txt")
            save("class.txt", b"changed")

        test_one = test_two = use

    assert run(Tests) == []
    assert FIELD.storage.is_in_s3


def test_a_subclass_is_overridden_too_and_a_failing_class_leaves_nothing():
    @override_buckets()
    class Base(SimpleTestCase):
        def test_it(self):
            save()

    class Below(Base):
        @classmethod
        def setUpClass(cls):
            super().setUpClass()
            save("below.txt")

        def test_it(self):
            assert_saved("documents", "below.txt")

    class Broken(Base):
        @classmethod
        def setUpClass(cls):
            super().setUpClass()
            raise ZeroDivisionError

    assert run(Base, Below) == []
    assert "ZeroDivisionError" in run_broken(Broken)
    assert FIELD.storage.is_in_s3


def run_broken(cls):
    result = unittest.TestResult()
    unittest.defaultTestLoader.loadTestsFromTestCase(cls).run(result)
    suite = unittest.TestSuite([unittest.defaultTestLoader.loadTestsFromTestCase(cls)])
    suite.run(result)
    return "".join(text for _, text in result.errors)


# A whole test suite

PROJECT_TESTS = """
from django.core.files.base import ContentFile
from django.test import SimpleTestCase
from smart_storages.storages import MediaStorage
from smart_storages.testing import assert_saved, assert_url_signed, override_buckets
from smart_storages.utils import create_storage_class

media = MediaStorage()

@override_buckets()
class Tests(SimpleTestCase):
    def test_files(self):
        name = media.save("a.txt", ContentFile(b"hello"))
        assert_saved("media", name, b"hello", content_type="text/plain")
        assert_url_signed(media.url(name))
        tenant = create_storage_class("tenant_x")()
        assert media.copy(name, "b.txt", to=tenant) == "b.txt"
        assert [each for each, _ in tenant.iter_files()] == ["b.txt", "media/a.txt"]
        media.delete_many([name])
        assert media.save_many([("c.txt", ContentFile(b"c"))]) == ["c.txt"]
"""

PROJECT = """
import sys
from django.conf import settings
settings.configure(
    INSTALLED_APPS=["smart_storages"], SECRET_KEY="x", AWS_STORAGE_BUCKET_NAME="acme",
)
import django
django.setup()
from django.test.utils import get_runner
failures = get_runner(settings)(verbosity=0).run_tests([TESTS])
sys.exit(bool(failures))
"""


def run_project(tmp_path, tests):
    (tmp_path / "project_tests.py").write_text(tests)
    environment = {**os.environ, **set_trap(tmp_path)}
    path = os.pathsep.join([str(tmp_path), str(ROOT), environment.get("PYTHONPATH", "")])
    return subprocess.run(
        [sys.executable, "-c", PROJECT.replace("TESTS", "'project_tests'")],
        cwd=tmp_path,
        env={**environment, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_tests_of_a_project_open_no_socket(tmp_path):
    done = run_project(tmp_path, PROJECT_TESTS)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Ran 1 test" in done.stderr


def test_without_it_they_would(tmp_path):
    tests = PROJECT_TESTS.replace("@override_buckets()\n", "")
    assert run_project(tmp_path, tests).returncode == CAUGHT


def test_a_ready_made_storage_follows():
    media = MediaStorage()
    with override_buckets():
        media.save("a.txt", ContentFile(b"x"))
        assert_saved("media", "a.txt")


def test_a_module_of_a_directory_is_overridden_too(settings, tmp_path):
    settings.SMART_STORAGE_BUCKETS = {
        "documents": {"backend": "filesystem", "root": tmp_path, "base_url": "/files/"}
    }
    with override_buckets():
        save()
        assert FIELD.storage.url("a.txt").startswith("/buckets/")
    assert list(tmp_path.iterdir()) == []


def test_given_keys_replace_all_credentials_of_a_module(settings):
    settings.SMART_STORAGE_BUCKETS = {
        "documents": {"bucket_name": "acme", "session_profile": "production"},
    }
    with override_buckets("s3", access_key="key", secret_key="secret"):
        assert FIELD.storage.session_profile is None
        assert FIELD.storage.access_key == "key"


def test_a_storage_first_used_within_a_block_follows_its_end():
    with override_buckets():
        made = DocumentStorage()
        assert not made.is_in_s3
    assert made.is_in_s3
