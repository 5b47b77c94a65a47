"""A visitor of the site, which reads pages, fills in forms and fetches files, over HTTP only."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from http.cookies import SimpleCookie
from typing import Dict, List, Optional
from urllib.parse import urljoin

import urllib3


class VisitError(Exception):
    """The site did not answer as expected."""


@dataclass
class ShownFile:
    """A file as a page shows it: the ``data-`` attributes of its entry, and its link."""

    handle: str
    module: str
    bucket: str
    key: str
    access: str
    url: str = ""


@dataclass
class Page(HTMLParser):
    """What a visitor sees of a page."""

    url: str
    files: Dict[str, ShownFile] = field(default_factory=dict)
    stylesheets: List[str] = field(default_factory=list)
    problems: List[str] = field(default_factory=list)
    token: Optional[str] = None

    def __post_init__(self) -> None:
        super().__init__()
        self._file: Optional[ShownFile] = None
        self._in_problem = ""

    def handle_starttag(self, tag, attrs) -> None:
        found = dict(attrs)
        classes = (found.get("class") or "").split()
        if "data-file" in found:
            names = ("module", "bucket", "key", "access")
            self._file = ShownFile(found["data-file"], *(found[f"data-{name}"] for name in names))
            self.files[self._file.handle] = self._file
        elif tag == "a" and "file-link" in classes and self._file:
            self._file.url = urljoin(self.url, found["href"])
        elif tag == "link" and found.get("rel") == "stylesheet":
            self.stylesheets.append(urljoin(self.url, found["href"]))
        elif found.get("name") == "csrfmiddlewaretoken":
            self.token = found["value"]
        elif "error" in classes or "form-problem" in classes:
            self._in_problem = tag

    def handle_endtag(self, tag) -> None:
        if tag == self._in_problem:
            self._in_problem = ""

    def handle_data(self, data) -> None:
        if self._in_problem and data.strip():
            self.problems.append(data.strip())


class Visitor:
    """Visits one site, with cookies and CSRF tokens as a browser has them.

    Args:
        site: Address of the site, such as ``http://127.0.0.1:8000/``.
    """

    def __init__(self, site: str) -> None:
        self.site = site
        self.cookies: Dict[str, str] = {}
        self.http = urllib3.PoolManager(timeout=urllib3.Timeout(connect=10, read=60), retries=False)

    def read(self, address: str) -> Page:
        """Return the page at ``address``, which may be relative to the site."""
        url = urljoin(self.site, address)
        response = self._ask("GET", url)
        if response.status != 200:
            raise VisitError(f"{url} answered {response.status}.")
        page = Page(url)
        page.feed(response.data.decode())
        return page

    def upload(self, address, fields, files) -> Dict[str, ShownFile]:
        """Send the form at ``address``; return the new files by the name of their field."""
        form = self.read(address)
        if form.token is None:
            raise VisitError(f"{form.url} has no form with a CSRF token.")
        response = self._ask(
            "POST", form.url, fields={**fields, **files, "csrfmiddlewaretoken": form.token}
        )
        if response.status != 302:
            answer = Page(form.url)
            answer.feed(response.data.decode(errors="replace"))
            why = " ".join(answer.problems) or "It gave no reason."
            raise VisitError(f"{form.url} did not accept the form ({response.status}). {why}")
        shown = self.read(urljoin(form.url, response.headers["Location"])).files
        new = [file for handle, file in shown.items() if handle not in form.files]
        if len(files) == len(new) == 1:
            return {next(iter(files)): new[0]}
        by_field = {file.handle.rsplit("-", 1)[1]: file for file in new}
        if sorted(by_field) != sorted(files):
            raise VisitError(f"{form.url} took {sorted(files)} and shows {sorted(by_field)}.")
        return by_field

    def fetch(self, url: str):
        """Fetch a file without cookies or credentials; return the status and the content."""
        response = self.http.request("GET", url)
        return response.status, response.data

    def _ask(self, method, url, fields=None):
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        headers = {"Cookie": cookies} if cookies else {}
        response = self.http.request(method, url, fields=fields, headers=headers, redirect=False)
        for line in response.headers.getlist("Set-Cookie"):
            for name, morsel in SimpleCookie(line).items():
                self.cookies[name] = morsel.value
        return response
