"""``python -m pictures [NAME ...]``: writes the pictures to docs/images, all or those named."""

from __future__ import annotations

import sys
from typing import List

from pictures import IMAGES, diagram
from pictures.casts import CASTS
from pictures.site import SCREENSHOTS, take

#: Every picture, by the name of its file.
NAMES = ["overview.svg", *CASTS, *SCREENSHOTS]


def main(names: List[str]) -> None:
    """Write the pictures of these names; without one, all.

    Raises:
        SystemExit: There is no such picture, or no browser.
    """
    unknown = sorted(set(names) - set(NAMES))
    if unknown:
        raise SystemExit(f"No such picture: {', '.join(unknown)}. There are: {', '.join(NAMES)}.")
    wanted = names or NAMES
    if "overview.svg" in wanted:
        (IMAGES / "overview.svg").write_text(diagram.draw(), encoding="utf-8")
    for name in filter(CASTS.__contains__, wanted):
        (IMAGES / name).write_text(CASTS[name].draw(), encoding="utf-8")
    for name, png in take(wanted):
        (IMAGES / name).write_bytes(png)


if __name__ == "__main__":
    main(sys.argv[1:])
