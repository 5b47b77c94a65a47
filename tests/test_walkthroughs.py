"""The pages that a reader follows from an empty folder, followed."""

from __future__ import annotations

import shutil
import socket
from pathlib import Path
from typing import Any

import pytest

from smart_storages.testing.s3_server import running
from tests import documentation, walkthrough, walkthrough_projects
from tests.test_packaging import NOT_COPIED, ROOT

pytestmark = pytest.mark.documentation

#: The first and the last command of the tutorial's first upload.
FIRST_UPLOAD = ("pip install", "< first_story.py")


@pytest.mark.slow
def test_a_reader_who_follows_the_tutorial_sees_what_it_says(tmp_path: Path, capsys: Any) -> None:
    shutil.copytree(str(ROOT), str(tmp_path / "django-smart-storages"), ignore=NOT_COPIED)
    walk = walkthrough.Walkthrough(tmp_path, walkthrough.plain_environment())
    walk.follow(walkthrough.TUTORIAL)
    effort = walkthrough.effort(walkthrough.TUTORIAL, *FIRST_UPLOAD)
    seconds = sum(seconds for block, seconds in walk.took if block in effort.blocks)
    with capsys.disabled():
        told = f"To the first upload: {effort.minutes:.1f} minutes to read, type and paste"
        print(f"\n{told}, {seconds:.0f} s for the commands.")  # noqa: T201 - the figure of the page


def test_the_first_upload_of_the_tutorial_asks_for_what_the_page_says() -> None:
    effort = walkthrough.effort(walkthrough.TUTORIAL, *FIRST_UPLOAD)
    assert "first_story.py" in effort.blocks[-2].text
    text = documentation.read(walkthrough.TUTORIAL)
    counted = f"it is {len(effort.commands)} commands, {effort.files} files to paste"
    assert f"{counted} and {effort.words} words: about {effort.minutes:.0f} minutes" in text
    assert f"at {walkthrough.WORDS_READ_A_MINUTE} words a minute to read" in text
    # Two of the five minutes are left to the commands.
    assert effort.minutes <= 3


def test_what_a_page_asks_for_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walkthrough.documentation, "ROOT", tmp_path)
    (tmp_path / "page.md").write_text(
        "Not counted.\n\n```sh\ncd a\npip install b\n```\n\nThree words here.\n\n"
        "```python\n# c.py\n```\n\n```sh\nrun c.py\n```\n\nNor these words.\n"
    )
    effort = walkthrough.effort("page.md", "pip", "c.py")
    assert (effort.words, effort.files) == (3, 1)
    assert effort.commands == ("pip install b", "run c.py")
    typed = (len("pip install b") + len("run c.py")) / 5 / 40
    assert effort.minutes == pytest.approx(3 / 200 + typed + 20 / 60)


@pytest.mark.slow
@pytest.mark.parametrize("page", walkthrough_projects.PREPARE)
def test_a_project_that_moves_in_as_the_page_says_ends_where_it_says(
    page: str, tmp_path: Path
) -> None:
    environment = walkthrough.installed_environment()
    with running() as server:
        project = walkthrough_projects.Project(tmp_path, server, environment)
        walkthrough_projects.PREPARE[page](project)
        walkthrough.Walkthrough(tmp_path, environment).follow(page)


def test_a_page_that_says_something_else_is_seen(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "page.md").write_text("```sh\necho one two\n```\n\n```text\none three\n```\n")
    monkeypatch.setattr(walkthrough.documentation, "ROOT", tmp_path)
    with pytest.raises(AssertionError, match=r"page\.md:6"):
        walkthrough.Walkthrough(tmp_path, walkthrough.plain_environment()).follow("page.md")


def test_a_command_that_fails_is_seen_unless_the_page_shows_it(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(walkthrough.documentation, "ROOT", tmp_path)
    page = tmp_path / "page.md"
    walk = walkthrough.Walkthrough(tmp_path, walkthrough.plain_environment())
    page.write_text("```sh\necho no\nfalse\n```\n\n```text\nno\n```\n")
    walk.follow("page.md")
    page.write_text("```sh\necho no\nfalse\n```\n\n```sh\ntrue\n```\n")
    with pytest.raises(AssertionError, match=r"page\.md:2"):
        walk.follow("page.md")


def test_the_next_block_goes_on_where_the_last_one_was(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(walkthrough.documentation, "ROOT", tmp_path)
    (tmp_path / "page.md").write_text(
        "```sh\nmkdir a\ncd a\nexport X=1\n```\n\n"
        "```python\n# b.py\nprint('b')\n```\n\n"
        "```sh\ncat b.py\necho $X\n```\n\n```text\n# b.py\nprint('b')\n1\n```\n"
    )
    walkthrough.Walkthrough(tmp_path, walkthrough.plain_environment()).follow("page.md")


def test_a_server_of_the_page_gets_a_port_that_is_free(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(walkthrough.documentation, "ROOT", tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        listen = "import socket, sys; socket.create_server(('127.0.0.1', int(sys.argv[2])))"
        (tmp_path / "page.md").write_text(f'```sh\npython3 -c "{listen}" --port {port}\n```\n')
        walkthrough.Walkthrough(tmp_path, walkthrough.plain_environment()).follow("page.md")
