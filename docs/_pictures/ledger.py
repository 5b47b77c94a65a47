"""The states of the queue's ledger, drawn.

A test makes every write of the ledger to a row in every state, and compares what comes of it with
:data:`TRANSITIONS`; another compares the SVG with what this module draws.
"""

from __future__ import annotations

from typing import Dict, List, Tuple
from xml.sax.saxutils import escape

__all__ = ["GONE", "TRANSITIONS", "draw"]

#: Where a row is that the ledger does not have: the file never was, or the remote alone knows it.
GONE = ""

#: What leads from one state to another, in words. A save leads from every state to ``queued`` or
#: ``held``, a delete from every state to ``deleting``: these are drawn once, from nowhere.
TRANSITIONS: Dict[Tuple[str, str], str] = {
    (GONE, "queued"): "save",
    (GONE, "held"): "save, delayed",
    (GONE, "done"): "save straight to the remote",
    (GONE, "deleting"): "delete",
    ("held", "queued"): "transfer()",
    ("queued", "transferring"): "claimed by a worker",
    ("transferring", "queued"): "error, tried again later",
    ("transferring", "failed"): "retries used up",
    ("transferring", "settling"): "verified, in doubt",
    ("transferring", "done"): "verified",
    ("settling", "queued"): "differs, sent again",
    ("settling", "failed"): "differs, no copy left",
    ("settling", "done"): "verified again",
    ("failed", "queued"): "retry",
    ("failed", "settling"): "retry, no copy left",
    ("done", "settling"): "a late attempt may have written",
    ("done", "queued"): "verify --repair",
    ("done", GONE): "pruned",
    ("deleting", GONE): "remote copy deleted",
}

#: The middle of each box, and who answers readers then.
_BOXES: Dict[str, Tuple[int, int, str]] = {
    "held": (115, 70, "readers: local"),
    "queued": (400, 70, "readers: local"),
    "transferring": (760, 70, "readers: local"),
    "failed": (400, 290, "readers: local, if a copy is left"),
    "settling": (760, 290, "readers: local, if a copy is left"),
    "done": (760, 480, "readers: remote"),
    "deleting": (130, 480, "readers: no file"),
}
_WIDTH, _HEIGHT = 210, 52

#: Each arrow: its path, where its words stand, and which end of them is there.
_ARROWS: Dict[Tuple[str, str], Tuple[str, int, int, str]] = {
    (GONE, "queued"): ("M400 8 V42", 410, 22, "start"),
    (GONE, "held"): ("M115 8 V42", 125, 22, "start"),
    (GONE, "done"): ("M1120 492 H867", 1120, 510, "end"),
    (GONE, "deleting"): ("M130 410 V452", 140, 428, "start"),
    ("held", "queued"): ("M220 70 H293", 257, 60, "middle"),
    ("queued", "transferring"): ("M505 58 H653", 580, 48, "middle"),
    ("transferring", "queued"): ("M655 84 H507", 580, 102, "middle"),
    ("transferring", "failed"): ("M690 96 L470 262", 548, 168, "end"),
    ("transferring", "settling"): ("M800 96 V262", 808, 150, "start"),
    ("transferring", "done"): ("M865 70 H940 V470 H867", 948, 190, "start"),
    ("settling", "queued"): ("M690 264 L492 98", 664, 234, "start"),
    ("settling", "failed"): ("M655 282 H507", 580, 274, "middle"),
    ("settling", "done"): ("M790 316 V452", 800, 376, "start"),
    ("failed", "queued"): ("M370 264 V98", 362, 186, "end"),
    ("failed", "settling"): ("M505 304 H653", 580, 322, "middle"),
    ("done", "settling"): ("M730 454 V318", 722, 400, "end"),
    ("done", "queued"): ("M655 492 H268 V84 H293", 278, 510, "start"),
    ("done", GONE): ("M760 506 V544", 770, 534, "start"),
    ("deleting", GONE): ("M130 506 V544", 140, 534, "start"),
}

_HEAD = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1130 560" role="img"
 font-family="system-ui, sans-serif" font-size="13">
<title>The states of a file in the ledger of a queue</title>
<desc>A table with the same content follows in the text.</desc>
<style>
.ground { fill: #fff } .box { fill: #eef3fb; stroke: #34568b; stroke-width: 1.5 }
.arrow { fill: none; stroke: #555; stroke-width: 1.5; marker-end: url(#end) }
text { fill: #222 } .state { font-weight: 600; font-size: 15px } .who { fill: #555 }
@media (prefers-color-scheme: dark) {
.ground { fill: #131416 } .box { fill: #1d2735; stroke: #7aa2dd } .arrow { stroke: #aaa }
text { fill: #eee } .who { fill: #bbb } marker path { fill: #aaa }
}
</style>
<defs><marker id="end" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7"
 orient="auto"><path d="M0 0 L8 4 L0 8 z" fill="#555"/></marker></defs>
<rect class="ground" width="1130" height="560"/>"""


def draw() -> str:
    """Return the drawing as SVG."""
    lines: List[str] = [_HEAD]
    for pair, words in TRANSITIONS.items():
        path, x, y, anchor = _ARROWS[pair]
        lines.append(f'<path class="arrow" d="{path}"/>')
        lines.append(f'<text x="{x}" y="{y}" text-anchor="{anchor}">{escape(words)}</text>')
    for state, (x, y, who) in _BOXES.items():
        left, top = x - _WIDTH // 2, y - _HEIGHT // 2
        lines += [
            f'<rect class="box" x="{left}" y="{top}" width="{_WIDTH}" height="{_HEIGHT}" rx="8"/>',
            f'<text class="state" x="{x}" y="{y - 3}" text-anchor="middle">{state}</text>',
            f'<text class="who" x="{x}" y="{y + 16}" text-anchor="middle">{who}</text>',
        ]
    return "\n".join([*lines, "</svg>", ""])
