"""Options and settings of modules whose files are not in S3."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, List, Tuple

import pytest

from smart_storages import config
from smart_storages.common.secrets import Secret
from smart_storages.config import problems
from smart_storages.config.modules import validate_folder_name
from smart_storages.config.problems import find_problems, has_azure
from smart_storages.config.values import ANY_MODULE
from smart_storages.exceptions import ConfigurationError, InvalidModuleNameError


def found(**options: Any) -> List[Tuple[str, str]]:
    return [(each.code, each.key) for each in find_problems(options)]


def hints(**options: Any) -> str:
    return " ".join(f"{each.message} {each.hint}" for each in find_problems(options))


def test_a_directory_has_to_be_named_and_absolute(tmp_path: Path) -> None:
    assert found(backend="filesystem", root=tmp_path) == []
    assert found(backend="filesystem", root=str(tmp_path)) == []
    assert found(backend="filesystem") == [("bad-backend", "root")]
    assert "needs a directory Write 'root': BASE_DIR / 'buckets'." in hints(backend="filesystem")
    assert found(backend="filesystem", root="files") == [("bad-backend", "root")]
    assert "not an absolute path: 'files' Write" in hints(backend="filesystem", root="files")


def test_a_bucket_in_a_directory_does_not_begin_with_a_dot(tmp_path: Path) -> None:
    options: Dict[str, Any] = {"backend": "filesystem", "root": tmp_path}
    assert found(**options, bucket_name="a.b") == []
    assert found(**options, bucket_name=".smart-storages") == [("bad-backend", "bucket_name")]
    assert "'.smart-storages'" in hints(**options, bucket_name=".smart-storages")
    assert "Choose another name." in hints(**options, bucket_name=".smart-storages")


def test_a_container_of_azure_has_a_name_that_azure_takes() -> None:
    keys = {"account_name": "acme", "account_key": "aw=="}
    for name in ("acme-media", "abc", "a1b", f"acme-{ANY_MODULE}", None, ""):
        assert found(backend="azure", bucket_name=name, **keys) == []
    for name in ("ab", "Acme", "acme_media", "a--b", "-ab", "a" * 64):
        assert found(backend="azure", bucket_name=name, **keys) == [("bad-backend", "bucket_name")]
        said = hints(backend="azure", bucket_name=name, **keys)
        assert repr(name) in said
        assert "Write the name of the container." in said


def test_without_its_package_azure_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ModuleNotFoundError(name)  # there is no package azure at all

    assert has_azure()
    monkeypatch.setattr(problems, "find_spec", missing)
    assert not has_azure()
    assert found(backend="azure", bucket_name="acme") == [("bad-backend", "backend")]
    assert "pip install 'django-smart-storages[azure]'" in hints(backend="azure", bucket_name="a-b")
    monkeypatch.setattr(problems, "find_spec", lambda name: None)
    assert not has_azure()


def test_a_module_that_names_a_folder_does_not_begin_with_a_dot() -> None:
    validate_folder_name("media.old")
    with pytest.raises(InvalidModuleNameError, match=r"'\.hidden'.*begins with a dot"):
        validate_folder_name(".hidden")
    with pytest.raises(InvalidModuleNameError, match="slash"):
        validate_folder_name("a/b")


def test_the_settings_of_azure_are_read_by_the_names_of_the_options(settings: Any) -> None:
    assert {*config.get_azure_options().values()} == {None}
    settings.AZURE_ACCOUNT_NAME = "acme"
    settings.AZURE_ACCOUNT_KEY = "hunter2"
    settings.AZURE_SSL = False
    read = config.get_azure_options()
    assert (read["account_name"], read["azure_ssl"]) == ("acme", False)
    assert read["account_key"] == "hunter2"
    assert type(read["account_key"]) is Secret
    settings.AZURE_SSL = "no"
    with pytest.raises(ConfigurationError, match=r"^AZURE_SSL must be bool, not str\. See"):
        config.get_azure_options()


def test_the_container_of_the_settings_is_a_name_or_none(settings: Any) -> None:
    assert config.get_azure_container() is None
    settings.AZURE_CONTAINER = ""
    assert config.get_azure_container() is None
    settings.AZURE_CONTAINER = "acme-media"
    assert config.get_azure_container() == "acme-media"


def test_every_directory_of_the_settings_is_found_once(settings: Any, tmp_path: Path) -> None:
    settings.SMART_STORAGE_BUCKETS = {
        "a": {"backend": "filesystem", "root": tmp_path},
        "b": {"backend": "filesystem", "root": str(tmp_path)},
        "c": {"backend": "filesystem", "root": tmp_path / "c"},
        "d": {"bucket_name": "acme"},
        "e": "no dict",
    }
    assert config.iter_roots() == [str(tmp_path), str(tmp_path / "c")]
    settings.SMART_STORAGE_LOCAL = tmp_path / "local"
    assert config.iter_roots()[0] == str(tmp_path / "local")
    settings.SMART_STORAGE_TEST_BACKEND = {"backend": "memory"}
    assert config.iter_roots() == [str(tmp_path), str(tmp_path / "c")]


def test_what_django_says_of_files_and_of_itself_is_read(settings: Any) -> None:
    settings.FILE_UPLOAD_PERMISSIONS = 0o600
    assert config.get_upload_permissions() == 0o600
    settings.FILE_UPLOAD_PERMISSIONS = None
    assert config.get_upload_permissions() is None
    settings.DEBUG = True
    assert config.is_debug() is True
    settings.DEBUG = False
    assert config.is_debug() is False
    settings.ROOT_URLCONF = "tests"
    assert config.has_urlconf() is True
    settings.ROOT_URLCONF = ""
    assert config.has_urlconf() is False
    del settings.ROOT_URLCONF
    assert config.has_urlconf() is False
