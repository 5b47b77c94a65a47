"""Pages of thumbnails of easy-thumbnails and django-filer, with their requests counted."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("easy_thumbnails")
pytest.importorskip("filer")

pytestmark = pytest.mark.one_server


@pytest.fixture
def start_page(s3_bucket, s3_proxy, request):
    def start(app, seconds):
        server = {
            **s3_bucket.server.django_settings(),
            "AWS_S3_ENDPOINT_URL": s3_proxy.endpoint_url,
        }
        order = {
            "app": app,
            "bucket": s3_bucket.name,
            "provider": s3_bucket.server.name,
            "seconds": seconds,
            "settings": server,
        }
        child = subprocess.Popen(
            [
                sys.executable,
                "-W",
                "ignore",
                "-m",  # by its path, the folder tests/storages would stand for django-storages
                "tests.thumbnails_page",
                json.dumps(order),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=str(Path(__file__).parents[1]),
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
        )
        request.addfinalizer(child.stdout.close)
        request.addfinalizer(child.wait)
        request.addfinalizer(child.stdin.close)

        def run(step):
            """Have the page do something; return the methods of its requests."""
            with s3_proxy.recording() as requests:
                child.stdin.write(f"{step}\n")
                child.stdin.flush()
                assert child.stdout.readline() == "done\n"
            return [request.method for request in requests]

        return run

    return start


@pytest.mark.slow
@pytest.mark.parametrize("app", ["easy-thumbnails", "django-filer"])
def test_a_page_of_100_thumbnails_asks_nothing_the_second_time(start_page, app):
    run = start_page(app, seconds=300)
    run("upload")
    first = run("render")
    assert first.count("PUT") == 100
    assert run("render") == []
    # Also where the app's own table of thumbnails has to be filled anew.
    run("forget")
    assert run("render") == []


@pytest.mark.slow
@pytest.mark.parametrize("app", ["easy-thumbnails", "django-filer"])
def test_without_the_cache_the_same_page_asks(start_page, app):
    run = start_page(app, seconds=0)
    run("upload")
    run("render")
    run("forget")
    assert run("render").count("HEAD") >= 100
