import copy
import pickle

import pytest
from django.core.files.storage import FileSystemStorage, default_storage
from django.test import override_settings

from smart_storages.exceptions import ConfigurationError
from smart_storages.storages import DocumentStorage, MediaStorage, SmartS3Storage
from smart_storages.utils import (
    create_storage,
    create_storage_class,
    get_storage,
    resolve_storage,
    storages,
)

TENANT = create_storage_class("tenant_x", default_acl="private")


class NamedStorage(TENANT):
    """A class that somebody wrote on top of a generated one."""


class TestClasses:
    @pytest.mark.parametrize(
        ("module_name", "class_name"),
        [
            ("uploads", "UploadsStorage"),
            ("my-custom-storage", "My_custom_storageStorage"),
            ("123uploads", "_123uploadsStorage"),
            ("a b.c", "A_b_cStorage"),
            ("éclair", "ÉclairStorage"),
        ],
    )
    def test_a_class_is_named_after_its_module(self, module_name, class_name):
        made = create_storage_class(module_name)
        assert made.__name__ == class_name
        assert made.__name__.isidentifier()
        assert made().module_name == module_name

    @pytest.mark.parametrize("module_name", ["", None, 3])
    def test_a_name_of_nothing_is_refused(self, module_name):
        with pytest.raises(ValueError, match="name of a module"):
            create_storage_class(module_name)

    def test_the_same_call_gives_the_same_class(self):
        options = {"default_acl": "private", "object_parameters": {"CacheControl": "no-cache"}}
        one = create_storage_class("a", **options)
        assert create_storage_class("a", **copy.deepcopy(options)) is one
        assert create_storage_class("b", **options) is not one
        assert create_storage_class("a", default_acl="private") is not one
        assert create_storage_class("a", base=MediaStorage, **options) is not one

    def test_values_that_are_equal_but_not_the_same_give_their_own_class(self):
        classes = {create_storage_class("a", verify=value) for value in (True, False, None, "1")}
        assert len(classes) == 4

    def test_its_defaults_stand_over_settings_and_under_arguments(self):
        made = create_storage_class("a", location="factory")
        with override_settings(SMART_STORAGE_BUCKETS={"a": {"location": "entry"}}):
            assert made().location == "factory"
            assert made(location="argument").location == "argument"

    def test_a_base_gives_its_presets(self):
        made = create_storage_class("a", base=DocumentStorage)
        assert issubclass(made, DocumentStorage)
        assert made().default_acl == "private"
        assert made().module_name == "a"

    def test_a_default_that_is_no_option_is_refused(self):
        with pytest.raises(ConfigurationError, match="default_acl"):
            create_storage_class("a", default_acls="private")

    @pytest.mark.parametrize(
        ("base", "says"),
        [
            (3, "base must be SmartS3Storage.*not int"),
            (None, "base must be SmartS3Storage.*not NoneType"),
            ({"secret_key": "hunter2"}, "base must be SmartS3Storage.*not dict"),
            (FileSystemStorage, "base must be SmartS3Storage.*not FileSystemStorage"),
            (MediaStorage(), "base must be SmartS3Storage.*not MediaStorage"),
            ("os.sep", "base must be SmartS3Storage.*not str"),
            ("no.such", "the base 'no.such' cannot be imported"),
            ("", "the base '' cannot be imported"),
            (".such", "the base '.such' cannot be imported"),
            ("..no.such", "the base '..no.such' cannot be imported"),
        ],
    )
    def test_a_base_that_is_no_class_of_ours_is_refused(self, base, says):
        with pytest.raises(ConfigurationError, match=rf"create_storage_class\('a'\): .*{says}"):
            create_storage_class("a", base=base)

    def test_a_base_may_be_a_dotted_path(self):
        made = create_storage_class("a", base="smart_storages.storages.MediaStorage")
        assert made is create_storage_class("a", base=MediaStorage)

    def test_its_class_shows_the_call_that_made_it(self):
        assert "create_storage_class('tenant_x', default_acl='private')" in repr(TENANT)


class TestCopies:
    @pytest.mark.parametrize(
        "storage_class",
        [TENANT, NamedStorage, create_storage_class("a", base=DocumentStorage, location="b")],
    )
    @pytest.mark.parametrize(
        "duplicate",
        [copy.copy, copy.deepcopy, lambda storage: pickle.loads(pickle.dumps(storage))],  # noqa: S301
        ids=["copy", "deepcopy", "pickle"],
    )
    def test_instances_can_be_copied(self, storage_class, duplicate):
        storage = storage_class(querystring_expire=77)
        twin = duplicate(storage)
        assert type(twin) is storage_class
        assert twin.querystring_expire == 77
        assert twin.default_acl == storage.default_acl == "private"
        assert twin.location == storage.location

    @pytest.mark.parametrize("storage_class", [TENANT, NamedStorage])
    def test_classes_can_be_pickled(self, storage_class):
        assert pickle.loads(pickle.dumps(storage_class)) is storage_class  # noqa: S301 - our own

    def test_credentials_of_a_class_stay_out_of_everything(self):
        made = create_storage_class("a", access_key="hunter2", secret_key="hunter2")
        storage = made()
        shown = [repr(made), repr(vars(made)), repr(storage), repr(storage.deconstruct())]
        assert not [text for text in shown if "hunter2" in text]
        assert b"hunter2" not in pickle.dumps(storage)
        with pytest.raises(TypeError, match="never pickled"):
            pickle.dumps(made)

    def test_a_storage_without_its_credentials_never_uses_others(self):
        made = create_storage_class(
            "a", access_key="hunter2", secret_key="hunter2", bucket_name="acme"
        )
        keys = {"AWS_ACCESS_KEY_ID": "default", "AWS_SECRET_ACCESS_KEY": "default"}
        with override_settings(**keys):
            twin = pickle.loads(pickle.dumps(made()))  # noqa: S301 - our own
        with pytest.raises(ConfigurationError, match="access_key, secret_key"):
            twin.url("a.txt")

    def test_deconstructing_gives_the_factory_call(self):
        path, args, kwargs = TENANT(location="a").deconstruct()
        assert path == "smart_storages.utils.create_storage"
        assert args == ("tenant_x", {"default_acl": "private"})
        assert kwargs == {"location": "a"}
        assert type(create_storage(*args, **kwargs)) is TENANT

    def test_a_class_of_somebody_elses_deconstructs_to_its_own_path(self):
        assert NamedStorage().deconstruct() == (f"{__name__}.NamedStorage", (), {})


class TestSharedStorages:
    def test_every_caller_gets_the_same_one(self):
        assert get_storage("reports") is get_storage("reports")
        assert get_storage("reports") is not get_storage("other")

    def test_the_name_of_a_ready_made_class_gives_it(self):
        assert type(get_storage("documents")) is DocumentStorage

    def test_a_change_of_settings_makes_a_new_one(self):
        with override_settings(SMART_STORAGE_BUCKETS={"reports": {"location": "one"}}):
            one = get_storage("reports")
            assert one.location == "one"
        with override_settings(SMART_STORAGE_BUCKETS={"reports": {"location": "two"}}):
            assert get_storage("reports").location == "two"
        assert get_storage("reports").location == ""

    @pytest.mark.parametrize("name", ["", None, 3, [], {}])
    def test_a_name_of_nothing_is_refused(self, name):
        with pytest.raises(ValueError, match=r"get_storage\(\) needs the name of a module"):
            get_storage(name)


@pytest.fixture
def _named(settings):
    settings.SMART_STORAGE_BUCKETS = {"reports": {"location": "r"}, "tenant_*": {"location": "t"}}
    settings.STORAGES = {
        "default": {"BACKEND": "smart_storages.storages.MediaStorage"},
        "staticfiles": {"BACKEND": "smart_storages.storages.StaticStorage"},
        "reports": {
            "BACKEND": "smart_storages.storages.SmartS3Storage",
            "OPTIONS": {"module_name": "reports", "location": "alias"},
        },
    }


@pytest.mark.usefixtures("_named")
class TestReferences:
    def test_an_alias_comes_first(self):
        assert resolve_storage("reports").location == "alias"
        assert resolve_storage("reports") is storages["reports"]

    def test_then_a_module(self):
        assert resolve_storage("tenant_x").location == "t"
        assert resolve_storage("tenant_x") is get_storage("tenant_x")

    def test_then_a_ready_made_name(self):
        assert type(resolve_storage("documents")) is DocumentStorage

    @pytest.mark.parametrize(
        "path",
        [
            "django.core.files.storage.FileSystemStorage",
            "django.core.files.storage.default_storage",
        ],
    )
    def test_then_a_dotted_path(self, path):
        assert hasattr(resolve_storage(path), "save")

    def test_a_dotted_path_comes_before_a_pattern_for_all(self, settings):
        settings.SMART_STORAGE_BUCKETS = {"*": {"location": "any"}}
        path = "django.core.files.storage.FileSystemStorage"
        assert isinstance(resolve_storage(path), FileSystemStorage)
        assert resolve_storage("acme.example.com").location == "any"

    def test_a_dict_is_built_with_its_options(self, tmp_path):
        reference = {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            "OPTIONS": {"location": str(tmp_path)},
        }
        assert resolve_storage(reference).location == str(tmp_path)

    def test_a_storage_a_class_and_a_callable_are_taken_as_they_are(self):
        storage = SmartS3Storage("reports")
        assert resolve_storage(storage) is storage
        assert type(resolve_storage(MediaStorage)) is MediaStorage
        assert resolve_storage(lambda: storage) is storage
        assert resolve_storage(default_storage) is default_storage

    @pytest.mark.parametrize(
        ("reference", "says"),
        [
            ("missing", "Known are: .*default.*documents.*reports.*tenant_"),
            ("", "There is no storage ''"),
            ("no.such.Storage", "cannot be imported"),
            ({"OPTIONS": {}}, "BACKEND"),
            ({"BACKEND": "no.such.Storage"}, "cannot be imported"),
            ({"BACKEND": "os.path.join", "OPTION": {}}, "'OPTION'"),
            ({"BACKEND": "os.path.join", 3: 4, "x": 5}, "3, 'x'"),
            ({"BACKEND": ".such"}, "cannot be imported"),
            ({"BACKEND": 3}, "BACKEND .* must be a class or its dotted path, not int"),
            ({"BACKEND": None}, "BACKEND .* must be a class or its dotted path, not NoneType"),
            ({"BACKEND": MediaStorage, "OPTIONS": "x"}, "OPTIONS .* must be a dict .*not str"),
            ({"BACKEND": MediaStorage, "OPTIONS": ["x"]}, "OPTIONS .* must be a dict .*not list"),
            ("os.getcwd", "is not a storage"),
            (3, "is not a storage"),
        ],
    )
    def test_a_reference_that_means_nothing_says_what_is_known(self, reference, says):
        with pytest.raises(ConfigurationError, match=says):
            resolve_storage(reference)

    def test_djangos_default_storage_follows_the_setting_on_every_version(self):
        default_storage.exists  # noqa: B018 - builds it
        assert isinstance(default_storage._wrapped, MediaStorage)
