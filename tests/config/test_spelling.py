"""Which name was probably meant, and that nothing is guessed where it was another one."""

from __future__ import annotations

from typing import List, Optional

import pytest

from smart_storages.config.spelling import find_misspelt_settings, hint_at_modules, near_module


@pytest.mark.parametrize(
    ("name", "known", "meant"),
    [
        ("documnets", ["media", "documents"], "documents"),
        ("tennant_x", ["media", "tenant_*"], "tenant_*"),
        ("DOCUMENTS", ["documents"], "documents"),
        ("documents", ["Documents"], "Documents"),
        ("documents", ["documents"], None),
        ("media", ["meadow"], None),
        ("media", ["medium"], None),
        ("media", ["medium", "mediaa"], "mediaa"),
        ("x", [], None),
    ],
)
def test_a_module_that_was_meant(name: str, known: List[str], meant: Optional[str]) -> None:
    assert near_module(name, known) == meant


@pytest.mark.parametrize(
    ("known", "hint"),
    [
        (["media"], "Did you mean 'media'?"),
        (["b", "a"], "Known are: 'a', 'b'."),
        ([*"hgfedcbaij"], "Known are: " + ", ".join(map(repr, "abcdefghij")) + "."),
        ([*"lkhgfedcbaij"], "Known are: " + ", ".join(map(repr, "abcdefghij")) + " and 2 more."),
        ([], "There are no entries."),
    ],
)
def test_a_hint_names_the_module_that_was_meant_or_the_first_ten(
    known: List[str], hint: str
) -> None:
    assert hint_at_modules("mediaa", known) == hint


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        # A word of the fillers too few, too many, or another.
        ("AWS_S3_REGION", "AWS_S3_REGION_NAME"),
        ("AWS_REGION_NAME", "AWS_S3_REGION_NAME"),
        ("AWS_STORAGE_BUCKET", "AWS_STORAGE_BUCKET_NAME"),
        ("AWS_BUCKET_NAME", "AWS_STORAGE_BUCKET_NAME"),
        ("SMART_STORAGE_TASKS_NAME", "SMART_STORAGE_TASKS"),
        # One word misspelt.
        ("AWS_S3_REGOIN_NAME", "AWS_S3_REGION_NAME"),
        ("AWS_QUERYSTRING_EXPIRES", "AWS_QUERYSTRING_EXPIRE"),
        ("GZIP_CONTENT_TYPE", "GZIP_CONTENT_TYPES"),
        ("SMART_STORAGE_BUCKTES", "SMART_STORAGE_BUCKETS"),
        ("SMART_STORAGES_BUCKETS", "SMART_STORAGE_BUCKETS"),
        ("QUEUED_STORAGES_LEASE", "QUEUED_STORAGE_LEASE"),
        # The words in another order.
        ("AWS_S3_NAME_REGION", "AWS_S3_REGION_NAME"),
        ("QUEUED_STORAGE_DELAY_RETRY", "QUEUED_STORAGE_RETRY_DELAY"),
        # Of several that are close, the most alike.
        ("AWS_S3_ACCESS_KEY", "AWS_S3_ACCESS_KEY_ID"),
        ("AWS_ACCESS_KEY_CUSTOM_ID", "AWS_ACCESS_KEY_ID"),
        # Just alike enough.
        ("AWS_CLOUDFRQQQ_KEY", "AWS_CLOUDFRONT_KEY"),
        # Another setting.
        ("AWS_ACCESS_BUCKET", None),
        ("AWS_ACCESS_KEY_ACCESS_BUCKET", None),
        ("AWS_PROXIES", None),
        ("SMARTY_STORAGE_BUCKETS", None),
        ("AWS_SES_REGION_NAME", None),
        ("AWS_MEDIA_LOCATION", None),
        ("AWS_S3", None),
        ("AWS_NAME", None),
        ("S3_REGION_NAME", None),
        ("STORAGE_BUCKETS", None),
        ("QUEUED_STORAGE_AGE", None),
        ("AWS_S3_FILE_BUFFER_SIZE", None),
        ("AWS_S3_REGION_NAME", None),
    ],
)
def test_a_setting_that_was_meant(name: str, meant: Optional[str]) -> None:
    assert list(find_misspelt_settings([name])) == ([] if meant is None else [(name, meant)])


def test_settings_are_told_of_in_the_order_of_their_names() -> None:
    names = ["SMART_STORAGE_BUCKTES", "DEBUG", "AWS_S3_REGOIN_NAME"]
    assert [name for name, _ in find_misspelt_settings(names)] == [names[2], names[0]]


@pytest.mark.parametrize(
    "beside", ["AWS_S3_ACCESS_KEY_ID", "AWS_ACCESS_KEY_ID"], ids=["the setting", "its second name"]
)
def test_a_name_beside_the_setting_that_it_is_close_to_is_the_projects_own(beside: str) -> None:
    assert list(find_misspelt_settings(["AWS_S3_ACCESS_KEY", beside])) == []
    assert len(list(find_misspelt_settings(["AWS_S3_ACCESS_KEY", "AWS_S3_REGION_NAME"]))) == 1


def test_only_the_setting_itself_or_its_second_name_counts_as_set() -> None:
    misspelt = "AWS_S3_SECRET_ACESS_KEY"
    assert list(find_misspelt_settings([misspelt, "AWS_SECRET_ACCESS_KEY"])) == []
    assert len(list(find_misspelt_settings([misspelt, "AWS_ACCESS_KEY_ID"]))) == 1
    names = ["SMART_STORAGE_BUCKTES", "SMART_STORAGE_STRICT"]
    assert list(find_misspelt_settings(names)) == [(names[0], "SMART_STORAGE_BUCKETS")]
