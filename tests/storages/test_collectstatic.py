"""Django's collectstatic with the storages of static files: requests, results, what fails."""

import hashlib
import io
import json
import os
import re
from pathlib import Path

import pytest
from django.contrib.staticfiles.storage import (
    ManifestFilesMixin,
    ManifestStaticFilesStorage,
    StaticFilesStorage,
)
from django.core.management import call_command

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
        assert told == "60 static files copied, 60 post-processed."
        assert methods(requests) == ["GET"] + ["PUT"] * 121
        assert requests[-1].path.endswith("/static/staticfiles.json")
        with count_requests() as requests:
            told = site.collect(site.storage(ManifestStaticStorage))
        assert methods(requests) == ["GET"]
        assert told == "0 static files copied, 60 unmodified, 30 post-processed."
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
