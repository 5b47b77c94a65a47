"""What a browser may show of a file that is served from the origin of the application."""

from __future__ import annotations

import io
import re
from typing import Any, Dict, Optional

from django.test import RequestFactory
from hypothesis import given
from hypothesis import strategies as st

from smart_storages.common import serving


def test_nothing_that_a_user_uploads_runs_at_our_address() -> None:
    octets = "application/octet-stream"
    # name, type asked for, type given, whether a browser shows it
    table = [
        ("a.html", None, octets, False),
        ("a.htm", None, octets, False),
        ("a.xhtml", None, octets, False),
        ("a.xml", None, octets, False),
        ("a.svg", None, "image/svg+xml", False),
        ("a.js", None, octets, False),
        ("a.mjs", None, octets, False),
        ("a.css", None, octets, False),
        ("a.swf", None, octets, False),
        ("a.wasm", None, octets, False),
        ("a", None, octets, False),
        ("a.exe.unknown", None, octets, False),
        ("a.html.gz", None, "application/gzip", False),
        ("a.zip", None, "application/zip", False),
        ("a.pdf", None, "application/pdf", True),
        ("a.png", None, "image/png", True),
        ("a.txt", None, "text/plain", True),
        ("a.mp4", None, "video/mp4", True),
        ("a.png", "text/html", octets, False),
        ("a.png", " TEXT/HTML; charset=utf-8", octets, False),
        ("a.png", "application/xhtml+xml", octets, False),
        ("a.png", "image/svg+xml", "image/svg+xml", False),
        ("a.png", "text/javascript", octets, False),
        ("a.png", "nonsense", octets, False),
        ("a.bin", "text/plain; charset=utf-8", "text/plain; charset=utf-8", True),
    ]
    for name, asked, kind, is_shown in table:
        for inline in ("", 'inline; filename="x.html"'):
            parameters = {"ResponseContentType": asked} if asked else {}
            if inline:
                parameters["ResponseContentDisposition"] = inline
            given, disposition, shown = serving.describe(name, parameters)
            assert (given, shown) == (kind, is_shown), (name, asked)
            assert disposition.startswith("inline" if is_shown else "attachment"), (name, asked)
    attached = 'attachment; filename="July.pdf"'
    asked = {"ResponseContentDisposition": attached}
    assert serving.describe("a.html", asked)[1] == attached


def test_what_a_browser_could_run_is_told_by_the_name() -> None:
    for name in ("a.svg", "a.svgz", "a.html", "a.html.gz", "a.js", "ab:a.png?b.html"):
        assert serving.may_run(name), name
    for name in ("a.png", "a.pdf", "a.tar.gz", "a.txt.gz", "a", "a.mp4"):
        assert not serving.may_run(name), name


_numbers = st.none() | st.integers(0, 60)


@given(size=st.integers(0, 50), first=_numbers, last=_numbers, known=st.booleans())
def test_any_range_gives_exactly_its_bytes(
    size: int, first: Optional[int], last: Optional[int], known: bool
) -> None:
    # https://www.rfc-editor.org/rfc/rfc9110#name-byte-ranges
    body = bytes(range(size))
    spec = "bytes={}-{}".format(*("" if each is None else each for each in (first, last)))
    content = serving.Content(
        "a.bin", size if known else None, "1f", 0, open=lambda: io.BytesIO(body)
    )
    response: Any = serving.respond(RequestFactory().get("/", HTTP_RANGE=spec), content, {})
    sent = b"".join(response) if response.streaming else response.content
    is_void = first is None and last is None
    if not known or is_void or (first is not None and last is not None and last < first):
        assert (response.status_code, sent) == (200, body)
        return
    if first is None:
        expected = body[max(0, size - (last or 0)) :]
    else:
        expected = body[first:] if last is None else body[first : last + 1]
    if not expected:
        assert (response.status_code, sent) == (416, b"")
        assert response["Content-Range"] == f"bytes */{size}"
        return
    assert (response.status_code, sent) == (206, expected)
    start, stop, total = map(int, re.findall(r"\d+", response["Content-Range"]))
    assert (body[start : stop + 1], total) == (expected, size)
    assert response["Content-Length"] == str(len(expected))


@given(header=st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20))
def test_no_header_of_a_range_is_an_error(header: str) -> None:
    body = bytes(20)
    content = serving.Content("a.bin", 20, "1f", 0, open=lambda: io.BytesIO(body))
    for spec in (header, f"bytes={header}", f"bytes=0-{header}"):
        headers: Dict[str, Any] = {"HTTP_RANGE": spec, "HTTP_IF_RANGE": header}
        response = serving.respond(RequestFactory().get("/", **headers), content, {})
        assert response.status_code in {200, 206, 416}


def test_a_name_becomes_a_header_and_nothing_more() -> None:
    assert serving.attachment("a/b c.txt") == 'attachment; filename="b c.txt"'
    for name in ('a"b', "a\r\nX: y", "é", "a;b", "\ud800", "a\\b"):
        given_name = serving.attachment(name)
        assert given_name.startswith("attachment; filename*=UTF-8''")
        assert re.fullmatch(r"[\w%.~*';= -]+", given_name, re.ASCII), given_name
