"""``python -m tests.dead_links DIRECTORY``: every link within the built site leads somewhere.

So do those that stand in the text of errors and in the hints of system checks. It needs no pytest:
``make docs`` runs it on what it has built.
"""

from __future__ import annotations

import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, Dict, List, Optional, Set, Tuple
from urllib.parse import unquote, urlsplit

from smart_storages import exceptions
from tests.documentation import check_ids

__all__ = ["find_dead_links", "links_of_package", "main"]


class _Page(HTMLParser):
    """The anchors of a page, and where its links lead."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.anchors: Set[str] = set()
        self.links: List[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: List[Tuple[str, Optional[str]]]) -> None:
        given = dict(attrs)
        self.anchors |= {str(given[name]) for name in ("id", "name") if given.get(name)}
        self.links += [str(given[name]) for name in ("href", "src") if given.get(name)]


def links_of_package() -> List[str]:
    """What errors and checks link to, relative to the site: ``checks.html#smart-storages-e001``."""
    before: Any = exceptions.DOCUMENTATION
    exceptions.DOCUMENTATION = "https://storages.example.com/"
    try:
        found = [exceptions.link_to("checks", f"smart_storages.{each}") for each in check_ids()]
        found += [exceptions.link_to("troubleshooting", each) for each in exceptions.__all__]
        return sorted(each[len(exceptions.DOCUMENTATION) :] for each in found)
    finally:
        exceptions.DOCUMENTATION = before


def find_dead_links(site: Path) -> List[str]:
    """Return the links that lead to no file, or to no anchor of a page, each with its page.

    Args:
        site: The directory that Sphinx has written HTML into.
    """
    site = site.resolve()
    pages = {path: _Page(path.read_text("utf-8")) for path in sorted(site.rglob("*.html"))}
    found = [
        f"{path.relative_to(site)}: {link}"
        for path, page in pages.items()
        for link in dict.fromkeys(page.links)
        if _is_dead(path, link, pages)
    ]
    index = site / "index.html"
    return found + [
        f"the package: {link}" for link in links_of_package() if _is_dead(index, link, pages)
    ]


def _is_dead(path: Path, link: str, pages: Dict[Path, _Page]) -> bool:
    parts = urlsplit(link)
    if parts.scheme or parts.netloc:
        return False
    target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
    if not target.is_file():
        return True
    anchor = unquote(parts.fragment)
    return bool(anchor) and target in pages and anchor not in pages[target].anchors


def main(site: str) -> int:
    """Print the dead links of a site; the exit code is 1 if there are any."""
    dead = find_dead_links(Path(site))
    for each in dead:
        print(f"dead link: {each}")  # noqa: T201
    return 1 if dead else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
