"""One endpoint, one bucket name, two tenants: each has files of its own, and is told of no other's.

On Ceph, whose tenants may have buckets of one name. moto knows no tenants and checks no keys.
"""

import os
import subprocess
import sys
import uuid
from functools import partial
from pathlib import Path

import pytest
from django.core.cache import caches
from django.core.files.base import ContentFile

from smart_storages.backends.s3.clients.credentials import CredentialSource, identity_of
from smart_storages.checks import buckets as checks
from smart_storages.exceptions import S3Error
from smart_storages.storages import SmartS3Storage
from tests.conftest import methods
from tests.servers import S3Proxy

CACHE = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "id"}}


@pytest.fixture(scope="module")
def tenants(ceph_gateway):
    """Two tenants, each with a bucket named ``shared``."""
    made = [ceph_gateway.create_user("owner", tenant=f"t{uuid.uuid4().hex[:6]}") for _ in range(2)]
    for each in made:
        each.client().create_bucket(Bucket="shared")
    return made


@pytest.fixture
def proxy(ceph):
    with S3Proxy(ceph.endpoint_url) as proxy:
        yield proxy


@pytest.fixture
def make(tenants, proxy, settings):
    """Makes the storage of a tenant, 0 or 1, in a location that only this test uses."""
    settings.CACHES = CACHE
    caches["default"].clear()
    location = uuid.uuid4().hex

    def make(number, **options):
        return SmartS3Storage(
            "media",
            **{
                "bucket_name": "shared",
                "location": location,
                "endpoint_url": proxy.endpoint_url,
                "region_name": "us-east-1",
                "provider": "ceph",
                "access_key": tenants[number].access_key,
                "secret_key": tenants[number].secret_key,
                "metadata_cache_seconds": 300,
                **options,
            },
        )

    return make


@pytest.mark.real_s3
class TestTwoTenants:
    def test_the_cache_tells_neither_of_the_others_file(self, make):
        one, other = make(0), make(1)
        one.save("a.txt", ContentFile(b"hello"))
        assert one.size("a.txt") == 5
        assert not other.exists("a.txt")
        with pytest.raises(FileNotFoundError):
            other.size("a.txt")
        other.save("a.txt", ContentFile(b"hi"))
        assert (one.size("a.txt"), other.size("a.txt")) == (5, 2)
        assert (one.stat("a.txt").size, other.stat("a.txt").size) == (5, 2)
        other.delete("a.txt")
        assert not other.exists("a.txt")
        assert one.exists("a.txt")
        assert one.stat("a.txt").size == 5

    @pytest.mark.parametrize("method", ["copy", "move"])
    @pytest.mark.parametrize("theirs", [None, b"hello", b"other"], ids=["free", "equal", "taken"])
    def test_a_file_goes_to_the_other_under_the_same_name(self, make, method, theirs):
        one, other = make(0), make(1)
        content = ContentFile(b"hello")
        content.content_type = "text/x-mine"
        one.save("a.txt", content)
        if theirs is not None:
            other.save("a.txt", ContentFile(theirs))
        assert getattr(one, method)("a.txt", "a.txt", to=other) == "a.txt"
        assert other.open("a.txt").read() == b"hello"
        assert other.stat("a.txt").content_type == "text/x-mine"
        assert one.exists("a.txt") is (method == "copy")
        assert one.listdir("")[1] == (["a.txt"] if method == "copy" else [])

    def test_one_goes_to_a_free_name_where_nothing_is_overwritten(self, make):
        one, other = make(0), make(1, file_overwrite=False)
        one.save("a.txt", ContentFile(b"mine"))
        other.save("a.txt", ContentFile(b"theirs"))
        moved = one.move("a.txt", "a.txt", to=other)
        assert moved != "a.txt"
        assert [other.open(name).read() for name in ("a.txt", moved)] == [b"theirs", b"mine"]
        assert not one.exists("a.txt")

    def test_an_equal_file_of_the_other_does_not_lend_its_type(self, make):
        one, other = make(0), make(1)
        for storage, content_type in ((one, "text/x-mine"), (other, "text/x-theirs")):
            content = ContentFile(b"hello")
            content.content_type = content_type
            storage.save("a.txt", content)
        one.copy("a.txt", "b.txt", to=other)
        assert other.stat("b.txt").content_type == "text/x-mine"
        one.save("c.txt", ContentFile(b"mine"))
        other.save("c.txt", ContentFile(b"not mine"))
        one.copy("c.txt", "d.txt", to=other)
        assert other.open("d.txt").read() == b"mine"

    def test_two_pairs_of_keys_of_one_owner_do_not_move_a_file_away(self, make, ceph):
        # To us these are two who ask; to the server it is one file, which a move must not delete.
        keys = {"access_key": None, "secret_key": None, "bucket_name": ceph.create_bucket()}
        by_key = {"access_key": ceph.access_key, "secret_key": ceph.secret_key}
        one = make(0, **{**keys, **by_key})
        other = make(0, **{**keys, "credentials": lambda: by_key})
        one.save("a.txt", ContentFile(b"hello"))
        assert one.move("a.txt", "a.txt", to=other) == "a.txt"
        assert one.open("a.txt").read() == b"hello"

    def test_a_copy_that_cannot_be_looked_at_deletes_nothing(self, make, proxy):
        one, other = make(0), make(1)
        one.save("a.txt", ContentFile(b"hello"))
        proxy.inject(method="HEAD", status=403, times=10)
        with pytest.raises(S3Error, match="could not be checked"):
            one.move("a.txt", "a.txt", to=other)
        proxy.reset()
        assert one.open("a.txt").read() == b"hello"

    def test_one_owner_s_file_is_known_without_a_request(self, make, proxy):
        one, same = make(0), make(0)
        one.save("a.txt", ContentFile(b"hello"))
        with proxy.recording() as requests:
            assert one.copy("a.txt", "a.txt", to=same) == "a.txt"
        assert methods(requests) == ["HEAD"]

    def test_the_check_of_overlapping_locations_knows_their_buckets_apart(
        self, make, settings, proxy, tenants
    ):
        def entry(number, acl):
            return {
                "bucket_name": "shared",
                "endpoint_url": proxy.endpoint_url,
                "access_key": tenants[number].access_key,
                "secret_key": tenants[number].secret_key,
                "default_acl": acl,
            }

        settings.SMART_STORAGE_BUCKETS = {"a": entry(0, "private"), "b": entry(1, "public-read")}
        assert "smart_storages.W001" not in [each.id for each in checks.check_buckets()]
        settings.SMART_STORAGE_BUCKETS = {"a": entry(0, "private"), "b": entry(0, "public-read")}
        assert "smart_storages.W001" in [each.id for each in checks.check_buckets()]


def supply():
    return {"access_key": uuid.uuid4().hex, "secret_key": "s"}


class TestNameAsker:
    def test_it_is_known_by_what_stays_while_keys_and_tokens_change(self):
        key = partial(CredentialSource, access_key="AKIA1", secret_key="s")
        assert identity_of(key(security_token="one")) == identity_of(key(security_token="two"))
        assert identity_of(CredentialSource(supplier=supply)) == (
            "callable", "tests.test_identity.supply", "None",
        )  # fmt: skip
        sources = [
            key(),
            key(access_key="AKIA2"),
            key(role_arn="arn:1"),
            key(role_arn="arn:2"),
            CredentialSource(session_profile="acme"),
            CredentialSource(supplier=supply),
            CredentialSource(supplier=supply, argument="media"),
            CredentialSource(),
        ]
        assert len({identity_of(each) for each in sources}) == len(sources)
        assert "hush" not in "".join(identity_of(key(secret_key="hush", security_token="hush")))

    def test_two_callables_that_nobody_can_import_are_two(self):
        made = [lambda number=number: {"access_key": str(number)} for number in range(2)]
        one, other = (CredentialSource(supplier=each) for each in made)
        assert identity_of(one) == identity_of(one)
        assert identity_of(one) != identity_of(other)

    def test_the_environment_tells_who_asks_where_nothing_else_does(self, monkeypatch):
        names = set()
        for key in ("AKIA1", "AKIA2"):
            monkeypatch.setenv("AWS_ACCESS_KEY_ID", key)
            names.add(identity_of(CredentialSource()))
        assert len(names) == 2


def test_the_digest_is_the_same_in_another_process_and_holds_no_key(settings):
    code = (
        "import django; django.setup();"
        "from smart_storages.storages import SmartS3Storage;"
        "print(SmartS3Storage('media', access_key='AKIA1', secret_key='s').credentials_identity)"
    )
    settings.SECRET_KEY = "another"
    ours = SmartS3Storage("media", access_key="AKIA1", secret_key="t").credentials_identity
    theirs = [
        subprocess.run(
            [sys.executable, "-c", code],
            env={
                **os.environ,
                "DJANGO_SETTINGS_MODULE": "tests.settings",
                "PYTHONHASHSEED": seed,
            },
            cwd=str(Path(__file__).parents[1]),
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        ).stdout.strip()
        for seed in ("1", "2")
    ]
    assert theirs[0] == theirs[1]
    assert ours != theirs[0]  # of a project with another SECRET_KEY
    assert "AKIA1" not in ours
