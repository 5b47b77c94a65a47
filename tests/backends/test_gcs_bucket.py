"""Buckets of Google Cloud Storage are made and opened: answers as Google documents them.

- https://cloud.google.com/storage/docs/json_api/v1/buckets/insert
- https://cloud.google.com/storage/docs/json_api/v1/buckets/setIamPolicy
"""

from __future__ import annotations

import json
import threading
from typing import Any, Dict, Optional

import pytest
from django.test import override_settings

from smart_storages.backends import gcs, gcs_requests
from smart_storages.exceptions import AccessDeniedError, ConfigurationError, S3Error
from tests.backends.test_gcs_protocol import ANYBODY, Script, Told
from tests.management.calls import call

READER = {"role": "roles/storage.legacyObjectReader", "members": ["allUsers"]}
OWNER = {"role": "roles/storage.legacyBucketOwner", "members": ["projectOwner:acme"]}
BUCKET = "/storage/v1/b/acme"


def told(status: int, value: Any = None) -> Told:
    return Told(status, {"Content-Type": "application/json"}, json.dumps(value).encode())


def refusal(status: int, reason: str, message: str = "No.") -> Told:
    each = {"domain": "global", "reason": reason, "message": message}
    return told(status, {"error": {"code": status, "message": message, "errors": [each]}})


class Google(Script):
    """Knows one name of a bucket, its configuration and its policy."""

    def __init__(self) -> None:
        super().__init__()
        self.decide = self.act
        self.bucket: Optional[Dict[str, Any]] = None
        self.policy: Dict[str, Any] = {"version": 3, "etag": "CAE=", "bindings": [OWNER]}
        #: How often somebody else changes the policy before a change of it arrives.
        self.others = 0

    def act(self, asked: Any) -> Told:
        body = json.loads(asked.body or b"null")
        if asked.path == "/storage/v1/b":
            if self.bucket is not None:
                return refusal(409, "conflict")
            self.bucket = body
            return told(200, body)
        if self.bucket is None:
            return refusal(404, "notFound", "The specified bucket does not exist.")
        if asked.path == BUCKET:
            if asked.method == "PATCH":
                for name, value in body["iamConfiguration"].items():
                    self.bucket.setdefault("iamConfiguration", {})[name] = value
            return told(200, self.bucket)
        assert asked.path == f"{BUCKET}/iam"
        if asked.method == "PUT":
            if self.others:
                self.others -= 1
                self.policy = {**self.policy, "etag": f"CAE{self.others}"}
            if body["etag"] != self.policy["etag"]:
                return refusal(412, "conditionNotMet")
            self.policy = body
        else:
            assert asked.query == {"optionsRequestedPolicyVersion": "3"}
        return told(200, self.policy)


@pytest.fixture
def google(monkeypatch):
    monkeypatch.setattr("smart_storages.common.on_loop.sleep", lambda seconds: None)
    server = Google()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def make_store(google, project="press"):
    connection = gcs_requests.connection_of({"credentials": ANYBODY}, google.url)
    return gcs.GoogleStore(connection, "acme", project=project)


@pytest.fixture
def store(google):
    return make_store(google)


def meet(store, **wanted):
    done = []
    for need in store.needs(**wanted):
        if not need.is_met():
            need.meet()
            assert need.is_met()
            done.append(need.what)
    return done


def test_a_private_bucket_is_made_that_nobody_can_open_by_mistake(store, google):
    assert meet(store, is_public=False) == ["the bucket acme"]
    assert google.bucket == {
        "name": "acme",
        "iamConfiguration": {
            "uniformBucketLevelAccess": {"enabled": True},
            "publicAccessPrevention": "enforced",
        },
    }
    [made] = [asked for asked in google.asked if asked.method == "POST"]
    assert made.query == {"project": "press"}
    assert meet(store, is_public=False) == []


def test_a_public_bucket_may_be_read_by_anybody_and_listed_by_nobody(store, google):
    done = meet(store, is_public=True)
    assert done == ["the bucket acme", "permission for anybody to read its objects"]
    assert google.policy["bindings"] == [OWNER, READER]
    assert google.bucket["iamConfiguration"]["publicAccessPrevention"] == "inherited"
    assert meet(store, is_public=True) == []


def test_a_bucket_for_files_with_acls_of_their_own_allows_acls(store, google):
    assert meet(store, is_public=True, by_acl=True) == ["the bucket acme"]
    assert not google.bucket["iamConfiguration"]["uniformBucketLevelAccess"]["enabled"]
    assert google.policy["bindings"] == [OWNER]


@pytest.mark.parametrize("by_acl", [True, False])
def test_a_bucket_that_was_private_is_opened(store, google, by_acl):
    meet(store, is_public=False)
    assert len(meet(store, is_public=True, by_acl=by_acl)) == 1
    found = google.bucket["iamConfiguration"]
    assert found["publicAccessPrevention"] == "inherited"
    assert found["uniformBucketLevelAccess"]["enabled"] == (not by_acl)
    assert (READER in google.policy["bindings"]) == (not by_acl)


def test_a_binding_with_a_condition_does_not_open_the_whole_bucket(store, google):
    condition = {"expression": "resource.name.startsWith('a/')", "title": "a"}
    google.policy["bindings"] = [{**READER, "condition": condition}]
    assert len(meet(store, is_public=True)) == 2
    assert google.policy["bindings"] == [{**READER, "condition": condition}, READER]
    assert google.policy["version"] == 3


def test_a_policy_that_somebody_else_changes_meanwhile_is_read_again(store, google):
    google.others = 2
    assert len(meet(store, is_public=True)) == 2
    assert google.policy["bindings"] == [OWNER, READER]
    google.policy["bindings"], google.others = [OWNER], 3
    with pytest.raises(S3Error, match="somebody else changes its policy"):
        meet(store, is_public=True)
    assert google.policy["bindings"] == [OWNER]


def test_a_bucket_that_somebody_else_makes_at_the_same_time_is_fine(store, google):
    [need] = store.needs(is_public=False)
    google.bucket = {"name": "acme"}
    need.meet()
    assert google.bucket == {"name": "acme"}


def test_a_name_that_belongs_to_somebody_else_is_told(store, google):
    [need] = store.needs(is_public=False)
    google.decide = lambda asked: refusal(409 if asked.method == "POST" else 403, "forbidden")
    for ask in (need.is_met, need.meet):
        with pytest.raises(AccessDeniedError):
            ask()


def test_a_bucket_without_a_project_is_not_made(google, monkeypatch):
    monkeypatch.delenv("GOOGLE_CLOUD_PROJECT", raising=False)
    store = make_store(google, project=None)
    [need] = store.needs(is_public=False)
    with pytest.raises(ConfigurationError, match="GS_PROJECT_ID or GOOGLE_CLOUD_PROJECT"):
        need.meet()
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "press")
    need.meet()
    assert google.asked[-1].query == {"project": "press"}


def test_a_server_without_policies_is_told(request):
    server = request.getfixturevalue("gcs")
    connection = gcs_requests.connection_of(server.options, server.endpoint_url)
    store = gcs.GoogleStore(connection, server.create_bucket())
    with pytest.raises(S3Error, match="Emulators have none"):
        store.needs(is_public=True)[1].is_met()


def test_public_and_private_modules_share_a_bucket_by_their_acls(google):
    entry = {
        "backend": "gcs",
        "bucket_name": "acme",
        "credentials": ANYBODY,
        "endpoint_url": google.url,
        "project_id": "press",
    }
    public = {**entry, "location": "public"}
    for more, status in (
        ({"default_acl": "public-read"}, "ok"),
        ({"querystring_auth": False}, "not supported"),
    ):
        google.bucket = None
        modules = {"docs": entry, "papers": {**public, **more}}
        with override_settings(SMART_STORAGE_BUCKETS=modules, STORAGES={}):
            answer = call("create", "--json")
        first, second, *_ = answer.json[0]["changes"]
        assert (answer.code, first["status"], second["status"]) == (0, "done", status)
        assert READER not in google.policy["bindings"]
        prevention = google.bucket["iamConfiguration"]["publicAccessPrevention"]
        assert prevention == ("inherited" if status == "ok" else "enforced")
