from __future__ import annotations

import uuid
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Dict, List

import pytest
from django.test import override_settings

from smart_storages.management.checking import promises
from smart_storages.management.checking.run import step_names
from tests import leaks
from tests.management.calls import Answer, call
from tests.management.checking.broken import BROKEN, Broken, Setup, User
from tests.servers import CephGateway, S3Proxy
from tests.servers.refusing import RefusingServer

pytestmark = pytest.mark.real_s3


@pytest.fixture(scope="module")
def limited(ceph_gateway: CephGateway) -> User:
    name = f"limited-{uuid.uuid4().hex[:8]}"
    return User(name, ceph_gateway.create_user(name))


@pytest.fixture
def setup(ceph_gateway: CephGateway, limited: User, tmp_path: Path) -> Any:
    with ExitStack() as stack:
        yield Setup(ceph_gateway, limited, tmp_path, stack)


def check(options: Dict[str, Any], *arguments: str, **settings: Any) -> Answer:
    buckets = {"media": options}
    with override_settings(**{"SMART_STORAGE_BUCKETS": buckets, "STORAGES": {}, **settings}):
        return call("check", *arguments)


def statuses(answer: Answer) -> Dict[str, str]:
    return {each["step"]: each["status"] for each in answer.json[0]["findings"]}


def find_mistake(case: Broken, setup: Setup) -> str:
    """What a check of a broken set-up does not say; empty if it says all."""
    answer = check(case.make(setup), "media", "--json", *setup.arguments)
    if answer.code != 1:
        return f"exit code {answer.code}: {answer}"
    failed = [each for each in answer.json[0]["findings"] if each["status"] == "failed"]
    named = next((each for each in failed if each["step"] == case.step), None)
    if named is None:
        return f"{case.step} did not fail, but {failed}"
    if case.says not in f"{named['what']} {named['why']}" or case.fix not in named["fix"]:
        return f"it says {named}"
    if case.first and failed[0] is not named:
        return f"it begins with {failed[0]}"
    found = leaks.find_in(answer.out + answer.err)
    return f"it shows {found}" if found or "hunter2" in answer.out + answer.err else ""


@pytest.mark.parametrize("group", BROKEN)
def test_the_fault_of_each_broken_set_up_is_named(
    group: str, ceph_gateway: CephGateway, limited: User, tmp_path: Path
) -> None:
    mistakes: List[str] = []
    for case in BROKEN[group]:
        with ExitStack() as stack:
            setup = Setup(ceph_gateway, limited, tmp_path, stack)
            mistake = find_mistake(case, setup)
        if mistake:
            mistakes.append(f"{case.name}: {mistake}")
    assert not mistakes, "\n".join(mistakes)


def test_a_role_that_cannot_be_assumed_is_named_and_no_right_of_the_bucket(
    setup: Setup, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = "<ErrorResponse><Error><Code>AccessDenied</Code></Error></ErrorResponse>"
    refusal = f"HTTP/1.1 403 Forbidden\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()
    role = "arn:aws:iam::123456789012:role/press"
    with RefusingServer(lambda head: refusal) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", server.endpoint_url)
        options = setup.options(role_arn=role)
        answer = check(options, "media")
        assert (answer.code, answer.out.count("FAILED")) == (1, 1)
        assert "FAILED   credentials    The role of the module cannot be assumed" in answer.out
        assert f'"sts:AssumeRole", "Resource": "{role}"' in answer.out
        assert "s3:ListBucket" not in answer.out
        with override_settings(SMART_STORAGE_BUCKETS={"media": options}, STORAGES={}):
            made = call("create", "media")
    assert made.code == 1
    assert f"The role {role!r} could not be assumed" in made.out
    assert "s3:ListBucket" not in made.out


def test_there_are_many_broken_set_ups() -> None:
    assert sum(map(len, BROKEN.values())) >= 40


def test_a_sound_bucket_passes_every_step_and_keeps_nothing(setup: Setup) -> None:
    rule = {
        "AllowedMethods": ["PUT"],
        "AllowedHeaders": ["*"],
        "AllowedOrigins": ["https://www.example.com"],
    }
    setup.client.put_bucket_cors(Bucket=setup.bucket, CORSConfiguration={"CORSRules": [rule]})
    answer = check(setup.options(), "--json", "--origin", "https://www.example.com")
    assert answer.code == 0
    # Ceph tells nobody the region of a bucket.
    assert statuses(answer) == {
        **dict.fromkeys(step_names()[1:], "ok"),
        "region": "skipped",
    }
    assert answer.json[0]["verdict"].endswith("that fits is 'ceph', which the module has.")
    assert "Contents" not in setup.client.list_objects_v2(Bucket=setup.bucket)
    assert "Uploads" not in setup.client.list_multipart_uploads(Bucket=setup.bucket)


def test_a_person_reads_what_why_and_what_mends_it(setup: Setup) -> None:
    answer = check(setup.options(setup.user.server), "media")
    assert answer.code == 1
    lines = answer.out.splitlines()
    assert lines[0] == (f"media: {setup.bucket}/media/ at {setup.server.endpoint_url}, private")
    start = next(index for index, line in enumerate(lines) if "FAILED   list" in line)
    assert lines[start + 1].startswith("           why: The credentials, or the bucket policy")
    assert lines[start + 2].startswith('           fix: Allow it: {"Effect": "Allow"')
    assert lines[-1] == "Something is wrong with: media."


def test_without_a_provider_the_last_line_says_which_one_to_name(setup: Setup) -> None:
    answer = check({**setup.options(), "provider": None}, "media")
    assert answer.code == 0
    assert "fits is 'ceph'; the module has 'other'. Set 'provider': 'ceph'." in answer.out


def test_old_versions_of_the_temporary_keys_are_removed_as_well(setup: Setup) -> None:
    setup.client.put_bucket_versioning(
        Bucket=setup.bucket, VersioningConfiguration={"Status": "Enabled"}
    )
    check(setup.options(), "media")
    left = setup.client.list_object_versions(Bucket=setup.bucket)
    assert not left.get("Versions")
    assert not left.get("DeleteMarkers")


def test_what_cannot_be_removed_is_named(setup: Setup) -> None:
    answer = check(setup.all_but("s3:DeleteObject"), "media", "--json")
    cleanup = answer.json[0]["findings"][-1]
    assert (cleanup["step"], cleanup["status"]) == ("cleanup", "failed")
    left = [each["Key"] for each in setup.client.list_objects_v2(Bucket=setup.bucket)["Contents"]]
    assert all(key in cleanup["what"] for key in left)


def test_an_interrupted_check_removes_what_it_wrote(
    setup: Setup, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = promises._upload_part

    def interrupted(*arguments: Any) -> Any:
        started(*arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(promises, "_upload_part", interrupted)
    answer = check(setup.options(), "media")
    assert answer.code == 130
    assert "cleanup" in answer.out
    assert answer.err == "Interrupted.\n"
    assert "Contents" not in setup.client.list_objects_v2(Bucket=setup.bucket)
    assert "Uploads" not in setup.client.list_multipart_uploads(Bucket=setup.bucket)


def test_a_module_that_is_only_read_is_not_written_to(setup: Setup) -> None:
    read_only = {
        "BACKEND": "smart_storages.ReadOnlyStorage",
        "OPTIONS": {"inner": "media"},
    }
    setup.client.put_object(Bucket=setup.bucket, Key="media/a.txt", Body=b"0123456789")
    with S3Proxy(setup.server.endpoint_url) as proxy:
        options = setup.options(endpoint_url=proxy.endpoint_url)
        answer = check(options, "media", "--json", STORAGES={"archive": read_only})
    assert answer.code == 0, [
        each for each in answer.json[0]["findings"] if each["status"] == "failed"
    ]
    seen = statuses(answer)
    for step in ("put", "multipart", "upload url", "public write", "delete"):
        assert seen[step] == "skipped", step
    for step in ("list", "get", "range", "head", "public"):
        assert seen[step] == "ok", step
    assert {request.method for request in proxy.requests} == {"GET", "HEAD"}


def test_a_pattern_asks_for_one_of_its_modules(setup: Setup) -> None:
    entries = {"tenant_*": setup.options(location="{module}/")}
    answer = check({}, "--json", SMART_STORAGE_BUCKETS=entries)
    assert answer.code == 0
    assert answer.json[0]["findings"][0]["what"] == (
        "a pattern: check one of its modules, as 'tenant_x'"
    )
    answer = check({}, "tenant_x", "--json", SMART_STORAGE_BUCKETS=entries)
    assert statuses(answer)["delete"] == "ok"


def test_static_files_that_runserver_serves_are_not_asked_for_at_the_bucket(setup: Setup) -> None:
    entries = {"static": setup.options(bucket_name=setup.bucket)}
    with override_settings(DEBUG=True, STATIC_URL="/static/"):
        answer = check({}, "static", "--json", SMART_STORAGE_BUCKETS=entries)
    assert statuses(answer)["url"] == "skipped"
    with override_settings(DEBUG=False, STATIC_URL="/static/"):
        answer = check({}, "static", "--json", SMART_STORAGE_BUCKETS=entries)
    assert statuses(answer)["url"] != "ok"  # the bucket is private


def test_modules_are_checked_one_after_another(setup: Setup) -> None:
    entries = {
        "media": setup.options(default_acl="public-read"),
        "documents": setup.options(bucket_name="no-such-bucket-here"),
    }
    answer = check({}, "--json", SMART_STORAGE_BUCKETS=entries)
    assert [(each["module"], each["fine"]) for each in answer.json] == [
        ("media", True),
        ("documents", False),
    ]
