from __future__ import annotations

import json
import uuid
from typing import Any, Dict, List

import pytest
import urllib3
from botocore.exceptions import ClientError
from django.test import override_settings

from tests.management.calls import Answer, call
from tests.servers import CephGateway, S3Server

pytestmark = pytest.mark.real_s3

ORIGIN = "https://www.example.com"


@pytest.fixture
def name() -> str:
    return f"made-{uuid.uuid4().hex[:12]}"


def entry(server: S3Server, bucket: str, **more: Any) -> Dict[str, Any]:
    return {
        "bucket_name": bucket,
        "endpoint_url": server.endpoint_url,
        "access_key": server.access_key,
        "secret_key": server.secret_key,
        "provider": server.name,
        **more,
    }


def run(entries: Dict[str, Any], *arguments: str) -> Answer:
    with override_settings(SMART_STORAGE_BUCKETS=entries, STORAGES={}):
        return call(*arguments)


def statuses(answer: Answer) -> Dict[str, str]:
    return {each["what"]: each["status"] for each in answer.json[0]["changes"]}


def test_a_bucket_is_made_that_passes_the_check(ceph: S3Server, name: str) -> None:
    entries = {"media": entry(ceph, name, querystring_auth=False)}
    made = run(entries, "create", "media", "--json", "--origin", ORIGIN)
    assert made.code == 0, made.out
    assert statuses(made) == {
        f"the bucket {name}": "done",
        "block of public access": "done",
        # Ceph 16 has no encryption by default.
        "encryption": "not supported",
        "removal of incomplete uploads after 7 days": "done",
        f"CORS for {ORIGIN}": "done",
        "policy that lets anybody read public files": "done",
    }
    checked = run(entries, "check", "media", "--json", "--origin", ORIGIN)
    assert checked.code == 0, [e for e in checked.json[0]["findings"] if e["status"] == "failed"]
    found = {each["step"]: each["status"] for each in checked.json[0]["findings"]}
    assert (found["public"], found["cors"]) == ("ok", "ok")


def test_a_second_time_nothing_is_left_to_do(ceph: S3Server, name: str) -> None:
    entries = {"media": entry(ceph, name, querystring_auth=False)}
    for expected in ({"done", "not supported"}, {"ok", "not supported"}):
        answer = run(entries, "create", "--json", "--origin", ORIGIN, "--versioning")
        assert {*statuses(answer).values()} == expected
    answer = run(entries, "create", "--dry-run", "--json", "--origin", ORIGIN)
    # Whether the server knows it is seen when it is asked for it.
    assert [what for what, status in statuses(answer).items() if status != "ok"] == ["encryption"]


def test_a_dry_run_changes_nothing(ceph: S3Server, name: str) -> None:
    entries = {"media": entry(ceph, name)}
    answer = run(entries, "create", "media", "--dry-run")
    assert answer.code == 0
    assert f"pending       the bucket {name}" in answer.out
    assert "nothing was changed" in answer.out
    with pytest.raises(ClientError):
        ceph.client().head_bucket(Bucket=name)
    bucket = ceph.create_bucket()
    answer = run({"media": entry(ceph, bucket)}, "create", "--dry-run", "--json", "--versioning")
    assert statuses(answer)["versioning"] == "pending"
    assert "Status" not in ceph.client().get_bucket_versioning(Bucket=bucket)


def test_public_access_is_blocked_unless_a_module_of_the_bucket_needs_it(
    ceph: S3Server, name: str
) -> None:
    def flags() -> List[bool]:
        block = ceph.client().get_public_access_block(Bucket=name)
        block = block["PublicAccessBlockConfiguration"]
        return [block["IgnorePublicAcls"], block["BlockPublicPolicy"]]

    private = {"documents": entry(ceph, name, location="d/")}
    run(private, "create")
    assert flags() == [True, True]
    shared = {**private, "media": entry(ceph, name, location="m/", default_acl="public-read")}
    run(shared, "create", "documents")
    assert flags() == [False, True]
    by_policy = {**private, "media": entry(ceph, name, location="m/", querystring_auth=False)}
    run(by_policy, "create", "documents")
    assert flags() == [True, False]
    behind_cdn = {"media": entry(ceph, name, custom_domain="files.example.com")}
    run(behind_cdn, "create")
    assert flags() == [True, True]
    with_acl = {"media": {**behind_cdn["media"], "default_acl": "public-read"}}
    run(with_acl, "create")
    assert flags() == [False, True]


def test_what_somebody_else_set_stays(ceph: S3Server) -> None:
    bucket, client = ceph.create_bucket(), ceph.client()
    arn = f"arn:aws:s3:::{bucket}/*"
    theirs = {"Sid": "Theirs", "Effect": "Deny", "Principal": "*", "Action": "s3:PutObject"}
    policy = {"Version": "2012-10-17", "Statement": [{**theirs, "Resource": f"{arn[:-1]}locked/*"}]}
    client.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))
    rule = {"AllowedMethods": ["GET"], "AllowedOrigins": ["https://other.example.com"]}
    client.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": [rule]})
    expiry = {"ID": "theirs", "Status": "Enabled", "Prefix": "tmp/", "Expiration": {"Days": 3}}
    client.put_bucket_lifecycle_configuration(
        Bucket=bucket, LifecycleConfiguration={"Rules": [expiry]}
    )
    entries = {"media": entry(ceph, bucket, querystring_auth=False)}
    answer = run(entries, "create", "--origin", ORIGIN)
    assert answer.code == 0, answer.out
    statements = json.loads(client.get_bucket_policy(Bucket=bucket)["Policy"])["Statement"]
    assert [each["Sid"] for each in statements] == ["Theirs", "MediaPublic"]
    assert len(client.get_bucket_cors(Bucket=bucket)["CORSRules"]) == 2
    rules = client.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    assert {each["ID"] for each in rules} == {"theirs", "abort-incomplete-uploads"}


@pytest.mark.parametrize("headers", [None, ["content-type"], ["*"]], ids=str)
def test_a_browser_may_send_the_parts_of_an_upload(ceph: S3Server, headers: Any) -> None:
    bucket, client = ceph.create_bucket(), ceph.client()
    rule: Any = {"AllowedMethods": ["PUT", "POST"], "AllowedOrigins": [ORIGIN]}
    if headers:
        rule["AllowedHeaders"] = headers
    client.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": [rule]})
    assert run({"media": entry(ceph, bucket)}, "create", "--origin", ORIGIN).code == 0
    expected = 1 if headers == ["*"] else 2  # the rule that was there may be enough
    assert len(client.get_bucket_cors(Bucket=bucket)["CORSRules"]) == expected
    asked = {
        "Origin": ORIGIN,
        "Access-Control-Request-Method": "PUT",
        "Access-Control-Request-Headers": "content-type,x-amz-content-sha256",
    }
    url = f"{ceph.endpoint_url}/{bucket}/film.mp4?partNumber=1&uploadId=2~abc"
    answer = urllib3.request("OPTIONS", url, headers=asked)
    assert answer.status == 200
    assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
    asked["Origin"] = "https://evil.example.com"
    assert urllib3.request("OPTIONS", url, headers=asked).status == 403


def test_a_bucket_of_somebody_else_is_left_alone_with_the_action_that_lacks(
    ceph_gateway: CephGateway,
) -> None:
    bucket = ceph_gateway.server.create_bucket()
    answer = run({"media": entry(ceph_gateway.create_user(), bucket)}, "create")
    assert answer.code == 1
    assert "failed        the bucket" in answer.out
    assert "s3:ListBucket" in answer.out


#: What Ceph asks for; of the rest, encryption among them, it knows no rights.
_ASKED_FOR = (
    "s3:ListBucket",
    "s3:PutBucketPublicAccessBlock",
    "s3:GetBucketVersioning",
    "s3:PutBucketVersioning",
    "s3:GetLifecycleConfiguration",
    "s3:PutLifecycleConfiguration",
    "s3:GetBucketCORS",
    "s3:PutBucketCORS",
    "s3:GetBucketPolicy",
    "s3:PutBucketPolicy",
)


def test_each_right_that_lacks_is_named_and_is_in_the_policy_of_whoever_deploys(
    ceph_gateway: CephGateway,
) -> None:
    owner, user = ceph_gateway.server, f"deploys-{uuid.uuid4().hex[:8]}"
    server, principal = ceph_gateway.create_user(user), {"AWS": [f"arn:aws:iam:::user/{user}"]}
    wrong = []
    for action in _ASKED_FOR:
        bucket = owner.create_bucket()
        arn = f"arn:aws:s3:::{bucket}"
        common = {"Principal": principal, "Resource": [arn, f"{arn}/*"]}
        policy = {
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Allow", "Action": "s3:*", **common},
                {"Effect": "Deny", "Action": action, **common},
            ],
        }
        owner.client().put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))
        entries = {"media": entry(server, bucket, querystring_auth=False)}
        answer = run(entries, "create", "--versioning", "--origin", ORIGIN)
        if answer.code != 1 or f'"{action}"' not in answer.out:
            wrong.append((action, answer.out))
    assert wrong == []
    # On AWS; of Ceph, no versions are asked for unless somebody wants them.
    entries = {"media": {"bucket_name": "acme", "querystring_auth": False}}
    answer = run(entries, "policy", "--create", "--origin", ORIGIN)
    [statement] = json.loads(answer.out)["Statement"]
    assert {*_ASKED_FOR, "s3:CreateBucket", "s3:PutEncryptionConfiguration"} < {
        *statement["Action"]
    }
    assert statement["Resource"] == "arn:aws:s3:::acme"


def test_the_others_are_made_where_one_cannot_be_asked_for(ceph: S3Server, name: str) -> None:
    entries = {
        "pii": {"bucket_name": f"{name}-pii", "session_profile": "no-such-profile"},
        "away": entry(ceph, f"{name}-away", endpoint_url="http://127.0.0.1:9"),
        "media": entry(ceph, name),
    }
    answer = run(entries, "create")
    assert answer.code == 1
    assert "no-such-profile" in answer.out
    assert "S3 did not answer" in answer.out
    assert f"done          the bucket {name}\n" in answer.out


def test_on_ceph_versioning_is_left_out_since_conditions_would_be_ignored(
    ceph: S3Server, name: str
) -> None:
    entries = {"media": entry(ceph, name)}
    assert "versioning" not in statuses(run(entries, "create", "--json"))
    assert "versioning" in statuses(run(entries, "create", "--json", "--versioning"))


def test_a_region_is_a_constraint_where_the_server_wants_one(
    moto_server: S3Server, name: str
) -> None:
    there = entry(moto_server, name, region_name="eu-central-1", addressing_style="path")
    for provider in ("aws", "moto"):
        bucket = f"{name}-{provider}"
        answer = run({"media": {**there, "bucket_name": bucket, "provider": provider}}, "create")
        assert answer.code == 0, answer
        found = moto_server.client().get_bucket_location(Bucket=bucket)["LocationConstraint"]
        assert found == "eu-central-1"


def test_a_region_is_no_constraint_where_the_server_refuses_it(ceph: S3Server, name: str) -> None:
    for provider in ("aws", "ceph"):
        there = entry(ceph, f"{name}-{provider}", region_name="eu-central-1")
        answer = run({"media": {**there, "provider": provider}}, "create")
        assert "done          the bucket" in answer.out, answer


def test_encryption_and_versions_where_the_server_knows_them(
    moto_server: S3Server, name: str
) -> None:
    answer = run({"media": entry(moto_server, name)}, "create", "--json")
    assert statuses(answer)["versioning"] == "done"
    assert moto_server.client().get_bucket_versioning(Bucket=name)["Status"] == "Enabled"
    answer = run({"media": entry(moto_server, name)}, "create", "--json")
    assert {*statuses(answer).values()} == {"ok"}


def test_a_pattern_has_no_bucket_of_its_own(ceph: S3Server) -> None:
    answer = run({"tenant_*": entry(ceph, "acme-{module}")}, "create")
    assert answer.code == 0
    assert "tenant_*: a pattern" in answer.err


def test_a_private_bucket_that_was_made_passes_the_check_too(ceph: S3Server, name: str) -> None:
    entries = {"documents": entry(ceph, name)}
    assert run(entries, "create").code == 0
    answer = run(entries, "check")
    assert answer.code == 0, answer.out
