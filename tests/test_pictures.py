"""The pictures of README and documentation: made by a script, shown, described, and true."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Dict, List, Tuple
from xml.etree import ElementTree

import pytest

from docs._pictures import IMAGES, LARGEST, site, terminal
from docs._pictures import __main__ as program
from docs._pictures.casts import CASTS, plain_environment
from tests import browsers, documentation
from tests.conftest import REQUIRE_REAL_S3
from tests.documentation import ROOT
from tests.servers.ceph import missing_programs

pytestmark = pytest.mark.documentation

#: Of the plots in docs/benchmarks, tests/test_benchmarks.py takes care.
PLOTS = ROOT / "docs/benchmarks"
#: What differs from run to run: ports, names of temporary files, seconds that a clock is off.
_CHANGES = re.compile(r"(?<=127\.0\.0\.1:)\d+|(?<=check-)[0-9a-f]{12}|(?<=within )\d+")


def shown() -> List[Tuple[str, str, Path]]:
    """Page, description and file of each picture that a page shows."""
    return [
        (page, text, ((ROOT / page).parent / target).resolve())
        for page in documentation.pages()
        for text, target in re.findall(r"!\[([^]]*)\]\(([^)]+)\)", documentation.read(page))
    ]


def test_every_picture_that_a_page_shows_is_made_by_the_script_and_described() -> None:
    pictures = shown()
    assert pictures
    for page, text, path in pictures:
        if path.parent == PLOTS:
            assert path.exists(), (page, path)
            continue
        assert path.parent == IMAGES, (page, path)
        assert path.name in program.NAMES, f"{page}: {path.name} is not in docs/_pictures/"
        assert path.exists(), f"make pictures ARGS={path.name}"
        assert len(text.split()) >= 4, f"{page}: what does {path.name} show?"


def test_every_picture_that_is_made_is_shown_on_a_page() -> None:
    names = {path.name for _page, _text, path in shown() if path.parent == IMAGES}
    assert names == set(program.NAMES) == {path.name for path in IMAGES.iterdir()}


def test_no_picture_is_large() -> None:
    sizes = {path.name: path.stat().st_size for path in IMAGES.iterdir()}
    assert {name: size for name, size in sizes.items() if size > LARGEST} == {}


@pytest.mark.parametrize("name", program.DRAWINGS)
def test_a_drawing_is_what_the_script_draws_in_light_and_dark(name: str) -> None:
    drawn = program.DRAWINGS[name]()
    assert (IMAGES / name).read_text("utf-8") == drawn, f"make pictures ARGS={name}"
    ElementTree.fromstring(drawn)  # noqa: S314 - our own
    assert "prefers-color-scheme: dark" in drawn or 'class="ground"' in drawn


def test_a_picture_that_does_not_exist_is_refused_with_the_names_of_those_that_do() -> None:
    with pytest.raises(SystemExit, match=r"nothing\.svg\. There are: .*overview\.svg"):
        program.main(["nothing.svg"])


# Terminals


def test_a_command_runs_in_a_terminal_of_the_width_that_is_asked_for(tmp_path: Path) -> None:
    code = "import os, sys; print(sys.stdout.isatty(), os.get_terminal_size().columns)"
    written = terminal.record([sys.executable, "-c", code], tmp_path, plain_environment(), 71)
    assert written == "True 71\n"


def test_a_program_that_fails_is_recorded_with_what_it_said(tmp_path: Path) -> None:
    written = terminal.record([sys.executable, "-c", "1/0"], tmp_path, plain_environment())
    assert "ZeroDivisionError" in written


def test_colours_and_bold_text_become_styles() -> None:
    ((plain, bold, after),) = terminal.lines_of("a \x1b[31;1mred\x1b[0m b", 80)
    assert (plain.style, after.style) == ("", "")
    assert bold.text == "red"
    assert "fill:#" in bold.style
    assert "bold" in bold.style


@pytest.mark.parametrize(
    ("crop", "expected"), [(False, ["abcd", "ef", "", "g"]), (True, ["abcd", "", "g"])]
)
def test_a_long_line_goes_on_in_the_next_or_is_cut_off(crop: bool, expected: List[str]) -> None:
    lines = terminal.lines_of("abcdef\n\ng\n", 4, crop=crop)
    assert ["".join(span.text for span in line) for line in lines] == expected


def test_a_terminal_is_drawn_as_text_that_can_be_read_back() -> None:
    text = "NAME   <a> & b\n\n  indented   \x1b[32mgreen\x1b[0m end"
    picture = terminal.draw("A title", [("ls", terminal.lines_of(text, 40))], 40)
    ElementTree.fromstring(picture)  # noqa: S314 - our own
    assert terminal.text_of(picture) == "$ ls\nNAME   <a> & b\n\n  indented   green end"


def test_a_reader_who_wants_no_animation_sees_all_lines_at_once() -> None:
    picture = terminal.draw("A title", [("ls", terminal.lines_of("a", 40))], 40)
    before, _, after = picture.partition("@media (prefers-reduced-motion: no-preference)")
    assert "animation: appear" in after
    assert "opacity" not in before.partition("@keyframes")[0]


def _need(lacks: str) -> None:
    if lacks:
        (pytest.fail if REQUIRE_REAL_S3 else pytest.skip)(f"not installed: {lacks}")


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.real_s3] if name == "buckets-check.svg" else [])
        for name in CASTS
    ],
)
def test_a_terminal_of_the_documentation_shows_what_its_commands_print(name: str) -> None:
    if name == "buckets-check.svg":
        _need(missing_programs())
    recorded = terminal.text_of((IMAGES / name).read_text("utf-8"))
    now = terminal.text_of(CASTS[name].draw())
    assert _CHANGES.sub("*", now) == _CHANGES.sub("*", recorded), f"make pictures ARGS={name}"


@pytest.mark.slow
@pytest.mark.real_s3
def test_the_pages_of_the_screenshots_can_still_be_photographed() -> None:
    _need(missing_programs() or browsers.missing("chromium"))
    names = ["debug-toolbar.png", "admin-transfers.png"]
    taken: Dict[str, bytes] = dict(site.take(names))
    assert set(taken) == set(names)
    for name, png in taken.items():
        before = (IMAGES / name).read_bytes()
        assert png[16:24] == before[16:24], f"{name} has another size"  # width and height
