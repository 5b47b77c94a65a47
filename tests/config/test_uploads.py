"""The setting of direct uploads."""

from __future__ import annotations

from typing import Any

import pytest

from smart_storages.config import check_upload_options, get_upload_settings
from smart_storages.exceptions import ConfigurationError


def test_what_is_not_set_has_its_default(settings: Any) -> None:
    found = get_upload_settings()
    assert (found.max_size, found.types, found.uploads_per_hour) == (5 * 1024**4, None, 1000)
    settings.SMART_STORAGE_UPLOADS = {"types": ["Image/*", ".PDF"], "bytes_per_hour": 5}
    found = get_upload_settings()
    assert (found.types, found.bytes_per_hour, found.expiry) == (("image/*", ".pdf"), 5, 86_400)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"max_sise": 5}, "unknown key 'max_sise'; known are: bytes_per_hour, cache"),
        ({"max_size": "5 MB"}, "max_size must be a whole number of bytes above 0, not '5 MB'"),
        ({"max_size": 0}, "max_size must be"),
        ({"expiry": True}, "expiry must be"),
        ({"max_size": None}, "max_size must be"),
        ({"uploads_per_hour": -1}, "uploads_per_hour must be"),
        ({"types": "image/*"}, "types must be a list"),
        ({"types": []}, "types must be a list"),
        ({"types": ["image"]}, "types must be a list"),
        ({"types": ["*/*"]}, "types must be a list"),
        ({"types": ["."]}, "types must be a list"),
        ({"types": [5]}, "types must be a list"),
        ({"cache": "nothing"}, r"cache must be one of \['default'\]"),
    ],
)
def test_a_mistake_is_told_with_its_key(given: Any, told: str, settings: Any) -> None:
    settings.SMART_STORAGE_UPLOADS = given
    with pytest.raises(ConfigurationError, match=told):
        get_upload_settings()
    with pytest.raises(ConfigurationError, match=f"DirectFileField.*{told}"):
        check_upload_options("DirectFileField", given)


def test_a_setting_that_is_no_dict_is_told(settings: Any) -> None:
    settings.SMART_STORAGE_UPLOADS = ["max_size"]
    with pytest.raises(ConfigurationError, match="must be a dict, not list"):
        get_upload_settings()


def test_no_limit_for_an_hour_is_a_limit(settings: Any) -> None:
    assert check_upload_options("x", {"uploads_per_hour": None}) == {"uploads_per_hour": None}
