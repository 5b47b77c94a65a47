"""The policies of the example site on Ceph: enough for what its modules do, and not more."""

from __future__ import annotations

import json
import runpy
import uuid
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List

import boto3
import pytest
from botocore.exceptions import ClientError
from django.core.files.base import ContentFile
from django.test import override_settings

from smart_storages.exceptions import AccessDeniedError
from smart_storages.management.places import Place, find_place
from smart_storages.management.policies import iam_policy
from smart_storages.storages import SmartS3Storage
from tests.management.checking.broken import User
from tests.servers import CephGateway

pytestmark = pytest.mark.real_s3

EXAMPLE = Path(__file__).resolve().parents[2] / "example"

#: More than one part.
_LARGE = 9 * 1024 * 1024


def _entries_of_the_example_site() -> Dict[str, Any]:
    settings = runpy.run_path(str(EXAMPLE / "pressoffice" / "settings.py"))
    return {
        name.replace("*", "x"): entry for name, entry in settings["SMART_STORAGE_BUCKETS"].items()
    }


ENTRIES = _entries_of_the_example_site()
STORAGES = {
    # The site only reads this one.
    "development": {"BACKEND": "smart_storages.ReadOnlyStorage", "OPTIONS": {"inner": "production"}}
}


@pytest.fixture(scope="module")
def limited(ceph_gateway: CephGateway) -> User:
    name = f"limited-{uuid.uuid4().hex[:8]}"
    return User(name, ceph_gateway.create_user(name))


@pytest.fixture(scope="module")
def iam(ceph_gateway: CephGateway) -> Any:
    server = ceph_gateway.server
    return boto3.client(
        "iam",
        endpoint_url=server.endpoint_url,
        aws_access_key_id=server.access_key,
        aws_secret_access_key=server.secret_key,
        region_name=server.region_name,
    )


class Module:
    """A module of the example site, its bucket on Ceph, and a user who has its policy alone."""

    def __init__(self, name: str, user: User, iam: Any, owner: Any, bucket: str) -> None:
        self.name, self.user, self.iam, self.owner, self.bucket = name, user, iam, owner, bucket

    @property
    def place(self) -> Place:
        return find_place(self.name)

    @property
    def storage(self) -> SmartS3Storage:
        return self.place.storage

    def give(self, policy: Dict[str, Any]) -> None:
        self.iam.put_user_policy(
            UserName=self.user.name, PolicyName="module", PolicyDocument=json.dumps(policy)
        )
        self.owner.put_object(Bucket=self.bucket, Key=self.storage.get_key("old.txt"), Body=b"old")

    def read(self) -> None:
        # Not one of its own: who saved a file on Ceph may read it without any policy.
        with self.storage.open("old.txt") as file:
            assert file.read() == b"old"

    def look(self) -> None:
        assert "old.txt" in self.storage.listdir("")[1]
        assert not self.storage.exists("missing.txt")

    def write(self) -> None:
        name = self.storage.save("new.txt", ContentFile(b"new"))
        assert self.storage.size(name) == len(b"new")

    def write_in_parts(self) -> None:
        self.storage.save("large.bin", ContentFile(bytes(_LARGE)))

    def delete(self) -> None:
        self.storage.delete("old.txt")


@pytest.fixture(params=sorted(ENTRIES))
def module(request: Any, ceph_gateway: CephGateway, limited: User, iam: Any) -> Iterator[Module]:
    owner = ceph_gateway.server.client()
    bucket = ceph_gateway.server.create_bucket()
    entry = {
        **ENTRIES[request.param],
        "bucket_name": bucket,
        "endpoint_url": limited.server.endpoint_url,
        "access_key": limited.server.access_key,
        "secret_key": limited.server.secret_key,
        "region_name": "us-east-1",
        "provider": "ceph",
    }
    with override_settings(SMART_STORAGE_BUCKETS={request.param: entry}, STORAGES=STORAGES):
        yield Module(request.param, limited, iam, owner, bucket)


def acts_of(module: Module) -> List[Callable[[], None]]:
    reading = [module.read, module.look]
    if module.place.read_only:
        return reading
    return [*reading, module.write, module.write_in_parts, module.delete]


def refused(acts: List[Callable[[], None]]) -> List[str]:
    found = []
    for act in acts:
        try:
            act()
        except AccessDeniedError:
            found.append(act.__name__)
    return found


def test_the_policy_of_each_module_is_enough_and_not_more(module: Module) -> None:
    policy = iam_policy([module.place])
    module.give(policy)
    assert refused(acts_of(module)) == []
    assert [name for name, call in foreign_calls(module) if is_allowed(call)] == []
    for left_out in policy["Statement"]:
        rest = [each for each in policy["Statement"] if each is not left_out]
        module.give({**policy, "Statement": rest})
        assert refused(acts_of(module)) != [], f"{left_out['Sid']} is needless"


def foreign_calls(module: Module) -> Any:
    """What a module never does: outside its location, to the bucket itself, or at all."""
    client = module.user.server.client()
    bucket = {"Bucket": module.bucket}
    inside = {**bucket, "Key": module.storage.get_key("old.txt")}
    module.owner.put_object(Body=b"a", **inside)
    yield "delete the bucket", lambda: client.delete_bucket(**bucket)
    yield "read its ACL", lambda: client.get_bucket_acl(**bucket)
    yield "read its policy", lambda: client.get_bucket_policy(**bucket)
    yield "open it", lambda: client.put_bucket_acl(ACL="public-read", **bucket)
    yield "read an ACL", lambda: client.get_object_acl(**inside)
    yield "read tags", lambda: client.get_object_tagging(**inside)
    if module.place.location:
        outside = {**bucket, "Key": f"not-{module.place.location}a.txt"}
        module.owner.put_object(Body=b"a", **outside)
        yield "read outside", lambda: client.get_object(**outside)
        yield "write outside", lambda: client.put_object(Body=b"b", **outside)
        yield "delete outside", lambda: client.delete_object(**outside)
        yield "list outside", lambda: client.list_objects_v2(Prefix="not-", **bucket)
    if module.place.read_only:
        yield "write", lambda: client.put_object(Body=b"b", **inside)
        yield "delete", lambda: client.delete_object(**inside)


def is_allowed(call: Callable[[], Any]) -> bool:
    try:
        call()
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] != 403:
            raise
        return False
    return True


def test_a_strict_list_is_one_inside_the_location(limited: User, iam: Any, ceph: Any) -> None:
    bucket = ceph.create_bucket()
    entry = {
        "bucket_name": bucket,
        "endpoint_url": ceph.endpoint_url,
        "access_key": limited.server.access_key,
        "secret_key": limited.server.secret_key,
        "provider": "ceph",
        "location": "kits/",
    }
    client = limited.server.client()
    with override_settings(SMART_STORAGE_BUCKETS={"kits": entry}):
        module = Module("kits", limited, iam, ceph.client(), bucket)
        for strict in (False, True):
            module.give(iam_policy([module.place], strict_list=strict))
            assert module.storage.listdir("")[1] == ["old.txt"]
            assert is_allowed(lambda: client.list_objects_v2(Bucket=bucket)) is not strict
            assert refused([module.look]) == (["look"] if strict else [])
