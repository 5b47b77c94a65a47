"""Django's debug page shows every local variable of every frame; none of ours is a secret."""

import sys

import pytest
from botocore.config import Config
from django.core.files.base import ContentFile
from django.test import override_settings
from django.views.debug import ExceptionReporter

from smart_storages.storages import SmartS3Storage
from smart_storages.utils import create_storage_class

ONCE = Config(retries={"max_attempts": 0})

# Not a literal: the page shows source lines as well, and those are ours to write.
LEAK = "-".join(["hunter", "2"])

# An access key id is in every signed URL, and in the header that botocore sends.
SECRETS = {"access_key": "AKIDEXAMPLE", "secret_key": f"{LEAK}-secret"}


def report_of(action):
    try:
        action()
    except Exception:
        return ExceptionReporter(None, *sys.exc_info()).get_traceback_html()
    raise AssertionError("nothing was raised")


@pytest.mark.parametrize(
    "action",
    [
        lambda: SmartS3Storage("m", nonsense=1, **_from_settings("m")),
        lambda: SmartS3Storage("m").save("../a", ContentFile(b"x")),
        lambda: SmartS3Storage("m").exists("a.txt"),
        lambda: SmartS3Storage("m", endpoint_url="http://local host:1").exists("a.txt"),
        lambda: SmartS3Storage("half").url("a.txt"),
        lambda: SmartS3Storage("broken callable").url("a.txt"),
        lambda: SmartS3Storage("late callable").url("a.txt"),
        lambda: SmartS3Storage("cdn").url("a.txt"),
        lambda: SmartS3Storage("token").exists("a.txt"),
        lambda: SmartS3Storage("token").save("a.txt", ContentFile(b"x")),
        lambda: SmartS3Storage("token").open("a.txt"),
        lambda: create_storage_class("m", nonsense=1, **_from_settings("m")),
    ],
    ids=[
        "argument",
        "name",
        "request",
        "client",
        "half a set",
        "callable",
        "expiry",
        "cloudfront",
        "head",
        "put",
        "get",
        "factory",
    ],
)
@pytest.mark.parametrize("debug", [True, False])
def test_no_secret_is_on_the_page(action, debug):
    buckets = {
        # A closed port of loopback: the request itself fails, deep within botocore.
        "m": {
            "bucket_name": "acme",
            "endpoint_url": "http://127.0.0.1:9",
            "client_config": ONCE,
            **SECRETS,
        },
        "half": {"bucket_name": "acme", "secret_key": SECRETS["secret_key"]},
    }
    buckets["token"] = {**buckets["m"], "security_token": f"{LEAK}-token"}
    buckets["cdn"] = {"cloudfront_key_id": "K1", "cloudfront_key": LEAK, "custom_domain": "a.b"}
    late = {**SECRETS, "security_token": LEAK, "expiry": "tomorrow"}
    for name, answer in (("broken", {"secret_key": LEAK}), ("late", late)):
        buckets[f"{name} callable"] = {"bucket_name": "acme", "credentials": _supplier(answer)}
    with override_settings(
        DEBUG=debug, SMART_STORAGE_BUCKETS=buckets, AWS_S3_REGION_NAME="eu-west-1"
    ):
        page = report_of(action)
    found = page.find(LEAK)
    assert found < 0, page[max(found - 300, 0) : found + 50]


def _supplier(answer):
    # Its repr, which is among the settings on the page, does not show what it closes over.
    return lambda: dict(answer)


def _from_settings(module):
    # As a project would: without a literal in its source, which the page shows too.
    from smart_storages.config import get_bucket_config

    entry = get_bucket_config(module)
    return {name: entry[name] for name in SECRETS}
