from __future__ import annotations

import json
from typing import Any, Dict, List

import hcl2
import pytest

from tests import leaks
from tests.management.calls import call

ENTRIES: Dict[str, Any] = {
    "media": {"bucket_name": "acme-media", "location": "m/", "default_acl": "public-read"},
    "press": {"bucket_name": "acme-media", "location": "p/", "querystring_auth": False},
    "archive": {"bucket_name": "acme-old"},
    "tenant_*": {"bucket_name": "acme-{module}", "location": "{module}/"},
    "pii": {"bucket_name": "acme-pii", **leaks.secrets_of_entry()},
    "vault": {
        "bucket_name": "acme-vault",
        "region_name": "us-gov-west-1",
        "object_parameters": {
            "Tagging": "a=b",
            "ServerSideEncryption": "aws:kms",
            "SSEKMSKeyId": "arn:aws-us-gov:kms:us-gov-west-1:1:key/k",
        },
    },
}


@pytest.fixture(autouse=True)
def project(settings: Any) -> Any:
    settings.SMART_STORAGE_BUCKETS = ENTRIES
    settings.STORAGES = {}
    settings.AWS_S3_ACCESS_KEY_ID = "AKIDDEFAULT"
    settings.AWS_S3_SECRET_ACCESS_KEY = leaks.SECRET_KEY
    return settings


def statements(*arguments: str) -> Dict[str, Any]:
    answer = call("policy", *arguments)
    assert answer.code == 0, answer
    return {each["Sid"]: each for each in json.loads(answer.out)["Statement"]}


def test_a_module_gets_what_it_uses_inside_its_location() -> None:
    assert statements("media") == {
        "MediaList": {
            "Sid": "MediaList",
            "Effect": "Allow",
            "Action": "s3:ListBucket",
            "Resource": "arn:aws:s3:::acme-media",
            "Condition": {"StringLikeIfExists": {"s3:prefix": "m/*"}},
        },
        "MediaRead": {
            "Sid": "MediaRead",
            "Effect": "Allow",
            "Action": "s3:GetObject",
            "Resource": "arn:aws:s3:::acme-media/m/*",
        },
        "MediaWrite": {
            "Sid": "MediaWrite",
            "Effect": "Allow",
            "Action": [
                "s3:PutObject",
                "s3:AbortMultipartUpload",
                "s3:ListMultipartUploadParts",
                "s3:PutObjectAcl",
            ],
            "Resource": "arn:aws:s3:::acme-media/m/*",
        },
        "MediaDelete": {
            "Sid": "MediaDelete",
            "Effect": "Allow",
            "Action": "s3:DeleteObject",
            "Resource": "arn:aws:s3:::acme-media/m/*",
        },
    }


def test_a_module_that_is_only_read_gets_no_right_to_write(settings: Any) -> None:
    assert {*statements("archive")} == {
        "ArchiveList", "ArchiveRead", "ArchiveWrite", "ArchiveDelete",
    }  # fmt: skip
    settings.STORAGES = {
        "old": {"BACKEND": "smart_storages.ReadOnlyStorage", "OPTIONS": {"inner": "archive"}}
    }
    assert {*statements("archive")} == {"ArchiveList", "ArchiveRead"}
    settings.STORAGES = {
        "both": {
            "BACKEND": "smart_storages.FallbackStorage",
            "OPTIONS": {"backends": ["media", "archive"], "write_to": ["media"]},
        }
    }
    assert {*statements("archive")} == {"ArchiveList", "ArchiveRead"}


def test_what_a_module_sends_with_its_files_needs_rights_of_its_own() -> None:
    found = statements("vault")
    assert found["VaultKey"]["Action"] == ["kms:Decrypt", "kms:GenerateDataKey"]
    assert "s3:PutObjectTagging" in found["VaultWrite"]["Action"]
    assert found["VaultRead"]["Resource"] == "arn:aws-us-gov:s3:::acme-vault/*"
    assert "Condition" not in found["VaultList"]


def test_a_pattern_is_one_for_all_of_its_modules() -> None:
    assert (
        statements("tenant_*")["TenantRead"]["Resource"] == "arn:aws:s3:::acme-tenant_*/tenant_*/*"
    )


def test_a_strict_list_has_no_exception() -> None:
    listed = statements("media", "--strict-list")["MediaList"]
    assert listed["Condition"] == {"StringLike": {"s3:prefix": "m/*"}}


def test_modules_with_other_credentials_have_a_policy_of_their_own() -> None:
    answer = call("policy", "--json")
    assert [each["modules"] for each in answer.json] == [
        ["media", "press", "archive", "tenant_*", "vault"],
        ["pii"],
    ]
    assert "smart-storages-pii, for pii:" in call("policy").err


def test_a_bucket_gets_what_its_public_modules_need_and_encryption_only() -> None:
    answer = call("policy", "media", "press", "--bucket")
    policy = json.loads(answer.out)
    assert [each["Sid"] for each in policy["Statement"]] == [
        "PressPublic",
        "EncryptedConnectionsOnly",
    ]
    assert policy["Statement"][0]["Resource"] == "arn:aws:s3:::acme-media/p/*"


def test_the_policy_of_a_bucket_is_whole_although_one_module_is_named() -> None:
    # put-bucket-policy replaces what the bucket has: what another module needs must be in it.
    answer = call("policy", "media", "--bucket", "--json")
    [described] = answer.json
    assert described["modules"] == ["media", "press"]
    assert described["document"]["Statement"][0]["Sid"] == "PressPublic"
    assert answer.err == "press: included, since it shares the bucket acme-media.\n"


def test_who_deploys_gets_the_rights_that_the_buckets_need() -> None:
    [statement] = json.loads(call("policy", "press", "--create").out)["Statement"]
    # Of a bucket that is to allow ACLs, for media; and no rules for browsers without an origin.
    assert "s3:PutBucketOwnershipControls" in statement["Action"]
    assert "s3:PutBucketPolicy" in statement["Action"]
    assert "s3:PutBucketCORS" not in statement["Action"]
    [statement] = json.loads(call("policy", "tenant_*", "--create").out)["Statement"]
    assert statement["Resource"] == "arn:aws:s3:::acme-tenant_*"
    assert "s3:PutBucketPolicy" not in statement["Action"]


def test_an_acl_that_lets_nobody_read_makes_no_file_public(settings: Any) -> None:
    settings.SMART_STORAGE_BUCKETS = {
        "press": {
            "bucket_name": "acme-press",
            "default_acl": "bucket-owner-full-control",
            "querystring_auth": False,
        }
    }
    policy = json.loads(call("policy", "press", "--bucket").out)
    assert "PressPublic" in [each["Sid"] for each in policy["Statement"]]


def test_cors_needs_an_origin() -> None:
    answer = call("policy", "media", "--cors")
    assert (answer.code, answer.out) == (2, "")
    answer = call("policy", "media", "--cors", "--origin", "https://www.example.com")
    (rule,) = json.loads(answer.out)["CORSRules"]
    assert rule["AllowedOrigins"] == ["https://www.example.com"]
    assert {"PUT", "POST"} <= {*rule["AllowedMethods"]}
    # A script waits as long as a bucket says, which it can read if the rule lets it.
    assert "Retry-After" in rule["ExposeHeaders"]


def test_lifecycle_removes_uploads_that_were_never_finished() -> None:
    (rule,) = json.loads(call("policy", "media", "--lifecycle").out)["Rules"]
    assert rule["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 7}


def test_terraform_is_the_same_in_another_language() -> None:
    names = ("media", "pii")
    answer = call("policy", *names, "--terraform", "--origin", "https://www.example.com")
    assert answer.code == 0
    resources: Dict[str, List[Any]] = {}
    for each in hcl2.loads(answer.out)["resource"]:
        ((kind, named),) = each.items()
        resources.setdefault(kind.strip('"'), []).extend(named)
    assert {*resources} == {
        "aws_iam_policy",
        "aws_s3_bucket_cors_configuration",
        "aws_s3_bucket_lifecycle_configuration",
        "aws_s3_bucket_policy",
        "aws_s3_bucket_public_access_block",
    }
    assert len(resources["aws_iam_policy"]) == 2
    assert '"Sid": "PiiRead"' in answer.out
    assert "jsonencode(" in answer.out
    # What begins a template of HCL stands for itself.
    assert "${" not in answer.out.replace("$${", "")


def test_no_policy_shows_a_secret() -> None:
    for arguments in ((), ("--json",), ("--terraform",), ("--bucket",)):
        answer = call("policy", *arguments)
        assert not leaks.find_in(answer.out + answer.err)
        assert "AKID" not in answer.out + answer.err


def test_a_module_that_is_misconfigured_has_no_policy(settings: Any) -> None:
    settings.SMART_STORAGE_BUCKETS = {"half": {"bucket_name": "acme", "access_key": "AKIDEXAMPLE"}}
    answer = call("policy")
    assert (answer.code, answer.out) == (1, "")
