"""The picture at the top of the README: one setting, and where the files of its modules go.

Drawn with a background of its own, and with other colours where a reader prefers dark pages.
"""

from __future__ import annotations

from html import escape
from typing import List, NamedTuple

TITLE = (
    "One setting, SMART_STORAGE_BUCKETS, has an entry for each part of a project. Fields, a "
    "dispatcher and a queue name an entry; its files go to a bucket of their own: on Amazon S3, "
    "on MinIO, in Azure, or in a folder."
)
WIDTH, HEIGHT = 860, 344

_STYLE = """
.page { fill: #ffffff; stroke: #d0d7de; } .box { fill: #f6f8fa; stroke: #d0d7de; }
.card { fill: #f0f7f4; stroke: #0c6b58; } text { fill: #1f2328; font: 13px system-ui, -apple-system,
  "Segoe UI", Helvetica, Arial, "DejaVu Sans", sans-serif; }
.head { font-weight: 600; fill: #59636e; } .small { font-size: 11.5px; fill: #59636e; }
.code { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace;
  font-size: 12px; }
.name { font-weight: 600; fill: #0c6b58; }
path { fill: none; stroke-width: 1.6; } .in { stroke: #8c959f; } .later { stroke-dasharray: 5 4; }
.c0 { color: #1f6feb; } .c1 { color: #8250df; } .c2 { color: #bc4c00; } .c3 { color: #0a7ea4; }
.c4 { color: #1a7f37; } .line { stroke: currentColor; } .dot { fill: currentColor; }
.pail { fill: currentColor; fill-opacity: 0.14; stroke: currentColor; stroke-width: 1.8; }
@media (prefers-color-scheme: dark) {
  .page { fill: #0d1117; stroke: #30363d; } .box { fill: #161b22; stroke: #30363d; }
  .card { fill: #10211d; stroke: #3fb997; } text { fill: #e6edf3; }
  .c0 { color: #58a6ff; } .c1 { color: #bc8cff; } .c2 { color: #f0883e; } .c3 { color: #39c5cf; }
  .c4 { color: #56d364; } .head, .small { fill: #9198a1; } .name { fill: #56d4b0; }
  .in { stroke: #6e7681; }
}
"""


class User(NamedTuple):
    """What names modules: a class, and what it does. Its lines lead to entries."""

    name: str
    what: str
    entries: List[int]


class Entry(NamedTuple):
    """An entry of the setting, its bucket, and where that is."""

    module: str
    bucket: str
    where: str


USERS = [
    User("MediaStorage()", "a FileField, STORAGES", [0]),
    User("DocumentStorage()", "signed URLs, private", [1]),
    User("StorageDispatcher", "chooses by tenant, size, type, rule", [2, 3]),
    User("QueuedStorage", "saves here now, transfers later", [4]),
]
ENTRIES = [
    Entry("media", "acme-media", "Amazon S3, public"),
    Entry("documents", "acme-docs", "Amazon S3, another region"),
    Entry("tenant_*", "acme-tenants", "MinIO, a folder for each tenant"),
    Entry("archive", "acme-archive", "Azure, a container"),
    Entry("scans", "acme-scans", "a folder, on your laptop"),
]
HEADS = [(20, "Your project names modules"), (282, "One setting"), (604, "Each has its bucket")]
_TOP = 62
_ROW = 54
_USER = 68


def draw() -> str:
    """Return the picture, as SVG."""
    parts: List[str] = []
    for x, text in HEADS:
        parts.append(_text(x, 34, text, "head"))
    height = _ROW * len(ENTRIES) + 6
    size = f'width="266" height="{height}"'
    parts.append(f'<rect class="card" x="282" y="{_TOP - 14}" {size} rx="8"/>')
    parts.append(_text(296, _TOP + 8, "SMART_STORAGE_BUCKETS = {", "code"))
    parts.append(_text(296, _TOP + height - 26, "}", "code"))
    for number, user in enumerate(USERS):
        parts += _user(number, user)
    for number, entry in enumerate(ENTRIES):
        parts += _entry(number, entry)
    drawn = "\n".join(parts)
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" \
width="{WIDTH}" height="{HEIGHT}" role="img" aria-labelledby="title">
<title id="title">{escape(TITLE)}</title>
<style>{_STYLE}</style>
<rect class="page" x="0.5" y="0.5" width="{WIDTH - 1}" height="{HEIGHT - 1}" rx="10"/>
{drawn}
</svg>
"""


def _entry_y(number: int) -> float:
    return _TOP + 34 + number * 45


def _bucket_y(number: int) -> float:
    return _TOP + 14 + number * _ROW


def _user(number: int, user: User) -> List[str]:
    y = _TOP - 14 + number * _USER
    parts = [
        f'<rect class="box" x="20" y="{y}" width="222" height="54" rx="8"/>',
        _text(34, y + 23, user.name, "code"),
        _text(34, y + 42, user.what, "small"),
    ]
    for entry in user.entries:
        style = "in later" if user.name.startswith("Queued") else "in"
        parts.append(_curve(242, y + 27, 288, _entry_y(entry) - 4, style))
    return parts


def _entry(number: int, entry: Entry) -> List[str]:
    y, bucket = _entry_y(number), _bucket_y(number)
    line = f'<tspan class="name">"{entry.module}"</tspan>: {{"bucket_name": …}},'
    return [
        f'<text x="310" y="{y}" class="code">{line}</text>',
        f'<circle class="dot c{number}" cx="294" cy="{y - 4}" r="4"/>',
        _curve(548, y - 4, 604, bucket, f"line c{number}"),
        _pail(606, bucket - 17, number),
        _text(648, bucket - 2, entry.bucket, "code"),
        _text(648, bucket + 15, entry.where, "small"),
    ]


def _text(x: float, y: float, text: str, style: str) -> str:
    return f'<text x="{x}" y="{y}" class="{style}">{escape(text, quote=False)}</text>'


def _curve(x: float, y: float, to_x: float, to_y: float, style: str) -> str:
    middle = (x + to_x) / 2
    return f'<path class="{style}" d="M{x} {y}C{middle} {y} {middle} {to_y} {to_x} {to_y}"/>'


def _pail(x: float, y: float, number: int) -> str:
    return (
        f'<g class="c{number}"><path class="pail" d="M{x} {y + 5}l4 26q11 5 22 0l4 -26"/>'
        f'<ellipse class="pail" cx="{x + 15}" cy="{y + 5}" rx="15" ry="4.5"/></g>'
    )
