"""Django's collectstatic with the storages of static files: requests, results, what fails."""

import copy
import gc
import gzip
import hashlib
import io
import json
import mimetypes
import os
import pickle
import re
import threading
from pathlib import Path

import brotli
import django
import pytest
from boto3.s3.transfer import TransferConfig
from django.contrib.staticfiles.storage import (
    ManifestFilesMixin,
    ManifestStaticFilesStorage,
    StaticFilesStorage,
)
from django.core.management import CommandError, call_command
from django.utils.functional import LazyObject

from smart_storages.exceptions import ConfigurationError, ContentMismatchError, S3Error
from smart_storages.mirror import MirrorStorage
from smart_storages.storages import ManifestStaticStorage, StaticStorage
from tests.conftest import methods


class Site:
    """A project with static files, and its ``collectstatic``."""

    def __init__(self, folder: Path, provider: str) -> None:
        self.folder = folder
        self.root = folder.parent / "root"
        self.provider = provider

    def put(self, name, content):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())

    def age(self, name, seconds):
        """Make a source file look newer by so many seconds, as a checkout does."""
        status = os.stat(str(self.folder / name))
        os.utime(str(self.folder / name), (status.st_atime, status.st_mtime + seconds))

    def storage(self, kind=StaticStorage, **options):
        return kind(provider=self.provider, **options)

    def collect(self, storage, **options):
        from django.contrib.staticfiles.management.commands import collectstatic

        command = collectstatic.Command()
        command.storage = storage
        out = io.StringIO()
        call_command(command, interactive=False, stdout=out, stderr=out, **options)
        return out.getvalue().strip()


@pytest.fixture
def site(tmp_path, settings, s3_bucket, s3_settings):
    settings.INSTALLED_APPS = [*settings.INSTALLED_APPS, "django.contrib.staticfiles"]
    settings.STATICFILES_DIRS = [str(tmp_path / "static")]
    settings.STATICFILES_FINDERS = ["django.contrib.staticfiles.finders.FileSystemFinder"]
    settings.STATIC_ROOT = str(tmp_path / "root")
    settings.STATIC_URL = "/static/"
    (tmp_path / "static").mkdir()
    return Site(tmp_path / "static", s3_bucket.server.name)


def uploads(requests):
    return sorted(
        request.path.partition("/static/")[2] for request in requests if request.method == "PUT"
    )


def described(bucket, key):
    return bucket.client.head_object(Bucket=bucket.name, Key=key)


class TestRequests:
    def test_files_are_listed_once_and_uploaded_if_their_content_changed(
        self, site, s3_bucket, s3_proxy, count_requests
    ):
        names = [f"folder{number % 7}/{number}.txt" for number in range(60)]
        for name in names:
            site.put(name, name)
        with count_requests() as requests:
            told = site.collect(site.storage())
        assert methods(requests[:1]) == ["GET"]
        assert uploads(requests) == sorted(names)
        assert len(requests) == 1 + len(names)
        assert told == "60 static files copied."
        assert s3_proxy.peak_in_flight > 4
        assert s3_bucket.keys() == sorted(f"static/{name}" for name in names)
        # A checkout gives all files a new time; two have a new content, one of the same size.
        for name in names:
            site.age(name, 1000)
        site.put(names[3], "longer than it was")
        site.put(names[4], names[4].swapcase())
        with count_requests() as requests:
            told = site.collect(site.storage(), dry_run=True, verbosity=2)
        assert methods(requests) == ["GET"]
        assert told.count("Pretending to copy") == 2
        with count_requests() as requests:
            told = site.collect(site.storage())
        assert methods(requests) == ["GET", "PUT", "PUT"]
        assert uploads(requests) == sorted(names[3:5])
        assert told == "2 static files copied, 58 unmodified."
        assert s3_bucket.get(f"static/{names[4]}").decode() == names[4].swapcase()
        with count_requests() as requests:
            told = site.collect(site.storage())
        assert methods(requests) == ["GET"]
        assert sum(request.body_up for request in requests) == 0
        assert told == "0 static files copied, 60 unmodified."

    def test_a_manifest_costs_no_request_a_file(self, site, s3_bucket, s3_proxy, count_requests):
        for number in range(30):
            site.put(f"img/{number}.png", f"png{number}")
            site.put(
                f"css/{number}.css", f"a {{ background: url(../img/{number}.png) }} /* {number} */"
            )
        with count_requests() as requests:
            told = site.collect(site.storage(ManifestStaticStorage))
        assert told.startswith("60 static files copied")
        assert methods(requests) == ["GET"] + ["PUT"] * 121
        assert requests[-1].path.endswith("/static/staticfiles.json")
        with count_requests() as requests:
            told = site.collect(site.storage(ManifestStaticStorage))
        assert methods(requests) == ["GET"]
        assert told.startswith("0 static files copied, 60 unmodified")
        # A picture changes: itself, the style sheet that names it, and the manifest.
        site.put("img/7.png", "another")
        with count_requests() as requests:
            site.collect(site.storage(ManifestStaticStorage))
        assert methods(requests) == ["GET"] + ["PUT"] * 4
        assert [re.sub("[0-9a-f]{12}", "HASH", name) for name in uploads(requests)] == [
            "css/7.HASH.css",
            "img/7.HASH.png",
            "img/7.png",
            "staticfiles.json",
        ]


class WithModules(ManifestStaticStorage):
    support_js_module_import_aggregation = True


class OnDiskWithModules(ManifestStaticFilesStorage):
    support_js_module_import_aggregation = True


class MixedIn(ManifestFilesMixin, StaticStorage):
    """How projects have combined the two so far."""


def tree(folder):
    return {
        str(path.relative_to(folder)): hashlib.md5(path.read_bytes()).hexdigest()  # noqa: S324
        for path in Path(folder).rglob("*")
        if path.is_file()
    }


def published(bucket):
    """The MD5 of each file; the ETag of a plain PUT."""
    pages = bucket.client.get_paginator("list_objects_v2").paginate(
        Bucket=bucket.name, Prefix="static/"
    )
    entries = [entry for page in pages for entry in page.get("Contents", ())]
    return {entry["Key"][len("static/") :]: entry["ETag"].strip('"') for entry in entries}


ODD_FILES = {
    "app.css": (
        '@import "theme/dark.css"; @font-face { src: url("f/i.eot?#iefix"), url(f/i.svg#x) }\n'
        "a { background: url('img') } b { background: url(/static/img/a%20b.png) }\n"
        "c { background: url(https://example.com/x.png) } d { background: url(data:x) }\n"
        "/*# sourceMappingURL=app.css.map */\n"
    ),
    "app.css.map": "{}",
    "theme/dark.css": '@import url("../base.css"); i { background: url(../img/a%20b.png) }',
    "base.css": "b { background: url(img/c.png) }",
    "f/i.eot": b"\0eot",
    "f/i.svg": "<svg/>",
    "img/a b.png": b"a b",
    "img/c.png": b"c",
    "empty.txt": b"",
    "ümlaut.txt": "ü",
    "m/a.js": 'import { b } from "./b.js";\nexport { c } from "./c.js";\n',
    "m/b.js": "export const b = 1;\n//# sourceMappingURL=b.js.map\n",
    "m/b.js.map": "{}",
    "m/c.js": 'import "./b.js";\n',
}


def assert_same_result(site, kind, on_disk, bucket):
    told = site.collect(on_disk(location=site.root))
    assert site.collect(site.storage(kind)) == told.replace(f" to '{site.root}'", "")
    expected, found = tree(site.root), published(bucket)
    assert found.keys() == expected.keys()
    if found.pop("staticfiles.json", None):  # before Django 6.1, its order is that of the work
        manifest = json.loads(bucket.get("static/staticfiles.json"))
        assert manifest == json.loads((site.root / "staticfiles.json").read_text("utf-8"))
        assert manifest["paths"]
    assert found == {name: expected[name] for name in found}


class TestResult:
    """Names, contents, the manifest and what the command says: as Django has them on a disk."""

    @pytest.mark.parametrize(
        ("kind", "on_disk"),
        [
            (StaticStorage, StaticFilesStorage),
            (ManifestStaticStorage, ManifestStaticFilesStorage),
            (WithModules, OnDiskWithModules),
            (MixedIn, ManifestStaticFilesStorage),
        ],
    )
    def test_it_is_what_django_puts_on_disk(self, kind, on_disk, site, s3_bucket):
        for name, content in ODD_FILES.items():
            site.put(name, content)
        assert_same_result(site, kind, on_disk, s3_bucket)
        site.put("img/c.png", "changed")
        site.age("img/c.png", 10)
        site.put("new/d.css", "d { background: url(../img) }")
        assert_same_result(site, kind, on_disk, s3_bucket)

    def test_it_is_what_django_puts_on_disk_for_its_admin(self, site, s3_bucket, settings):
        settings.STATICFILES_FINDERS = ["django.contrib.staticfiles.finders.AppDirectoriesFinder"]
        assert_same_result(site, ManifestStaticStorage, ManifestStaticFilesStorage, s3_bucket)
        assert len(published(s3_bucket)) > 200


class TestOptions:
    def test_clear_deletes_the_rest_when_everything_is_there(
        self, site, s3_bucket, s3_proxy, count_requests
    ):
        site.put("a.txt", "a")
        site.put("deep/er/b.txt", "b")
        site.collect(site.storage(ManifestStaticStorage))
        s3_bucket.put("static/deep/er/old.txt", b"old")
        s3_bucket.put("elsewhere/a.txt", b"not a static file")
        site.put("deep/er/b.txt", "changed")
        with count_requests() as requests:
            told = site.collect(site.storage(ManifestStaticStorage), clear=True, dry_run=True)
        assert methods(requests) == ["GET"]
        assert "Pretending to delete" in told or "6 static files deleted" in told
        before = published(s3_bucket)
        with count_requests() as requests:
            site.collect(site.storage(ManifestStaticStorage), clear=True)
        # What stays is written again, with the headers of today, and is never missing.
        assert methods(requests) == ["GET"] + ["PUT"] * 5 + ["POST"]
        assert uploads(requests[:-2])[-1] != "staticfiles.json"
        assert requests[-2].path.endswith("/staticfiles.json")
        after = published(s3_bucket)
        assert sorted(before.keys() - after.keys()) == sorted(
            ["deep/er/old.txt", hashed(before, "deep/er/b")]
        )
        assert s3_bucket.keys("elsewhere") == ["elsewhere/a.txt"]

    def test_clear_leaves_what_other_storages_keep_in_the_bucket(
        self, site, s3_bucket, settings, disk
    ):
        entry = {"bucket_name": s3_bucket.name, "provider": s3_bucket.server.name}
        settings.SMART_STORAGE_BUCKETS = {
            "documents": entry,
            "static": {**entry, "location": ""},
            "tenant_*": {**entry, "location": "tenants/{module}"},
            "wrong": {**entry, "location": 5},
        }
        plain = {**entry, "location": "plain"}
        plain.pop("provider")
        settings.STORAGES = {
            **getattr(settings, "STORAGES", {}),
            "plain": {"BACKEND": "storages.backends.s3.S3Storage", "OPTIONS": plain},
            "wrong": {"BACKEND": "no.such.Storage"},
        }
        theirs = ["documents/a", "plain/b", "tenants/tenant_x/c"]
        for key in [*theirs, "old.css", "documents.css"]:
            s3_bucket.put(key, b"x")
        site.put("new.css", "a{}")
        storage = StaticStorage()
        site.collect(storage, clear=True)
        assert s3_bucket.keys() == sorted([*theirs, "new.css"])

    def test_without_post_processing_there_are_plain_names_and_the_old_manifest(
        self, site, s3_bucket
    ):
        site.put("a.txt", "a")
        site.collect(site.storage(ManifestStaticStorage))
        manifest = s3_bucket.get("static/staticfiles.json")
        site.put("b.txt", "b")
        site.put("c.txt", "c")
        told = site.collect(
            site.storage(ManifestStaticStorage), post_process=False, ignore_patterns=["c.*"]
        )
        assert told == "1 static file copied, 1 unmodified."
        assert [name for name in published(s3_bucket) if name.count(".") == 1] == [
            "a.txt",
            "b.txt",
            "staticfiles.json",
        ]
        assert s3_bucket.get("static/staticfiles.json") == manifest

    def test_a_link_is_refused_as_for_every_remote_storage(self, site):
        site.put("a.txt", "a")
        with pytest.raises(CommandError, match="Can't symlink to a remote destination"):
            site.collect(site.storage(), link=True)

    def test_the_storage_of_the_settings_is_served(self, site, s3_bucket, settings):
        # Behind the lazy object that is Django's staticfiles_storage.
        site.put("a.txt", "a")
        lazy = LazyObject()
        lazy._wrapped = site.storage()
        assert site.collect(lazy) == "1 static file copied."
        assert "post_process" not in vars(lazy._wrapped)

    def test_in_another_storage_it_uploads_one_by_one(self, site, s3_bucket, disk):
        # A mirror has no end of its own at which something could be uploaded.
        site.put("a.txt", "a")
        site.put("b.txt", "b")
        mirror = MirrorStorage(site.storage(), [disk("mirror")])
        assert site.collect(mirror) == "2 static files copied."
        assert sorted(published(s3_bucket)) == ["a.txt", "b.txt"]
        assert disk("mirror").exists("a.txt")


def hashed(names, beginning):
    return next(name for name in names if re.match(f"{beginning}[.][0-9a-f]{{12}}[.]", name))


class TestFailures:
    """Before the manifest is written, the site goes on with the old one; all it names is there."""

    @pytest.fixture
    def deployed(self, site, s3_bucket):
        for number in range(12):
            site.put(f"{number}.txt", f"{number}")
        site.put("app.css", "a { background: url(0.txt) }")
        site.collect(site.storage(ManifestStaticStorage))
        deployed = published(s3_bucket)
        site.put("0.txt", "changed")
        site.put("1.txt", "changed too")
        return deployed

    def assert_old_one_is_whole(self, bucket, deployed):
        now = published(bucket)
        assert now["staticfiles.json"] == deployed["staticfiles.json"]
        manifest = json.loads(bucket.get("static/staticfiles.json"))
        for name in manifest["paths"].values():
            assert now[name] == deployed[name]

    def test_a_failed_upload_fails_the_command(self, site, s3_bucket, s3_proxy, deployed):
        storage = site.storage(ManifestStaticStorage)
        for part in ("staticfiles.json", "app.", "/0.", "/1.txt"):
            s3_proxy.inject(method="PUT", path=part, status=403, times=None)
            with pytest.raises(S3Error, match=r"static/.*"):
                site.collect(storage)
            self.assert_old_one_is_whole(s3_bucket, deployed)
            s3_proxy.reset()
            site.put("0.txt", f"changed again, {part}")
            site.put("1.txt", f"changed again, too, {part}")
        site.collect(storage)
        assert published(s3_bucket)["staticfiles.json"] != deployed["staticfiles.json"]

    def test_a_reference_to_nothing_fails_the_command_and_uploads_nothing(
        self, site, s3_bucket, s3_proxy, deployed, count_requests
    ):
        site.put("broken.css", "a { background: url(none.png) }")
        storage = site.storage(ManifestStaticStorage)
        with count_requests() as requests:
            with pytest.raises((ValueError, CommandError), match=r"none\.png") as error:
                site.collect(storage)
        assert uploads(requests) == []
        assert published(s3_bucket) == deployed
        # What is left of the failed run, here in its traceback, does not end the next one.
        site.put("none.png", "png")
        collected = []

        def hash_name(*args, **kwargs):
            if not collected:
                collected.append(gc.collect())
            return ManifestStaticStorage.hashed_name(storage, *args, **kwargs)

        storage.hashed_name = hash_name
        del error
        site.collect(storage)
        assert collected
        assert "none.png" in published(s3_bucket)

    def test_a_killed_run_leaves_the_old_one_and_the_next_completes_it(
        self, site, s3_bucket, s3_proxy, deployed
    ):
        class Killed(BaseException):
            pass

        class Dying(ManifestStaticStorage):
            saves = 0

            def _upload(self, name, content, **options):
                self.saves += 1
                if self.saves == 3:
                    raise Killed
                return super()._upload(name, content, **options)

        with pytest.raises(Killed):
            site.collect(site.storage(Dying))
        self.assert_old_one_is_whole(s3_bucket, deployed)
        site.collect(site.storage(ManifestStaticStorage))
        fresh = site.storage(ManifestStaticStorage, location="fresh")
        site.collect(fresh)
        assert json.loads(s3_bucket.get("static/staticfiles.json")) == json.loads(
            s3_bucket.get("fresh/staticfiles.json")
        )
        published_now = published(s3_bucket)
        for key in s3_bucket.keys("fresh/"):
            assert s3_bucket.get(key) == s3_bucket.get(f"static/{key[6:]}")
        # Old pages, and the other servers of a deployment, still ask for the old names.
        assert deployed.keys() <= published_now.keys()

    def test_two_deployments_at_once_leave_what_both_manifests_name(
        self, site, s3_bucket, deployed
    ):
        site.put("app.css", "b { background: url(1.txt) }")
        once = threading.Lock()
        manifests = [json.loads(s3_bucket.get("static/staticfiles.json"))]

        class Overtaken(ManifestStaticStorage):
            def _upload(self, name, content, **options):
                if once.acquire(blocking=False):
                    site.put("new.txt", "of the other deployment")
                    site.collect(site.storage(ManifestStaticStorage))
                    manifests.append(json.loads(s3_bucket.get("static/staticfiles.json")))
                return super()._upload(name, content, **options)

        site.collect(site.storage(Overtaken))
        manifests.append(json.loads(s3_bucket.get("static/staticfiles.json")))
        assert ["new.txt" in each["paths"] for each in manifests] == [False, True, False]
        there = published(s3_bucket)
        for manifest in manifests:
            assert set(manifest["paths"].values()) <= set(there)

    def test_a_file_that_changes_meanwhile_is_not_published_under_its_old_hash(
        self, site, s3_bucket
    ):
        site.put("a.txt", "a")

        class Changing(ManifestStaticStorage):
            def post_process(self, *args, **kwargs):
                for processed in super().post_process(*args, **kwargs):
                    yield processed
                    site.put("a.txt", "longer")

        with pytest.raises(ContentMismatchError, match="changed while collectstatic ran"):
            site.collect(site.storage(Changing))
        assert published(s3_bucket) == {}

    def test_after_a_crash_the_storage_answers_from_the_bucket_again(self, site, s3_bucket):
        site.put("a.txt", "a")
        storage = site.storage()

        class BrokenError(Exception):
            pass

        def fail(name, content):
            StaticStorage._save(storage, name, content)
            raise BrokenError

        storage._save = fail
        with pytest.raises(BrokenError):
            site.collect(storage)
        del storage._save
        assert not storage.exists("a.txt")
        assert published(s3_bucket) == {}
        assert site.collect(storage) == "1 static file copied."
        assert storage.exists("a.txt")


CSS = "a { color: red }\n" * 200


class TestHeaders:
    def test_hashed_names_are_kept_by_browsers_for_a_year(self, site, s3_bucket):
        site.put("app.css", "a { background: url(a.png) }")
        site.put("a.png", "png")
        options = {"object_parameters": {"CacheControl": "max-age=60"}}
        site.collect(site.storage(ManifestStaticStorage, **options))
        for name in published(s3_bucket):
            is_hashed = re.search("[.][0-9a-f]{12}[.]", name)
            expected = "max-age=31536000, immutable" if is_hashed else "max-age=60"
            assert described(s3_bucket, f"static/{name}")["CacheControl"] == expected, name

        class Plain(ManifestStaticStorage):
            hashed_cache_control = None

        site.collect(site.storage(Plain, location="plain"))
        for key in s3_bucket.keys("plain/"):
            assert "CacheControl" not in described(s3_bucket, key)

    def test_types_do_not_depend_on_the_machine(self, site, s3_bucket, monkeypatch):
        types = {
            "a.js": "text/javascript",
            "a.mjs": "text/javascript",
            "a.css": "text/css",
            "a.woff2": "font/woff2",
            "a.svg": "image/svg+xml",
            "a.WEBP": "image/webp",
            "a.wasm": "application/wasm",
            "a.css.map": "application/json",
            "b.svgz": "image/svg+xml",
            "a.mine": "application/x-mine",
            "a.unknown": "application/octet-stream",
        }
        monkeypatch.setattr(
            mimetypes,
            "guess_type",
            lambda name, strict=True: {
                "mine": ("application/x-mine", None),
                "svgz": ("image/svg+xml", "gzip"),
            }.get(name.rpartition(".")[2], (None, None)),
        )
        for name in types:
            site.put(name, name)
        site.collect(site.storage())
        found = {name: described(s3_bucket, f"static/{name}") for name in types}
        assert {name: each["ContentType"] for name, each in found.items()} == types
        assert [n for n, each in found.items() if "ContentEncoding" in each] == ["b.svgz"]

        class Chosen(StaticStorage):
            def get_object_parameters(self, name):
                return {"ContentType": "text/x-chosen"} if name.endswith(".js") else {}

        chosen = site.storage(Chosen, location="chosen")
        site.collect(chosen)
        assert described(s3_bucket, "chosen/a.js")["ContentType"] == "text/x-chosen"
        assert described(s3_bucket, "chosen/a.mjs")["ContentType"] == "text/javascript"

    @pytest.mark.parametrize("option", ["gzip", "brotli"])
    def test_texts_are_compressed_and_uploaded_once(self, option, site, s3_bucket, count_requests):
        encoding = {"gzip": "gzip", "brotli": "br"}[option]
        unpack = {"gzip": gzip, "brotli": brotli}[option].decompress
        site.put("app.css", CSS)
        site.put("a.png", "png" * 1000)
        storage = site.storage(ManifestStaticStorage, **{option: True})
        site.collect(storage)
        keys = {name: described(s3_bucket, f"static/{name}") for name in published(s3_bucket)}
        packed = {name for name, each in keys.items() if each.get("ContentEncoding") == encoding}
        assert packed == {"app.css", hashed(keys, "app")}
        assert unpack(s3_bucket.get("static/app.css")).decode() == CSS
        assert len(s3_bucket.get("static/app.css")) < 200
        assert storage.open("app.css").read().decode() == CSS
        # Nothing changed, although the ETag is not the MD5 of the source: one request more.
        site.age("app.css", 100)
        with count_requests() as requests:
            told = site.collect(site.storage(ManifestStaticStorage, **{option: True}))
        assert methods(requests) == ["GET", "GET"]
        assert told.startswith("0 static files copied, 2 unmodified")
        # Another program replaced it: the record knows no such object.
        s3_bucket.put("static/app.css", b"by hand")
        site.put("a.png", "png" * 999)
        with count_requests() as requests:
            site.collect(site.storage(ManifestStaticStorage, **{option: True}))
        assert "app.css" in uploads(requests)
        assert unpack(s3_bucket.get("static/app.css")).decode() == CSS
        # Switched off, texts are uploaded as they are; the record has nothing to say any more.
        site.collect(site.storage(ManifestStaticStorage))
        assert s3_bucket.get("static/app.css").decode() == CSS
        assert ".staticfiles-uploads.json" not in published(s3_bucket)

    def test_a_file_uploaded_in_parts_is_uploaded_once(
        self, site, s3_bucket, s3_proxy, count_requests
    ):
        site.put("film.mp4", os.urandom(6 * 1024**2))
        parts = TransferConfig(multipart_threshold=5 * 1024**2, multipart_chunksize=5 * 1024**2)
        site.collect(site.storage(transfer_config=parts))
        assert "-" in published(s3_bucket)["film.mp4"]
        site.age("film.mp4", 100)
        with count_requests() as requests:
            told = site.collect(site.storage(transfer_config=parts))
        assert methods(requests) == ["GET", "GET"]
        assert told == "0 static files copied, 1 unmodified."
        for damage in (b"{", b'{"version": 2}', b'{"version": 1, "files": {"film.mp4": 1}}', None):
            if damage is None:
                s3_bucket.client.delete_object(
                    Bucket=s3_bucket.name, Key="static/.staticfiles-uploads.json"
                )
            else:
                s3_bucket.put("static/.staticfiles-uploads.json", damage)
            assert site.collect(site.storage(transfer_config=parts)) == "1 static file copied."
        # --clear deletes what is not collected any more; the record is no static file.
        (site.folder / "film.mp4").unlink()
        site.collect(site.storage(transfer_config=parts), clear=True)
        assert published(s3_bucket) == {}


class TestUse:
    """What a running site asks of the storages."""

    def test_with_debug_the_urls_are_those_that_runserver_serves(self, site, settings):
        site.put("a b.css", "a")
        for kind in (StaticStorage, ManifestStaticStorage):
            storage = site.storage(kind, endpoint_url="http://127.0.0.1:9")
            settings.DEBUG = True
            assert storage.url("a b.css") == (
                "/static/a b.css" if kind is ManifestStaticStorage else "/static/a%20b.css"
            )
            settings.STATIC_URL = "https://cdn.example.com/static/"
            assert storage.url("a.css").startswith("http://127.0.0.1:9/")
            settings.STATIC_URL = "/static/"
        settings.DEBUG = False
        assert site.storage().url("a.css").partition("?")[0].endswith("/static/a.css")

    def test_the_manifest_is_read_once_and_late(self, site, s3_bucket, s3_proxy, count_requests):
        site.put("a.txt", "a")
        site.collect(site.storage(ManifestStaticStorage))
        with count_requests() as requests:
            storage = site.storage(ManifestStaticStorage)
            pickle.loads(pickle.dumps(copy.copy(storage)))  # noqa: S301
            assert "http" not in repr(storage)
        assert requests == []
        with count_requests() as requests:
            urls = {storage.url("a.txt") for _ in range(3)}
        assert methods(requests) == ["GET"]
        assert len(urls) == 1
        assert urls.pop().endswith("/static/a.0cc175b9c0f1.txt")
        with pytest.raises(ValueError, match=r"Missing staticfiles manifest entry for 'none\.txt'"):
            storage.url("none.txt")

    def test_the_manifest_may_live_elsewhere(self, site, s3_bucket, disk):
        site.put("a.txt", "a")
        local = disk("manifest")
        if django.VERSION < (4, 0):
            with pytest.raises(ConfigurationError, match="needs Django 4"):
                site.storage(ManifestStaticStorage, manifest_storage=local)
            return
        storage = site.storage(ManifestStaticStorage, manifest_storage=local)
        site.collect(storage)
        assert "staticfiles.json" not in published(s3_bucket)
        assert json.loads(local.open("staticfiles.json").read())["paths"] == {
            "a.txt": "a.0cc175b9c0f1.txt"
        }
        again = site.storage(ManifestStaticStorage, manifest_storage=local)
        assert again.url("a.txt").endswith("/static/a.0cc175b9c0f1.txt")
