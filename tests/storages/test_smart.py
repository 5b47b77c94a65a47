import copy
import gc
import pickle
import threading
import weakref
from unittest import mock

import pytest
from botocore.config import Config
from django.core.exceptions import ImproperlyConfigured, SuspiciousFileOperation
from django.core.files.base import ContentFile
from django.test import override_settings
from hypothesis import given
from hypothesis import strategies as st
from storages.backends.s3boto3 import S3Boto3Storage as UpstreamStorage
from storages.utils import clean_name

from smart_storages.config.options import CREDENTIAL_OPTIONS
from smart_storages.exceptions import ConfigurationError
from smart_storages.storages import (
    DocumentStorage,
    MediaStorage,
    PrivateStorage,
    PublicStorage,
    S3Boto3Storage,
    SmartS3Storage,
    StaticStorage,
    client_pool,
)
from smart_storages.utils import create_storage_class
from tests.threads import run_in_threads

READY_MADE = [MediaStorage, StaticStorage, DocumentStorage, PrivateStorage, PublicStorage]

KEYS = {"AWS_ACCESS_KEY_ID": "default-key", "AWS_SECRET_ACCESS_KEY": "default-secret"}


@pytest.fixture
def _acme():
    names = {"AWS_STORAGE_BUCKET_NAME": "acme", "AWS_S3_REGION_NAME": "eu-west-1"}
    with override_settings(**names, **KEYS):
        yield


class Signer:
    """Of CloudFront, as botocore's: what holds a private key in a closure."""

    def generate_presigned_url(self, url, date_less_than=None, policy=None):
        raise NotImplementedError


class PressStorage(SmartS3Storage):
    """A class somebody wrote, django-storages' way."""

    module_name = "press"
    location = "press-preset"
    bucket_name = "press-preset"


class ComputedStorage(SmartS3Storage):
    """A location chosen at run time."""

    @property
    def location(self):
        return "computed"


class TestClasses:
    def test_the_parent_stays_importable_from_here(self):
        assert S3Boto3Storage is UpstreamStorage
        assert issubclass(SmartS3Storage, S3Boto3Storage)

    @pytest.mark.parametrize(
        ("storage_class", "module_name", "presets"),
        [
            (MediaStorage, "media", {"location": "media", "file_overwrite": False}),
            (StaticStorage, "static", {"location": "static", "querystring_auth": False}),
            (
                DocumentStorage,
                "documents",
                {"location": "documents", "default_acl": "private", "file_overwrite": False},
            ),
            (
                PrivateStorage,
                "private",
                {"location": "private", "default_acl": "private", "file_overwrite": False},
            ),
            (
                PublicStorage,
                "public",
                {"location": "public", "default_acl": "public-read", "querystring_auth": False},
            ),
        ],
    )
    def test_a_ready_made_class_has_its_module_and_presets(
        self, storage_class, module_name, presets
    ):
        storage = storage_class()
        assert storage.module_name == module_name
        assert {name: getattr(storage, name) for name in presets} == presets

    @override_settings(AWS_DEFAULT_ACL="public-read")
    def test_a_private_class_is_private_whatever_the_aws_default(self):
        assert DocumentStorage().default_acl == "private"
        assert DocumentStorage().querystring_auth is True


class TestConstructor:
    def test_the_parent_gets_the_merged_options_without_none(self):
        buckets = {"press": {"bucket_name": "acme", "default_acl": None}}
        with override_settings(SMART_STORAGE_BUCKETS=buckets):
            with mock.patch.object(UpstreamStorage, "__init__", return_value=None) as parent:
                PressStorage(querystring_expire=60)
        (), options = parent.call_args
        assert options == {
            "bucket_name": "acme",
            "location": "press-preset",
            "querystring_expire": 60,
        }

    @override_settings(
        AWS_LOCATION="aws",
        SMART_STORAGE_BUCKETS={"press": {"bucket_name": "entry"}},
    )
    def test_each_option_comes_from_the_highest_place(self):
        storage = PressStorage(location="argument")
        assert storage.location == "argument"
        assert storage.bucket_name == "entry"
        assert PressStorage().location == "press-preset"
        assert SmartS3Storage("press").location == "aws"

    def test_the_module_is_an_attribute_or_an_argument(self):
        assert PressStorage().module_name == "press"
        assert PressStorage(module_name="other").module_name == "other"
        assert SmartS3Storage("third").module_name == "third"
        assert SmartS3Storage().module_name == "default"

    @override_settings(AWS_DEFAULT_ACL="public-read", AWS_S3_ENDPOINT_URL="http://localhost:1")
    def test_a_none_of_the_module_switches_the_aws_default_off(self):
        buckets = {"m": {"default_acl": None, "endpoint_url": None}}
        with override_settings(SMART_STORAGE_BUCKETS=buckets):
            storage = SmartS3Storage("m")
        assert storage.default_acl is None
        assert storage.endpoint_url is None

    def test_an_argument_that_is_no_option_is_refused_at_once(self):
        with pytest.raises(ImproperlyConfigured, match="bucket_name"):
            SmartS3Storage("m", bucketname="acme")

    def test_a_property_of_a_subclass_is_left_to_decide(self):
        assert ComputedStorage().location == "computed"
        with override_settings(SMART_STORAGE_BUCKETS={"default": {"location": "entry"}}):
            assert ComputedStorage().location == "computed"

    def test_a_storage_without_a_bucket_can_be_made_and_shown(self):
        assert "bucket=None" in repr(SmartS3Storage("m"))

    @pytest.mark.parametrize(
        "use",
        [
            lambda storage: storage.exists("a.txt"),
            lambda storage: storage.open("a.txt"),
            lambda storage: storage.save("a.txt", ContentFile(b"a")),
            lambda storage: storage.delete("a.txt"),
            lambda storage: storage.listdir(""),
            lambda storage: storage.size("a.txt"),
            lambda storage: storage.get_modified_time("a.txt"),
            lambda storage: storage.url("a.txt"),
            lambda storage: storage.bucket,
            lambda storage: storage.connection,
            lambda storage: storage.unsigned_connection,
            lambda storage: storage.client,
        ],
        ids=[
            "exists", "open", "save", "delete", "listdir", "size", "time", "url", "bucket",
            "connection", "unsigned_connection", "client",
        ],
    )  # fmt: skip
    @pytest.mark.parametrize(
        ("buckets", "named"),
        [
            ({}, ["'m'", "bucket_name", "AWS_STORAGE_BUCKET_NAME"]),
            ({"m": {"bucket": "acme"}}, ["'m'", "'bucket'", "bucket_name"]),
            ({"m": {"location": "/a"}}, ["'m'", "'location'", "'a'"]),
            ({"m": {"location": "a/../b"}}, ["'m'", "'location'"]),
            ({"m": {"access_key": "a"}}, ["'m'", "'secret_key'"]),
            (
                {"m": {"access_key": "a", "secret_key": "b", "session_profile": "c"}},
                ["'m'", "session_profile"],
            ),
            ({"m": {"endpoint_url": "s3.example.com"}}, ["'m'", "endpoint_url", "https://"]),
            ({"m": {"external_id": "x"}}, ["'m'", "role_arn"]),
        ],
    )
    def test_the_first_use_names_what_is_wrong(self, use, buckets, named):
        with override_settings(SMART_STORAGE_BUCKETS=buckets):
            storage = SmartS3Storage("m")
        with pytest.raises(ImproperlyConfigured) as raised:
            use(storage)
        for text in named:
            assert text in str(raised.value)

    @override_settings(AWS_LOCATION="/files")
    def test_a_wrong_aws_setting_is_raised_by_the_first_use_as_well(self):
        with pytest.raises(ImproperlyConfigured, match="AWS_LOCATION"):
            SmartS3Storage("m").url("a.txt")

    @override_settings(AWS_CLOUDFRONT_KEY_ID="id", AWS_STORAGE_BUCKET_NAME="acme")
    def test_what_the_parent_refuses_names_the_module(self):
        with pytest.raises(ConfigurationError, match=r"'m'.*cloudfront"):
            SmartS3Storage("m").url("a.txt")

    @override_settings(AWS_STORAGE_BUCKET_NAME="acme", AWS_S3_REGION_NAME="eu-west-1")
    def test_no_credentials_anywhere_is_said_at_the_first_use(self):
        with pytest.raises(ConfigurationError, match=r"'m'.*access_key"):
            SmartS3Storage("m").exists("a.txt")

    @override_settings(AWS_STORAGE_BUCKET_NAME="acme", **KEYS)
    @pytest.mark.parametrize("path", ["no.such.callable", "os.no_such_name"])
    def test_a_callable_that_cannot_be_imported_names_module_and_key(self, path):
        with override_settings(SMART_STORAGE_BUCKETS={"m": {"credentials": path}}):
            storage = SmartS3Storage("m")
        with pytest.raises(ConfigurationError, match=r"'m'.*'credentials'"):
            storage.client  # noqa: B018

    def test_a_custom_domain_needs_no_bucket_to_make_a_url(self):
        # collectstatic builds without credentials, templates too.
        storage = StaticStorage(custom_domain="cdn.example.com")
        assert storage.url("a.css") == "https://cdn.example.com/static/a.css"


class TestChangeOfSettings:
    """A model's field has its storage since import; a test that swaps the bucket means it too."""

    def test_a_storage_follows_override_settings_and_comes_back(self):
        storage = MediaStorage(querystring_expire=60)
        twin = copy.deepcopy(storage)
        before = {**vars(storage)}
        buckets = {"media": {"bucket_name": "test", "location": "there", "default_acl": None}}
        with override_settings(SMART_STORAGE_BUCKETS=buckets, AWS_S3_REGION_NAME="eu-west-1"):
            for each in (storage, twin):
                assert each.bucket_name == "test"
                assert each.location == "there"
                assert each.region_name == "eu-west-1"
                assert each.querystring_expire == 60
                assert each.file_overwrite is False
        assert vars(storage) == before

    def test_an_override_of_many_settings_is_followed_once(self, monkeypatch):
        storage = MediaStorage()
        taken = []

        def retake(self):
            taken.append(self)

        monkeypatch.setattr(MediaStorage, "retake_settings", retake)
        with override_settings(AWS_LOCATION="a", AWS_QUERYSTRING_EXPIRE=1, AWS_DEFAULT_ACL=None):
            assert taken.count(storage) == 1
            with override_settings(AWS_LOCATION="b", AWS_QUERYSTRING_EXPIRE=2):
                assert taken.count(storage) == 2
            assert taken.count(storage) == 3
        assert taken.count(storage) == 4
        with override_settings(DEBUG=True):
            assert taken.count(storage) == 4

    def test_a_storage_that_was_made_within_keeps_its_settings(self):
        with override_settings(AWS_LOCATION="a"):
            with override_settings(SMART_STORAGE_BUCKETS={"m": {"bucket_name": "test"}}):
                storage = SmartS3Storage("m")
            assert storage.bucket_name == "test"
        assert storage.location == "a"

    def test_a_mistake_comes_and_goes_with_the_setting(self):
        storage = SmartS3Storage("m", bucket_name="acme")
        with override_settings(SMART_STORAGE_BUCKETS={"m": {"locaton": "a"}}):
            assert storage.configuration_problem
        assert storage.configuration_problem is None
        assert storage.location == ""

    def test_a_mistake_keeps_nothing_of_those_who_ran_into_it(self):
        class Request:
            """What a view has at hand."""

        def view():
            request = Request()
            with pytest.raises(ConfigurationError, match="locaton"):
                storage.url("a.txt")
            return weakref.ref(request)

        with override_settings(SMART_STORAGE_BUCKETS={"m": {"locaton": "a"}}):
            storage = SmartS3Storage("m", bucket_name="acme")
            assert storage.configuration_problem.__traceback__ is None
            seen = view()
            gc.collect()
            assert seen() is None
            assert storage.configuration_problem.__traceback__ is None

    @pytest.mark.usefixtures("_acme")
    def test_a_storage_in_use_changes_its_connection(self):
        storage = SmartS3Storage("m")
        assert "acme" in storage.url("a.txt")
        with override_settings(AWS_STORAGE_BUCKET_NAME="other", AWS_ACCESS_KEY_ID="other-key"):
            assert "other" in storage.url("a.txt")
            assert "other-key" in storage.url("a.txt")
        assert "other" not in storage.url("a.txt")

    def test_a_storage_that_nobody_holds_is_forgotten(self):
        storage = weakref.ref(SmartS3Storage("m"))
        gc.collect()
        assert storage() is None


class TestAcl:
    def written(self, storage):
        return storage._get_write_parameters("a.txt", ContentFile(b"a")).get("ACL")

    def test_private_sends_no_header(self):
        assert self.written(DocumentStorage()) is None

    def test_public_read_sends_it(self):
        assert self.written(PublicStorage()) == "public-read"

    def test_an_acl_asked_for_by_the_object_parameters_is_sent(self):
        storage = DocumentStorage(object_parameters={"ACL": "private"})
        assert self.written(storage) == "private"

    def test_a_provider_without_acls_gets_none(self):
        assert self.written(PublicStorage(provider="r2")) is None

    @override_settings(AWS_STORAGE_BUCKET_NAME="acme", AWS_S3_REGION_NAME="eu-west-1", **KEYS)
    def test_public_read_gives_unsigned_urls(self):
        assert "?" not in SmartS3Storage("m", default_acl="public-read").url("a.txt")
        assert "?" in SmartS3Storage("m", default_acl="private").url("a.txt")


@pytest.mark.usefixtures("_acme")
class TestSharedClient:
    def test_storages_and_threads_share_one_client(self):
        client_pool.clear()
        found, start = [], threading.Barrier(8)

        def use(number):
            start.wait()
            for tenant in range(25):
                storage = SmartS3Storage("m", location=f"{tenant}-{number}")
                found.append(storage.connection.meta.client)
                found.append(storage.bucket.meta.client)
                found.append(storage.client)

        run_in_threads(use, range(8))
        assert len(found) == 8 * 25 * 3
        assert len(set(map(id, found))) == 1
        assert len(client_pool) == 1

    def test_resources_are_not_shared(self):
        storage = SmartS3Storage("m")
        assert storage.bucket is not storage.bucket
        assert storage.connection is not storage.connection

    def test_the_resources_of_the_parent_class_keep_working(self):
        storage = SmartS3Storage("m")
        assert storage.bucket.name == "acme"
        assert storage.connection.Object("acme", "key").key == "key"
        assert "?" not in storage.unsigned_connection.meta.client.generate_presigned_url(
            "get_object", Params={"Bucket": "acme", "Key": "key"}
        )

    def test_modules_with_their_own_credentials_have_their_own_client(self):
        buckets = {"pii": {"access_key": "pii-key", "secret_key": "pii-secret"}}
        with override_settings(SMART_STORAGE_BUCKETS=buckets):
            pii, other = SmartS3Storage("pii"), SmartS3Storage("other")
        assert pii.client is not other.client
        assert "pii-key" in pii.url("a.txt")
        assert "default-key" in other.url("a.txt")

    def test_the_pool_is_bounded_by_the_setting(self):
        client_pool.clear()
        with override_settings(SMART_STORAGE_MAX_CLIENTS=3):
            for number in range(6):
                keys = {"access_key": f"key-{number}", "secret_key": "secret"}
                assert f"key-{number}" in SmartS3Storage("m", **keys).url("a.txt")
                assert len(client_pool) <= 3

    def test_a_callable_is_given_the_module(self):
        def keys_for(module):
            return {"access_key": f"key-of-{module}", "secret_key": "secret"}

        with override_settings(SMART_STORAGE_BUCKETS={"tenant_*": {"credentials": keys_for}}):
            for name in ("tenant_a", "tenant_b"):
                assert f"key-of-{name}" in SmartS3Storage(name).url("a.txt")

    def test_options_beside_a_client_config_are_not_forgotten(self):
        storage = SmartS3Storage(
            "m",
            client_config=Config(read_timeout=7, s3={"use_dualstack_endpoint": True}),
            addressing_style="path",
            signature_version="s3v4",
            proxies={"https": "http://proxy:3128"},
        )
        config = storage.client.meta.config
        assert config.read_timeout == 7
        assert config.s3["use_dualstack_endpoint"] is True
        assert config.s3["addressing_style"] == "path"
        assert config.signature_version == "s3v4"
        assert config.proxies == {"https": "http://proxy:3128"}

    def test_an_unnamed_server_gets_no_checksums_that_it_may_refuse(self):
        unnamed = SmartS3Storage("m", endpoint_url="http://localhost:1")
        assert unnamed.client.meta.config.request_checksum_calculation == "when_required"
        assert SmartS3Storage("m").client.meta.config.request_checksum_calculation != (
            "when_required"
        )


class TestNames:
    HOSTILE = [
        "../a", "..", "a/../../b", "/etc/passwd", "..\\..\\a", "\\..\\..\\a", "a\\..\\..\\..\\b",
        "a\0b", "\0", "a" * 2000, "é" * 600, "//etc/passwd", "\ud800", "./../a", ".../../../a",
    ]  # fmt: skip

    @pytest.mark.parametrize("location", ["", "media", "media/", "a/b"])
    @pytest.mark.parametrize("name", HOSTILE, ids=lambda name: ascii(name[:12]))
    def test_a_hostile_name_is_refused_or_stays_inside(self, location, name):
        self.assert_inside(location, name)

    @given(name=st.text(alphabet="ab./\\\0 %~é", max_size=40))
    @pytest.mark.parametrize("location", ["", "media", "tenant_x/"])
    def test_any_name_is_refused_or_stays_inside(self, location, name):
        self.assert_inside(location, name)

    def assert_inside(self, location, name):
        storage = SmartS3Storage("m", location=location, bucket_name="acme")
        try:
            key = storage._normalize_name(clean_name(name))
        except SuspiciousFileOperation:
            return
        assert key.startswith(location.rstrip("/"))
        assert location == "" or key[len(location.rstrip("/"))] == "/"
        assert ".." not in key.split("/")
        assert "\0" not in key
        assert len(key.encode()) <= 1024

    def test_a_name_that_climbs_is_refused_also_without_a_location(self):
        storage = SmartS3Storage("m", bucket_name="acme")
        with pytest.raises(SuspiciousFileOperation):
            storage.url("../a")

    @given(
        name=st.text(alphabet="ab./ %~é", max_size=30),
        location=st.sampled_from(["", "a", "a/", "a/b", "é/" * 60]),
    )
    def test_the_short_way_to_a_key_ends_where_the_long_one_does(self, name, location):
        storage = SmartS3Storage("m", location=location, bucket_name="acme")
        answers = []
        for way in (storage.get_key, lambda name: storage._normalize_name(clean_name(name))):
            try:
                answers.append(way(name))
            except SuspiciousFileOperation:
                answers.append(None)
        assert answers[0] == answers[1]

    def test_names_that_wander_inside_are_normalised_as_upstream_does(self):
        storage = SmartS3Storage("m", location="files", bucket_name="acme")
        upstream = UpstreamStorage(location="files", bucket_name="acme")
        for name in ("path/to/ignored/../a.txt", "./a.txt", "a//b", "dir/", ""):
            assert storage._normalize_name(name) == upstream._normalize_name(name)


@pytest.mark.usefixtures("_acme")
class TestCopies:
    @pytest.mark.parametrize("storage_class", [SmartS3Storage, PressStorage, *READY_MADE])
    @pytest.mark.parametrize(
        "duplicate",
        [copy.copy, copy.deepcopy, lambda storage: pickle.loads(pickle.dumps(storage))],  # noqa: S301
        ids=["copy", "deepcopy", "pickle"],
    )
    def test_a_copy_is_a_storage_like_it(self, storage_class, duplicate):
        storage = storage_class(querystring_expire=77)
        storage.client  # noqa: B018 - a client in use must not be in the way
        twin = duplicate(storage)
        assert type(twin) is storage_class
        assert twin.module_name == storage.module_name
        assert twin.querystring_expire == 77
        assert twin.client is storage.client

    def test_a_deep_copy_shares_no_options(self):
        storage = SmartS3Storage("m", object_parameters={"CacheControl": "no-cache"})
        copy.deepcopy(storage).object_parameters["CacheControl"] = "changed"
        assert storage.object_parameters == {"CacheControl": "no-cache"}

    def test_a_deep_copy_keeps_its_credentials_and_a_pickle_does_not(self):
        storage = SmartS3Storage("m", access_key="own-key", secret_key="own-secret")
        assert "own-key" in copy.deepcopy(storage).url("a.txt")
        pickled = pickle.dumps(storage)
        assert b"own-" not in pickled
        with pytest.raises(ConfigurationError, match=r"access_key.*SMART_STORAGE_BUCKETS"):
            pickle.loads(pickled).url("a.txt")  # noqa: S301 - our own

    @pytest.mark.parametrize(
        "options",
        [
            {"access_key": "hunter2", "secret_key": "hunter2"},
            {"access_key": "a", "secret_key": "hunter2", "security_token": "hunter2"},
            {"cloudfront_key_id": "id", "cloudfront_key": "hunter2", "cloudfront_signer": Signer()},
            {"proxies": {"https": "http://user:hunter2@proxy"}},
            {"object_parameters": {"SSECustomerKey": "hunter2"}},
        ],
        ids=["keys", "token", "cloudfront", "proxies", "sse-c"],
    )
    def test_no_secret_is_in_a_repr_a_pickle_or_a_migration(self, options):
        storage = SmartS3Storage("m", **options)
        assert "hunter2" not in repr(storage)
        assert "hunter2" not in repr(vars(storage))
        assert b"hunter2" not in pickle.dumps(storage)
        assert "hunter2" not in repr(storage.deconstruct())
        assert not CREDENTIAL_OPTIONS & set(storage.deconstruct()[2])

    def test_the_secrets_still_do_their_work(self):
        storage = SmartS3Storage(
            "m",
            proxies={"https": "http://user:hunter2@proxy"},
            object_parameters={"SSECustomerKey": "hunter2"},
        )
        assert storage.client.meta.config.proxies == {"https": "http://user:hunter2@proxy"}
        assert storage.get_object_parameters("a")["SSECustomerKey"].isalnum()

    def test_a_subclass_with_a_constructor_of_its_own_deconstructs_as_it_was_called(self):
        storage = TenantStorage("x", secret_key="hunter2", access_key="a")
        path, args, kwargs = storage.deconstruct()
        assert path == f"{__name__}.TenantStorage"
        assert args == ("x",)
        assert "hunter2" not in repr(kwargs)
        assert pickle.loads(pickle.dumps(storage)).location == "x"  # noqa: S301 - our own


class TenantStorage(SmartS3Storage):
    """A class with a constructor of its own."""

    def __init__(self, tenant, **options):
        super().__init__(module_name="tenants", location=tenant, **options)


def test_the_parents_session_hook_gets_plain_keys():
    session = SmartS3Storage("m", access_key="a", secret_key="b")._create_session()
    assert tuple(session.get_credentials().get_frozen_credentials())[:2] == ("a", "b")


class OwnDefaults(SmartS3Storage):
    """As a subclass of django-storages' storage is often written."""

    module_name = "own"

    def get_default_settings(self):
        return {**super().get_default_settings(), "bucket_name": "own-bucket", "region_name": "a-1"}


class AddedOption(SmartS3Storage):
    """Has an option that nobody else has."""

    def get_default_settings(self):
        return {**super().get_default_settings(), "department": "press", "provider": "minio"}


class OwnKeys(SmartS3Storage):
    def get_default_settings(self):
        keys = {"access_key": "own-key", "secret_key": "own-secret"}
        return {**super().get_default_settings(), **keys}


class TestOwnDefaults:
    """An overridden ``get_default_settings()`` stands in the place of the settings."""

    @pytest.fixture(autouse=True)
    def default_bucket(self, settings):
        settings.AWS_STORAGE_BUCKET_NAME = "default-bucket"
        settings.AWS_LOCATION = "files"

    def test_files_go_where_it_says(self):
        storage = OwnDefaults()
        assert storage.bucket_name == "own-bucket"
        assert storage.get_connection().region_name == "a-1"
        assert storage.location == "files"
        assert "own-bucket" in OwnDefaults(access_key="a", secret_key="b").url("a.txt")

    def test_everything_else_outranks_it(self, settings):
        settings.SMART_STORAGE_BUCKETS = {"own": {"region_name": "entry-1"}}
        assert OwnDefaults().region_name == "entry-1"
        assert OwnDefaults(region_name="b-1").region_name == "b-1"
        assert type("A", (OwnDefaults,), {"bucket_name": "preset"})().bucket_name == "preset"
        assert create_storage_class("own", base=OwnDefaults, bucket_name="c")().bucket_name == "c"

    def test_it_is_asked_again_when_settings_change(self, settings):
        storage = OwnDefaults()
        settings.AWS_LOCATION = "other"
        assert (storage.location, storage.bucket_name) == ("other", "own-bucket")

    def test_it_may_have_options_of_its_own(self, settings):
        assert AddedOption().department == "press"
        storage = AddedOption(department="law")
        assert (storage.department, storage.provider) == ("law", "minio")
        settings.AWS_LOCATION = "other"
        assert (storage.department, storage.location) == ("law", "other")
        with pytest.raises(ConfigurationError, match="'departmint'"):
            AddedOption(departmint="law")

    def test_a_key_that_it_names_goes_with_none_of_the_settings(self, settings):
        settings.AWS_S3_ACCESS_KEY_ID = settings.AWS_S3_SECRET_ACCESS_KEY = "default"
        settings.AWS_SESSION_TOKEN = "default-token"
        storage = OwnKeys()
        assert storage.access_key == "own-key"
        assert storage.security_token is None
        assert "own-" not in f"{storage.access_key}{storage.secret_key!r}{vars(storage)}"

    @pytest.mark.parametrize(
        ("answer", "expected"), [(None, "must return a dict"), ({"bucket_name": 3}, "must be str")]
    )
    def test_a_wrong_answer_is_told_with_who_gave_it(self, answer, expected):
        wrong = type("Wrong", (SmartS3Storage,), {"get_default_settings": lambda self: answer})
        with pytest.raises(ConfigurationError, match=expected):
            wrong().url("a.txt")

    def test_a_bucket_that_it_names_was_meant(self, settings):
        settings.SMART_STORAGE_BUCKETS = {"media": {}}
        settings.SMART_STORAGE_STRICT = True
        assert OwnDefaults().configuration_problem is None
        assert AddedOption("medai").lacks_entry

    def test_it_survives_a_copy_and_a_pickle(self):
        pickled = pickle.dumps(OwnDefaults())
        for twin in (copy.deepcopy(OwnDefaults()), pickle.loads(pickled)):  # noqa: S301
            assert twin.bucket_name == "own-bucket"
