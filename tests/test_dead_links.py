"""The look for dead links that ``make docs`` takes at the site, on sites of a few lines."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from smart_storages import exceptions
from tests import dead_links
from tests.documentation import ROOT, check_ids

pytestmark = pytest.mark.documentation


@pytest.fixture
def built(tmp_path: Path) -> Path:
    """A site that has what the package links to."""
    for link in dead_links.links_of_package():
        page, _, anchor = link.partition("#")
        with (tmp_path / page).open("a") as file:
            file.write(f'<section id="{anchor}"></section>')
    (tmp_path / "my pictures").mkdir()
    (tmp_path / "my pictures" / "a.svg").touch()
    (tmp_path / "index.html").write_text(
        '<a href="checks.html#smart-storages-e001">1</a> <a href="https://example.com/x">2</a>'
        '<a href="#top" id="top">3</a> <img src="my%20pictures/a.svg"> <a href="mailto:a@b">4</a>'
    )
    return tmp_path


def test_a_link_that_leads_somewhere_is_fine(built: Path) -> None:
    assert dead_links.find_dead_links(built) == []


@pytest.mark.parametrize(
    "link", ["nothing.html", "checks.html#nothing", "#nothing", "../outside.html", "my%20pictures/"]
)
def test_a_link_that_leads_nowhere_is_found(link: str, built: Path) -> None:
    with (built / "index.html").open("a") as file:
        file.write(f'<a href="{link}">5</a>')
    assert dead_links.find_dead_links(built) == [f"index.html: {link}"]


def test_a_heading_that_an_error_or_a_check_links_to_must_be_there(built: Path) -> None:
    for page, anchor in (("troubleshooting", "uploaderror"), ("checks", "smart-storages-q001")):
        path = built / f"{page}.html"
        path.write_text(path.read_text().replace(f'"{anchor}"', '"renamed"'))
    assert dead_links.find_dead_links(built) == [
        "the package: checks.html#smart-storages-q001",
        "the package: troubleshooting.html#uploaderror",
    ]
    command = [sys.executable, "-m", "tests.dead_links", str(built)]
    done = subprocess.run(command, cwd=str(ROOT), capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "dead link: the package: troubleshooting.html#uploaderror\n" in done.stdout


def test_each_error_and_each_check_has_a_link() -> None:
    links = dead_links.links_of_package()
    assert len(links) == len(exceptions.__all__) + len(check_ids())
    assert not links[0].startswith("http")
