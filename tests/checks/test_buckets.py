import pytest
from django.core.checks import run_checks
from django.db import models
from django.test.utils import isolate_apps

from smart_storages import config
from smart_storages.checks import buckets as checks
from smart_storages.checks import check_buckets, check_storages, in_use
from smart_storages.exceptions import ConfigurationError
from smart_storages.storages import (
    DocumentStorage,
    MediaStorage,
    PrivateStorage,
    PublicStorage,
    SmartS3Storage,
    StaticStorage,
)
from smart_storages.utils import create_storage_class

GOOD = {"bucket_name": "acme"}
GENERATED = create_storage_class("a", default_acl="private")


class PublicReports(PrivateStorage):
    """A class that undoes what its base is for."""

    default_acl = "public-read"


def ids(messages):
    return sorted(message.id.split(".")[1] for message in messages)


def with_buckets(settings, **entries):
    settings.SMART_STORAGE_BUCKETS = entries
    return check_buckets()


class TestBuckets:
    def test_settings_that_are_right_raise_nothing(self, settings):
        assert not with_buckets(
            settings,
            media={"bucket_name": "a", "location": "media/", "default_acl": "public-read"},
            static={"bucket_name": "a", "location": "static/", "default_acl": "public-read"},
            documents={"bucket_name": "b", "region_name": "eu-central-1"},
            pii={"bucket_name": "c", "access_key": "a", "secret_key": "b"},
            **{"tenant_*": {"bucket_name": "d", "location": "{module}/"}},
        )

    def test_no_settings_at_all_raise_nothing(self, settings):
        assert not check_buckets()

    @pytest.mark.parametrize(
        ("entry", "expected"),
        [
            ({"locaton": "a"}, "E002"),
            ({"querystring_expire": "3600"}, "E003"),
            ({"credentials": 3}, "E003"),
            ({"default_acl": "publik"}, "E004"),
            ({"provider": "azure"}, "E004"),
            ({"bucket_name": None}, "W003"),
            ({"querystring_expire": -5}, "E005"),
            ({"querystring_expire": 10**9}, "E005"),
            ({"querystring_expire": 604_800, "url_stable_for": 1}, "E005"),
            ({"credentials": "no.such.callable"}, "E003"),
            ({"credentials": "..no.such.callable"}, "E003"),
            ({"credentials": "os.sep"}, "E003"),
            ({"AWS_STORAGE_BUCKET_NAME": "a"}, "E002"),
            ({"custom_domain": "https://cdn.example.com"}, "E012"),
            ({"custom_domain": "cdn.example.com/"}, "E012"),
            ({"public_endpoint_url": "s3.example.com"}, "E009"),
            ({"endpoint_url": "https://user:hunter2@s3.example.com"}, "E009"),
            ({"access_key": "a"}, "E006"),
            ({"secret_key": "a"}, "E006"),
            ({"security_token": "a"}, "E006"),
            ({"external_id": "a"}, "E006"),
            ({"access_key": "a", "secret_key": "b", "session_profile": "c"}, "E007"),
            ({"session_profile": "c", "credentials": "os.getcwd"}, "E007"),
            ({"location": "/media"}, "E008"),
            ({"location": "media/../other"}, "E008"),
            ({"location": "media\\..\\other"}, "E008"),
            ({"endpoint_url": "s3.example.com"}, "E009"),
        ],
    )
    def test_each_mistake_has_its_id(self, settings, entry, expected):
        (message,) = with_buckets(settings, m={**GOOD, **entry})
        assert message.id == f"smart_storages.{expected}"
        assert "SMART_STORAGE_BUCKETS['m']" in message.msg
        assert message.hint
        assert "hunter2" not in message.msg + message.hint

    @pytest.mark.parametrize("key", ["AWS_STORAGE_BUCKET_NAME", "BUCKET_NAME", "bucketname"])
    def test_the_usual_misspellings_lead_to_the_option(self, settings, key):
        (message,) = with_buckets(settings, m={**GOOD, key: "a"})
        assert message.hint == "Did you mean 'bucket_name'?"

    @pytest.mark.parametrize(
        "entry", [{}, {"location": "t/"}, {"object_parameters": {"Metadata": {"a": "{module}"}}}]
    )
    def test_a_pattern_whose_modules_share_their_files(self, settings, entry):
        assert ids(with_buckets(settings, **{"t_*": {**GOOD, **entry}})) == ["W004"]

    @pytest.mark.parametrize(
        "entry",
        [{"location": "{module}"}, {"location": "a/{module}/b"}, {"bucket_name": "a-{module}"}],
    )
    def test_a_pattern_whose_modules_have_their_own(self, settings, entry):
        assert ids(with_buckets(settings, **{"t_*": {**GOOD, **entry}})) == []

    def test_an_unknown_key_is_told_with_the_one_that_was_meant(self, settings):
        (message,) = with_buckets(settings, m={**GOOD, "quertystring_auth": True})
        assert "'querystring_auth'" in message.hint

    @pytest.mark.parametrize("value", ["media", 3, [("media", {})]])
    def test_a_setting_that_is_no_dict(self, settings, value):
        settings.SMART_STORAGE_BUCKETS = value
        assert ids(check_buckets()) == ["E001"]

    @pytest.mark.parametrize("entries", [{"m": None}, {"m": "acme"}, {3: GOOD}, {"": GOOD}])
    def test_an_entry_that_is_no_dict_or_has_no_name(self, settings, entries):
        settings.SMART_STORAGE_BUCKETS = entries
        assert ids(check_buckets()) == ["E001"]

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("AWS_LOCATION", None),
            ("SMART_STORAGE_MAX_CLIENTS", 0),
            ("SMART_STORAGE_SLOW_SECONDS", -1),
            ("SMART_STORAGE_PROVIDER", "minoi"),
            ("SMART_STORAGE_PROVIDER", 3),
            ("SMART_STORAGE_METADATA_CACHE", "nowhere"),
            ("SMART_STORAGE_METADATA_CACHE", []),
            ("SMART_STORAGE_LOCK_CACHE", "nowhere"),
            ("SMART_STORAGE_LOCK_CACHE", {}),
        ],
    )
    def test_another_setting_that_is_wrong(self, settings, name, value):
        setattr(settings, name, value)
        (message,) = check_buckets()
        assert message.id == "smart_storages.E001"
        assert name in message.msg

    @pytest.mark.parametrize(
        ("name", "value", "expected"),
        [
            ("AWS_LOCATION", "/a", "E008"),
            ("AWS_S3_ENDPOINT_URL", "s3.example.com", "E009"),
            ("AWS_QUERYSTRING_EXPIRE", "abc", "E005"),
            ("AWS_S3_CUSTOM_DOMAIN", "https://cdn.example.com", "E012"),
            ("AWS_S3_ACCESS_KEY_ID", "a", "E006"),
        ],
    )
    def test_a_mistake_in_an_aws_setting_is_told_of_there(self, settings, name, value, expected):
        setattr(settings, name, value)
        (message,) = with_buckets(settings, m=GOOD)
        assert message.id == f"smart_storages.{expected}"
        assert "SMART_STORAGE_BUCKETS" not in message.msg
        with pytest.raises(ConfigurationError, match="AWS_"):
            SmartS3Storage("m", bucket_name="acme").url("a.txt")

    def test_several_mistakes_are_all_told(self, settings):
        messages = with_buckets(settings, a={"x": 1, "location": 3}, b={**GOOD, "location": "/"})
        assert ids(messages) == ["E002", "E003", "E008"]

    @pytest.mark.parametrize("name", ["documents", "private"])
    def test_a_private_class_that_is_public(self, settings, name):
        entry = {**GOOD, "default_acl": "public-read", "location": "a"}
        (message,) = with_buckets(settings, **{name: entry})
        assert message.id == "smart_storages.E010"

    @pytest.mark.parametrize("acl", ["public-read", "public-read-write", "authenticated-read"])
    def test_a_private_class_that_is_public_by_its_object_parameters(self, settings, acl):
        entry = {**GOOD, "object_parameters": {"ACL": acl}}
        (message,) = with_buckets(settings, documents=entry)
        assert message.id == "smart_storages.E010"
        assert f"['documents']['object_parameters'] has the ACL {acl!r}" in message.msg
        assert not with_buckets(settings, reports=entry)

    def test_a_private_class_that_is_public_by_the_aws_setting(self, settings):
        settings.AWS_S3_OBJECT_PARAMETERS = {"ACL": "public-read"}
        (message,) = with_buckets(settings, documents=GOOD)
        assert message.id == "smart_storages.E010"
        assert "AWS_S3_OBJECT_PARAMETERS" in message.hint
        assert not with_buckets(settings, documents={**GOOD, "object_parameters": {}})

    def test_object_parameters_that_are_not_public_are_private_enough(self, settings):
        entry = {**GOOD, "object_parameters": {"ACL": "private", "CacheControl": "no-cache"}}
        assert not with_buckets(settings, documents=entry)

    def test_object_parameters_count_where_locations_overlap(self, settings):
        public = {**GOOD, "object_parameters": {"ACL": "public-read"}}
        assert ids(with_buckets(settings, one=GOOD, other=public)) == ["W001"]
        assert not with_buckets(settings, one=public, other={**GOOD, "default_acl": "public-read"})

    @pytest.mark.parametrize("key", ["me/*", "**", "t**x", "..*", "a{*", "a\n*", "*\\"])
    def test_a_pattern_that_fits_no_module(self, settings, key):
        (message,) = with_buckets(settings, **{key: {**GOOD, "location": "{module}/"}})
        assert message.id == "smart_storages.E001"
        assert f"SMART_STORAGE_BUCKETS[{key!r}] matches no module" in message.msg

    def test_a_pattern_whose_names_all_reach_a_longer_one_that_refuses_them(self, settings):
        entry = {**GOOD, "location": "{module}/"}
        (message,) = with_buckets(settings, **{"a*": entry, "*a*": entry})
        assert message.id == "smart_storages.E001"
        assert "SMART_STORAGE_BUCKETS['a*'] is never used" in message.msg
        assert "'*a*'" in message.msg
        with pytest.raises(ConfigurationError, match="nothing in the place of"):
            config.get_bucket_config("ax")

    def test_a_pattern_beside_one_that_is_told_of(self, settings):
        entry = {**GOOD, "location": "{module}/"}
        messages = with_buckets(settings, **{"t*": entry, "t**": {"nonsense": 1}})
        assert ids(messages) == ["E001", "E002"]

    def test_a_name_that_cannot_stand_for_the_placeholder(self, settings):
        (message,) = with_buckets(settings, **{"me/dia": {**GOOD, "location": "{module}/"}})
        assert message.id == "smart_storages.E001"
        assert "SMART_STORAGE_BUCKETS['me/dia'] cannot fill in {module}" in message.msg
        assert not with_buckets(settings, **{"me/dia": {**GOOD, "location": "a/"}})

    @pytest.mark.parametrize("field", ["tenant", "Module", "", "module!r"])
    def test_a_pattern_with_an_unknown_placeholder(self, settings, field):
        entry = {**GOOD, "location": f"{{{field}}}/"}
        (message,) = with_buckets(settings, **{"tenant_*": entry})
        assert message.id == "smart_storages.E011"
        assert f"{{{field}}}" in message.msg

    @pytest.mark.parametrize(
        ("one", "other", "warned"),
        [
            ({}, {"default_acl": "public-read"}, True),
            ({"location": "a"}, {"location": "a/b", "default_acl": "public-read"}, True),
            ({"location": "a/"}, {"location": "a", "default_acl": "public-read"}, True),
            ({"location": "a"}, {"location": "ab", "default_acl": "public-read"}, False),
            ({"location": "a"}, {"location": "b", "default_acl": "public-read"}, False),
            ({"default_acl": "private"}, {"default_acl": None}, False),
            ({}, {"bucket_name": "other", "default_acl": "public-read"}, False),
            ({}, {"endpoint_url": "http://localhost:1", "default_acl": "public-read"}, False),
        ],
    )
    def test_overlapping_locations_with_different_acls(self, settings, one, other, warned):
        messages = with_buckets(settings, one={**GOOD, **one}, other={**GOOD, **other})
        assert ids(messages) == (["W001"] if warned else [])

    def test_a_pattern_beside_a_module_it_fits_is_judged_by_its_own_entry(self, settings):
        messages = with_buckets(
            settings,
            **{"tenant_*": {**GOOD, "location": "/{module}"}, "tenant_x": {**GOOD}},
        )
        assert ids(messages) == ["E008"]

    def test_static_files_with_signed_urls(self, settings):
        entry = {**GOOD, "querystring_auth": True}
        assert ids(with_buckets(settings, static=entry)) == ["W002"]
        assert ids(with_buckets(settings, static=GOOD)) == []


def set_storages(settings, **aliases):
    settings.STORAGES = {
        alias: {"BACKEND": f"smart_storages.storages.{backend}", "OPTIONS": options}
        for alias, (backend, options) in aliases.items()
    }
    return check_storages()


class TestStorages:
    def test_an_alias_without_a_bucket(self, settings):
        messages = set_storages(settings, reports=("SmartS3Storage", {"module_name": "reports"}))
        assert ids(messages) == ["W003"]
        assert "STORAGES['reports'] (module 'reports')" in messages[0].msg

    @pytest.mark.parametrize(
        "options",
        [
            {"bucket": "acme"},
            {"location": "/a"},
            {"access_key": "a"},
            {"default_acl": 3},
            {"module_name": 7},
        ],
    )
    def test_an_alias_with_a_wrong_option(self, settings, options):
        messages = set_storages(settings, reports=("SmartS3Storage", {**GOOD, **options}))
        assert ids(messages) == ["E001"]

    @pytest.mark.parametrize(
        ("backend", "options", "warned"),
        [
            ("SmartS3Storage", {"module_name": "new", "default_acl": "public-read"}, True),
            ("SmartS3Storage", {"location": "reports/a", "default_acl": "public-read"}, True),
            ("SmartS3Storage", {"location": "report", "default_acl": "public-read"}, False),
            ("SmartS3Storage", {"default_acl": "public-read", "endpoint_url": "http://a"}, False),
            ("SmartS3Storage", {"object_parameters": {"ACL": "public-read"}}, True),
            ("SmartS3Storage", {"default_acl": "private"}, False),
            ("SmartS3Storage", {"module_name": "reports", "default_acl": "public-read"}, False),
            ("PublicStorage", {"location": "reports"}, True),
            ("PublicStorage", {}, False),
        ],
    )
    def test_an_alias_that_overlaps_a_module_with_another_acl(
        self, settings, backend, options, warned
    ):
        settings.SMART_STORAGE_BUCKETS = {"reports": {**GOOD, "location": "reports/"}}
        options = {**GOOD, "location": options.pop("location", ""), **options}
        if backend == "PublicStorage" and not options["location"]:
            del options["location"]
        messages = set_storages(settings, first=(backend, options))
        assert ids(messages) == (["W001"] if warned else [])
        assert check_buckets() == []
        if warned:
            assert "STORAGES['first']" in messages[0].msg
            assert "SMART_STORAGE_BUCKETS['reports']" in messages[0].msg
            assert "'acme'" in messages[0].msg

    def test_two_aliases_that_overlap_with_different_acls(self, settings):
        settings.AWS_STORAGE_BUCKET_NAME = "acme"
        messages = set_storages(
            settings, media=("MediaStorage", {}), open=("PublicStorage", {"location": "media/a"})
        )
        assert ids(messages) == ["W001"]
        assert "STORAGES['media']" in messages[0].msg
        assert "STORAGES['open']" in messages[0].msg
        assert set_storages(settings, media=("MediaStorage", {}), open=("PublicStorage", {})) == []

    def test_an_overlap_of_two_entries_is_told_of_once(self, settings):
        settings.SMART_STORAGE_BUCKETS = {"a": GOOD, "b": {**GOOD, "default_acl": "public-read"}}
        assert ids(check_buckets()) == ["W001"]
        assert set_storages(settings, a=("SmartS3Storage", {"bucket_name": "c"})) == []

    def test_an_alias_without_a_bucket_overlaps_nothing(self, settings):
        messages = set_storages(
            settings, a=("MediaStorage", {}), b=("PublicStorage", {"location": "media"})
        )
        assert ids(messages) == ["W003", "W003"]

    def test_a_module_and_its_alias_are_told_of_once(self, settings):
        settings.SMART_STORAGE_BUCKETS = {"media": {"location": "/a", "bucket_name": "acme"}}
        assert ids(check_buckets()) == ["E008"]
        assert set_storages(settings, default=("MediaStorage", {})) == []

    def test_static_files_with_signed_urls(self, settings):
        messages = set_storages(settings, staticfiles=("SmartS3Storage", GOOD))
        assert ids(messages) == ["W002"]

    def test_a_private_class_made_public_by_an_alias(self, settings):
        options = {**GOOD, "default_acl": "public-read"}
        assert ids(set_storages(settings, reports=("DocumentStorage", options))) == ["E010"]

    @pytest.mark.parametrize("name", ["DocumentStorage", "PrivateStorage"])
    def test_a_private_class_made_public_by_object_parameters(self, settings, name):
        options = {**GOOD, "object_parameters": {"ACL": "public-read"}}
        assert ids(set_storages(settings, reports=(name, options))) == ["E010"]
        settings.AWS_S3_OBJECT_PARAMETERS = {"ACL": "authenticated-read"}
        assert ids(set_storages(settings, reports=(name, GOOD))) == ["E010"]

    def test_backends_of_others_are_left_alone(self, settings, tmp_path):
        settings.STORAGES = {
            "disk": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
            "broken": {"BACKEND": "no.such.Storage"},
            "empty": {},
        }
        assert check_storages() == []

    @isolate_apps("tests")
    def test_a_field_whose_storage_has_no_bucket(self, settings, monkeypatch):
        class Article(models.Model):
            image = models.ImageField(storage=MediaStorage())
            source = models.FileField(storage=DocumentStorage(bucket_name="acme"))
            other = models.FileField()

            class Meta:
                app_label = "tests"

        monkeypatch.setattr(in_use.apps, "get_models", lambda: [Article])
        (message,) = check_storages()
        assert message.id == "smart_storages.W003"
        assert "tests.Article.image (module 'media')" in message.msg

    @pytest.mark.parametrize(
        "params",
        [
            {"BACKEND": "smart_storages.storages.MediaStorag"},
            {"BACKEND": "smart_storages.storages.MediaStorage", "OPTIONS": ["x"]},
        ],
    )
    def test_an_alias_of_ours_that_cannot_be_built(self, settings, params):
        settings.STORAGES = {"default": params}
        assert ids(check_storages()) == ["E001"]

    @isolate_apps("tests")
    def test_a_field_of_a_generated_private_class_made_public(self, settings, monkeypatch):
        made = create_storage_class("a", default_acl="private", bucket_name="acme")

        class Report(models.Model):
            file = models.FileField(storage=made(default_acl="public-read"))

            class Meta:
                app_label = "tests"

        monkeypatch.setattr(in_use.apps, "get_models", lambda: [Report])
        assert ids(check_storages()) == ["E010"]

    @pytest.mark.parametrize(
        ("storage_class", "expected"),
        [
            (create_storage_class("a", base=PrivateStorage, default_acl="public-read"), ["E010"]),
            (PublicReports, ["E010"]),
            (create_storage_class("a", base=PublicReports), ["E010"]),
            (create_storage_class("a", base=GENERATED, default_acl="public-read"), ["E010"]),
            (create_storage_class("a", base=PublicReports, default_acl="private"), []),
            (create_storage_class("a", base=PublicStorage), []),
            (create_storage_class("a", default_acl="public-read"), []),
        ],
    )
    @isolate_apps("tests")
    def test_a_field_of_a_private_class_whose_subclass_is_public(
        self, settings, monkeypatch, storage_class, expected
    ):
        class Report(models.Model):
            file = models.FileField(storage=storage_class(bucket_name="acme"))

            class Meta:
                app_label = "tests"

        monkeypatch.setattr(in_use.apps, "get_models", lambda: [Report])
        assert ids(check_storages()) == expected


class TestSafety:
    def test_no_message_shows_a_secret(self, settings):
        secrets = {"access_key": 31337, "secret_key": b"hunter2", "cloudfront_key": 31337}
        messages = with_buckets(
            settings,
            a=secrets,
            b={"access_key": "hunter2", "session_profile": "p", "location": "/x"},
            c={"security_token": "hunter2"},
        )
        assert len(messages) >= 5
        text = " ".join(f"{message.msg} {message.hint}" for message in messages)
        assert "hunter2" not in text
        assert "31337" not in text

    def test_django_runs_them(self, settings):
        settings.SMART_STORAGE_BUCKETS = {"m": {"nonsense": 1}}
        assert "smart_storages.E002" in [message.id for message in run_checks()]

    @pytest.mark.documentation
    def test_every_id_is_given_once_and_documented(self):
        from pathlib import Path

        page = Path(__file__).parents[2].joinpath("docs", "checks.md").read_text("utf-8")
        numbers = list(checks._IDS.values())
        assert len(set(numbers)) == len(numbers)
        for number in numbers:
            assert f"## smart_storages.{number}" in page

    def test_they_do_no_network_io(self, settings, monkeypatch):
        def refuse(*args, **kwargs):
            raise AssertionError("a check opened a connection")

        monkeypatch.setattr("socket.socket.connect", refuse)
        settings.SMART_STORAGE_BUCKETS = {"media": {**GOOD, "session_profile": "p"}}
        settings.STORAGES = {"default": {"BACKEND": "smart_storages.storages.MediaStorage"}}
        assert check_buckets() == []
        assert check_storages() == []


def test_a_static_storage_of_ones_own_is_checked_by_its_class():
    class Assets(StaticStorage):
        querystring_auth = True

    assert issubclass(Assets, SmartS3Storage)
    module = checks._Module("assets", "here", {**GOOD, "querystring_auth": True}, Assets)
    assert ids(checks._check_module(module)) == ["W002"]
