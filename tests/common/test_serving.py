"""What a browser may show of a file that is served from the origin of the application."""

from __future__ import annotations

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
