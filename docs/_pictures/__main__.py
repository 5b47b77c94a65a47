"""``python -m docs._pictures [NAME ...]`` writes pictures to docs/images: all, or those named."""

from __future__ import annotations

import sys
from typing import List

from docs._pictures import IMAGES, diagram, ledger
from docs._pictures.casts import CASTS
from docs._pictures.site import SCREENSHOTS, take

#: What is drawn, and by what.
DRAWINGS = {"ledger.svg": ledger.draw, "overview.svg": diagram.draw}
#: Every picture, by the name of its file.
NAMES = [*DRAWINGS, *CASTS, *SCREENSHOTS]


def main(names: List[str]) -> None:
    """Write the pictures of these names; without one, all.

    Raises:
        SystemExit: There is no such picture, or no browser.
    """
    unknown = sorted(set(names) - set(NAMES))
    if unknown:
        raise SystemExit(f"No such picture: {', '.join(unknown)}. There are: {', '.join(NAMES)}.")
    wanted = names or NAMES
    for name in filter(DRAWINGS.__contains__, wanted):
        (IMAGES / name).write_text(DRAWINGS[name](), encoding="utf-8")
    for name in filter(CASTS.__contains__, wanted):
        (IMAGES / name).write_text(CASTS[name].draw(), encoding="utf-8")
    for name, png in take(wanted):
        (IMAGES / name).write_bytes(png)


if __name__ == "__main__":
    main(sys.argv[1:])
