"""``make pictures``: the pictures of README and documentation, made anew from the code.

A diagram that is drawn, terminals that show what commands print, and screenshots of the example
site in Chromium. No picture is made or changed by hand.
"""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
IMAGES = ROOT / "docs" / "images"
#: A page has several of them, and a reader may pay for each byte.
LARGEST = 150_000
