"""The pages of the reference, which the site makes from the code, leave nothing out."""

from __future__ import annotations

import sys
from dataclasses import fields
from pathlib import Path
from typing import Any, Iterator

import pytest

import smart_storages
from smart_storages import exceptions, signals
from smart_storages.config.options import OPTIONS
from smart_storages.config.spelling import OWN_SETTINGS
from smart_storages.config.uploads import UploadSettings
from smart_storages.management import subcommands

pytestmark = pytest.mark.documentation

DOCS = Path(__file__).resolve().parents[1] / "docs"


@pytest.fixture
def reference(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.syspath_prepend(str(DOCS / "_ext"))
    import reference

    yield reference
    for name in ("reference", "option_texts", "setting_texts"):
        sys.modules.pop(name, None)


def test_each_option_and_each_setting_has_a_line_and_no_line_is_left_over(reference: Any) -> None:
    assert set(reference.option_texts.OPTIONS) == set(OPTIONS)
    assert set(reference.setting_texts.SETTINGS) == reference.own_settings()


def test_each_setting_of_the_package_or_of_an_option_is_on_the_page(reference: Any) -> None:
    page = reference.settings_page()
    for name in {*OWN_SETTINGS, *reference.settings_of_options()} - reference.INTERNAL_SETTINGS:
        assert f"``{name}``" in page


def test_each_setting_has_a_type_a_default_and_a_page(reference: Any) -> None:
    page = reference.settings_page()
    for name, setting in reference.setting_texts.SETTINGS.items():
        section = page.split(f".. _setting-{name}:")[1].split(".. _setting-")[0]
        assert f":Type: {setting.expected}\n" in section
        assert f":Default: ``{setting.default!r}``\n" in section
        assert (DOCS / f"{setting.page}.md").exists()


def test_each_limit_of_uploads_is_on_the_page_with_its_default(reference: Any) -> None:
    page = reference.settings_page()
    assert "``'uploads_per_hour'``: Most uploads of a user in an hour;" in page
    assert page.count(" Default: ``") == len(fields(UploadSettings))


def test_no_default_of_a_secret_is_shown(reference: Any) -> None:
    page = reference.options_page()
    section = page.split(".. _option-secret_key:")[1].split(".. _option-")[0]
    assert ":Secret:" in section
    assert ":Default:" not in section


def test_each_subcommand_and_argument_is_on_the_page(reference: Any) -> None:
    page = reference.commands_page()
    for name in subcommands.names():
        assert f"\nbuckets {name}\n~~~" in page
    for argument in ("``--dry-run``", "``--json``", "``--orphan-age ORPHAN_AGE``"):
        assert argument in page
    assert "--settings" not in page


def test_each_error_and_each_signal_is_on_a_page(reference: Any, tmp_path: Path) -> None:
    reference.write(tmp_path)
    errors = (tmp_path / "errors.rst").read_text("utf-8")
    assert all(
        f".. autoexception:: smart_storages.exceptions.{each}\n" in errors
        for each in exceptions.__all__
    )
    page = (tmp_path / "signals.rst").read_text("utf-8")
    assert all(f".. autodata:: smart_storages.signals.{each}\n" in page for each in signals.__all__)


def test_each_error_says_what_to_do_when_it_appears() -> None:
    page = (DOCS / "troubleshooting.md").read_text("utf-8")
    headings = [line[4:] for line in page.splitlines() if line.startswith("### ")]
    assert sorted(headings) == sorted(exceptions.__all__)


def test_whatever_the_package_hands_on_is_described(reference: Any, tmp_path: Path) -> None:
    reference.write(tmp_path)
    pages = "\n".join(path.read_text("utf-8") for path in tmp_path.glob("*.rst"))
    for name in smart_storages.__all__:
        assert name == "__version__" or f".{name}\n" in pages, name


def test_a_page_that_is_made_no_more_is_removed(reference: Any, tmp_path: Path) -> None:
    (tmp_path / "old.rst").touch()
    assert set(reference.write(tmp_path)) == {path.stem for path in tmp_path.iterdir()}


def test_markdown_is_text_of_restructured_text(reference: Any) -> None:
    assert reference._rst("`a_b` and a_b *") == "``a_b`` and a\\_b \\*"
