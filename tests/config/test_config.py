import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings
from hypothesis import given
from hypothesis import strategies as st
from storages.backends.s3boto3 import S3Boto3Storage

from smart_storages import config
from smart_storages.config import (
    get_bucket_config,
    get_default_bucket_config,
    merge_options,
    merging,
)
from smart_storages.config.options import known_options
from smart_storages.exceptions import ConfigurationError
from smart_storages.storages import SmartS3Storage

CREDENTIALS = {
    "AWS_S3_ACCESS_KEY_ID": "default-key",
    "AWS_S3_SECRET_ACCESS_KEY": "default-secret",
    "AWS_SESSION_TOKEN": "default-token",
    "AWS_S3_SESSION_PROFILE": None,
}


def buckets(**entries):
    return override_settings(SMART_STORAGE_BUCKETS=entries)


class TestDefaults:
    def test_without_settings_the_six_keys_are_there(self):
        assert get_default_bucket_config() == {
            "bucket_name": None,
            "location": "",
            "default_acl": None,
            "access_key": None,
            "secret_key": None,
            "region_name": None,
        }

    @override_settings(
        AWS_STORAGE_BUCKET_NAME="acme",
        AWS_LOCATION="files",
        AWS_DEFAULT_ACL="public-read",
        AWS_ACCESS_KEY_ID="key",
        AWS_SECRET_ACCESS_KEY="secret",
        AWS_S3_REGION_NAME="eu-west-1",
    )
    def test_they_hold_what_the_aws_settings_say(self):
        assert get_default_bucket_config() == {
            "bucket_name": "acme",
            "location": "files",
            "default_acl": "public-read",
            "access_key": "key",
            "secret_key": "secret",
            "region_name": "eu-west-1",
        }

    @pytest.mark.parametrize("in_s3_setting", [True, False])
    @pytest.mark.parametrize("in_setting", [True, False])
    @pytest.mark.parametrize("in_environment", [True, False])
    def test_keys_have_the_precedence_of_django_storages(
        self, monkeypatch, settings, in_s3_setting, in_setting, in_environment
    ):
        for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY"):
            if in_s3_setting:
                setattr(settings, f"AWS_S3_{name}", f"s3-{name}")
            if in_setting:
                setattr(settings, f"AWS_{name}", name)
            if in_environment:
                monkeypatch.setenv(f"AWS_{name}", f"environment-{name}")
        reference = S3Boto3Storage()
        defaults = get_default_bucket_config()
        assert defaults["access_key"] == reference.access_key
        assert defaults["secret_key"] == reference.secret_key

    def test_a_caller_that_changes_the_dict_changes_no_setting(self):
        get_default_bucket_config()["location"] = "changed"
        assert get_default_bucket_config()["location"] == ""

    @pytest.mark.parametrize(
        ("setting", "value"),
        [
            ("AWS_LOCATION", None),
            ("AWS_LOCATION", 3),
            ("AWS_STORAGE_BUCKET_NAME", ["acme"]),
            ("AWS_S3_OBJECT_PARAMETERS", None),
            ("AWS_DEFAULT_ACL", True),
        ],
    )
    def test_a_setting_of_the_wrong_type_is_named(self, settings, setting, value):
        setattr(settings, setting, value)
        with pytest.raises(ConfigurationError, match=setting):
            get_default_bucket_config()

    @override_settings(**CREDENTIALS)
    def test_its_secrets_print_as_stars(self):
        shown = repr(get_default_bucket_config())
        assert "default-key" not in shown
        assert "default-secret" not in shown


class TestModules:
    @override_settings(AWS_STORAGE_BUCKET_NAME="acme", AWS_S3_REGION_NAME="eu-west-1")
    def test_an_entry_stands_over_the_defaults(self):
        with buckets(media={"bucket_name": "acme-media", "location": "media/"}):
            entry = get_bucket_config("media")
        assert entry["bucket_name"] == "acme-media"
        assert entry["location"] == "media/"
        assert entry["region_name"] == "eu-west-1"

    @override_settings(AWS_STORAGE_BUCKET_NAME="acme")
    def test_an_unconfigured_name_gives_the_defaults(self):
        with buckets(media={"bucket_name": "acme-media"}):
            assert get_bucket_config("other") == get_default_bucket_config()

    def test_each_call_returns_a_fresh_dict(self):
        parameters = {"CacheControl": "max-age=60"}
        with buckets(media={"object_parameters": parameters}):
            first = get_bucket_config("media")
            first["location"] = "changed"
            first["object_parameters"]["CacheControl"] = "changed"
            assert get_bucket_config("media")["location"] == ""
            assert get_bucket_config("media")["object_parameters"] == parameters

    @override_settings(SMART_STORAGE_PROVIDER="minio", AWS_S3_ENDPOINT_URL="https://minio.example")
    def test_a_provider_for_all_modules_is_a_setting(self):
        entries = {"own": {"provider": "ceph"}, "none": {"provider": None}, "m": {}}
        with buckets(**entries):
            for module, expected in (("m", "minio"), ("own", "ceph"), ("none", "other")):
                storage = SmartS3Storage(module, bucket_name="acme")
                assert storage.s3_provider.name == expected
            assert SmartS3Storage("m", provider="r2").s3_provider.name == "r2"
            with override_settings(SMART_STORAGE_PROVIDER="ceph"):
                assert SmartS3Storage("m").s3_provider.name == "ceph"

    @pytest.mark.parametrize("value", ["minoi", 3, True])
    def test_a_wrong_provider_for_all_modules_is_named(self, settings, value):
        settings.SMART_STORAGE_PROVIDER = value
        with pytest.raises(ConfigurationError, match="SMART_STORAGE_PROVIDER") as raised:
            SmartS3Storage("m", bucket_name="acme").url("a")
        assert value != "minoi" or "Did you mean 'minio'?" in str(raised.value)

    def test_override_settings_takes_effect_at_once(self):
        with buckets(media={"location": "one"}):
            assert get_bucket_config("media")["location"] == "one"
            with buckets(media={"location": "two"}):
                assert get_bucket_config("media")["location"] == "two"
            assert get_bucket_config("media")["location"] == "one"
        assert get_bucket_config("media")["location"] == ""

    @pytest.mark.parametrize("name", sorted(S3Boto3Storage().get_default_settings()))
    def test_every_option_of_django_storages_is_a_valid_key(self, name):
        value = S3Boto3Storage().get_default_settings()[name]
        with buckets(media={name: value}):
            assert name in get_bucket_config("media")

    def test_any_other_key_is_refused_with_the_one_that_was_meant(self):
        with buckets(media={"locaton": "media"}):
            with pytest.raises(ImproperlyConfigured) as raised:
                get_bucket_config("media")
        message = str(raised.value)
        assert "SMART_STORAGE_BUCKETS['media']['locaton']" in message
        assert "'location'" in message

    @pytest.mark.parametrize(
        ("key", "value"),
        [
            ("bucket_name", 3),
            ("querystring_expire", "3600"),
            ("querystring_expire", True),
            ("querystring_auth", "no"),
            ("object_parameters", [("ACL", "private")]),
            ("client_config", {"read_timeout": 3}),
            ("transfer_config", {}),
            ("credentials", 7),
            ("credentials", "not_a_path"),
            ("default_acl", "publik-read"),
            ("addressing_style", "subdomain"),
            ("provider", "azure"),
        ],
    )
    def test_a_wrong_value_is_named_with_module_and_key(self, key, value):
        with buckets(media={key: value}), pytest.raises(ImproperlyConfigured) as raised:
            get_bucket_config("media")
        assert f"SMART_STORAGE_BUCKETS['media'][{key!r}]" in str(raised.value)

    @pytest.mark.parametrize(
        ("key", "expected"),
        [
            ("client_config", "must be botocore.config.Config, not dict"),
            ("transfer_config", "must be boto3.s3.transfer.TransferConfig, not dict"),
            ("verify", "must be bool or str, not dict"),
        ],
    )
    def test_a_class_that_has_to_be_imported_is_named_with_its_module(self, key, expected):
        with buckets(media={key: {}}), pytest.raises(ImproperlyConfigured, match=expected):
            get_bucket_config("media")

    @pytest.mark.parametrize("key", ["access_key", "secret_key", "cloudfront_key"])
    def test_a_wrong_value_of_a_secret_is_not_shown(self, key):
        with buckets(media={key: 31337}), pytest.raises(ImproperlyConfigured) as raised:
            get_bucket_config("media")
        assert "31337" not in str(raised.value)

    @pytest.mark.parametrize("entry", [None, "acme-media", ["bucket_name"], 3])
    def test_an_entry_that_is_no_dict_is_refused(self, entry):
        with buckets(media=entry), pytest.raises(ImproperlyConfigured, match=r"\['media'\]"):
            get_bucket_config("media")

    @pytest.mark.parametrize("value", ["media", [("media", {})], 7])
    def test_a_setting_that_is_no_dict_is_refused(self, value):
        with override_settings(SMART_STORAGE_BUCKETS=value):
            with pytest.raises(ImproperlyConfigured, match="SMART_STORAGE_BUCKETS"):
                get_bucket_config("media")


class TestPrecedence:
    LAYERS = ("arguments", "defaults", "entry", "presets", "aws")

    @pytest.mark.parametrize("first", range(5))
    def test_the_highest_place_that_names_an_option_gives_it(self, first):
        named = {place: {"location": place} for place in self.LAYERS[first:]}
        entries = {"m": named["entry"]} if "entry" in named else {}
        aws = {"AWS_LOCATION": "aws"}
        with override_settings(SMART_STORAGE_BUCKETS=entries, **aws):
            merged = merge_options(
                "m",
                arguments=named.get("arguments"),
                defaults=named.get("defaults"),
                presets=named.get("presets"),
            )
        assert merged["location"] == self.LAYERS[first]

    @override_settings(AWS_DEFAULT_ACL="public-read", AWS_LOCATION="files")
    def test_a_none_that_a_module_sets_switches_the_default_off(self):
        with buckets(m={"default_acl": None, "location": None}):
            assert get_bucket_config("m")["default_acl"] is None
            assert get_bucket_config("m")["location"] == ""
            assert merge_options("m")["default_acl"] is None

    def test_a_none_that_nobody_set_is_left_out(self):
        assert None not in merge_options("m").values()


class TestCredentials:
    NAMED = {
        "access_key": "own-key",
        "secret_key": "own-secret",
        "security_token": "own-token",
        "session_profile": "own-profile",
        "role_arn": "arn:aws:iam::123456789012:role/own",
        "credentials": "myproject.keys.get",
    }

    @pytest.mark.parametrize("named", sorted(NAMED))
    @override_settings(**CREDENTIALS)
    def test_a_module_that_names_one_takes_none_of_the_defaults(self, named):
        with buckets(m={named: self.NAMED[named]}):
            merged = merge_options("m")
        assert merged.pop(named) == self.NAMED[named]
        assert not {value for value in merged.values() if str.startswith(str(value), "default")}
        for key in ("access_key", "secret_key", "security_token"):
            assert merged.get(key) is None

    @override_settings(**CREDENTIALS)
    def test_a_module_that_names_none_takes_all_of_the_defaults(self):
        with buckets(m={"bucket_name": "acme"}):
            merged = merge_options("m")
        assert merged["access_key"] == "default-key"
        assert merged["secret_key"] == "default-secret"

    @given(
        places=st.dictionaries(
            st.sampled_from(["arguments", "defaults", "entry", "presets"]),
            st.sets(st.sampled_from(["access_key", "secret_key", "security_token"]), min_size=1),
        )
    )
    def test_the_parts_of_a_set_all_come_from_one_place(self, places):
        layers = {place: {key: f"{place}-{key}" for key in keys} for place, keys in places.items()}
        entry = layers.get("entry", {})
        with override_settings(SMART_STORAGE_BUCKETS={"m": entry}, **CREDENTIALS):
            merged = merge_options(
                "m",
                arguments=layers.get("arguments"),
                defaults=layers.get("defaults"),
                presets=layers.get("presets"),
            )
        keys = ("access_key", "secret_key", "security_token")
        origins = {merged[key].reveal().split("-")[0] for key in keys if merged.get(key)}
        assert len(origins) == 1

    @override_settings(**CREDENTIALS)
    def test_a_key_of_none_means_what_botocore_finds_and_not_the_defaults(self):
        with buckets(m={"access_key": None}):
            assert merge_options("m")["access_key"] is None
            assert merge_options("m")["secret_key"] is None


class TestUnsignedUrls:
    def test_public_read_gives_unsigned_urls(self):
        with buckets(m={"default_acl": "public-read"}):
            assert merge_options("m")["querystring_auth"] is False

    def test_a_querystring_auth_of_its_own_is_kept(self):
        with buckets(m={"default_acl": "public-read", "querystring_auth": True}):
            assert merge_options("m")["querystring_auth"] is True

    @override_settings(AWS_QUERYSTRING_AUTH=True)
    def test_a_modules_own_public_read_outranks_the_aws_setting(self):
        with buckets(m={"default_acl": "public-read"}):
            assert merge_options("m")["querystring_auth"] is False

    @override_settings(AWS_DEFAULT_ACL="public-read", AWS_QUERYSTRING_AUTH=True)
    def test_two_aws_settings_are_both_taken_at_their_word(self):
        assert "querystring_auth" not in merge_options("m")

    def test_private_urls_stay_signed(self):
        with buckets(m={"default_acl": "private"}):
            assert "querystring_auth" not in merge_options("m")


class TestLimit:
    def test_it_is_256_clients_by_default(self):
        assert config.get_max_clients() == 256

    @override_settings(SMART_STORAGE_MAX_CLIENTS=3)
    def test_a_setting_changes_it(self):
        assert config.get_max_clients() == 3

    @pytest.mark.parametrize("value", [0, -1, "8", True, None])
    def test_a_limit_that_is_none_is_refused(self, settings, value):
        settings.SMART_STORAGE_MAX_CLIENTS = value
        with pytest.raises(ConfigurationError, match="SMART_STORAGE_MAX_CLIENTS"):
            config.get_max_clients()


def test_the_known_options_are_those_of_django_storages_and_ours():
    ours = {"cloudfront_signer", "credentials", "external_id", "provider", "role_arn"}
    assert set(S3Boto3Storage().get_default_settings()) | ours <= known_options()


def test_a_signer_of_none_switches_off_the_one_of_the_settings():
    assert "cloudfront_signer" not in config.merge_options("media")
    merged = config.merge_options("media", arguments={"cloudfront_signer": None, "proxies": None})
    assert merged["cloudfront_signer"] is None
    assert "proxies" not in merged


@pytest.mark.parametrize(
    ("acl", "is_signed"),
    [("public-read", False), ("public-read-write", False), ("authenticated-read", None)],
)
def test_what_anybody_may_read_needs_no_signature(acl, is_signed):
    merged = config.merge_options("media", arguments={"default_acl": acl})
    assert merged.get("querystring_auth") is is_signed


def test_settings_that_are_valid_are_validated_once(settings, monkeypatch):
    calls = []
    find = merging.find_upstream_problems
    monkeypatch.setattr(
        merging, "find_upstream_problems", lambda given: calls.append(1) or find(given)
    )
    parameters = {"CacheControl": "no-store"}
    settings.AWS_S3_OBJECT_PARAMETERS = parameters
    config.get_upstream_options()
    config.get_upstream_options()
    assert len(calls) == 1
    # Changed in place, it is another setting.
    parameters["ACL"] = "nonsense"
    with pytest.raises(ConfigurationError, match="AWS_S3_OBJECT_PARAMETERS"):
        config.get_upstream_options()
