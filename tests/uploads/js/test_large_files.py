"""What a gigabyte costs Django: no memory, and requests that are over at once."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Callable

import psutil
import pytest

from tests.uploads.conftest import MP4
from tests.uploads.js.conftest import MB, Page, Site

#: Most that Django's process may grow by, in bytes, and the longest request, in seconds.
_GROWTH = 10 * MB
_LONGEST = 0.2


def write_film(path: Path, size: int) -> str:
    """Write a film that repeats nothing, and return its SHA-256."""
    digest, block = hashlib.sha256(), os.urandom(MB - 8)
    with path.open("wb") as file:
        for number in range(size // MB):
            piece = (MP4 + block)[: MB - 8] if number == 0 else block
            piece += number.to_bytes(8, "big")
            file.write(piece)
            digest.update(piece)
    return digest.hexdigest()


def memory_of(site: Site) -> int:
    return int(psutil.Process(site.process.pid).memory_info().rss)


@pytest.mark.soak
def test_a_gigabyte_takes_no_memory_of_django_and_no_long_request(
    page: Page,
    running_site: Site,
    make_file: Callable[..., Path],
    tmp_path: Path,
) -> None:
    # What any first upload loads stays loaded, and takes its time.
    page.open("/film/")
    page.find("[name=title]").send_keys("Small")
    page.choose(make_file("small.mp4", 17 * MB))
    page.wait_for("done")
    page.save()
    film = tmp_path / "large.mp4"
    digest = write_film(film, 1024 * MB)

    page.open("/film/")
    before, warmed_up = memory_of(running_site), len(page.took())
    page.find("[name=title]").send_keys("Large")
    page.choose(film)
    page.wait_for("done", 300)
    (name,) = page.save()["saved"]
    growth = memory_of(running_site) - before

    found = hashlib.sha256()
    body = page.bucket.client.get_object(Bucket=page.bucket.name, Key=name)["Body"]
    for piece in body.iter_chunks(MB):
        found.update(piece)
    assert found.hexdigest() == digest

    page.bucket.client.delete_object(Bucket=page.bucket.name, Key=name)
    took = sorted(
        ((seconds - waited, seconds, path) for path, seconds, waited in page.took()[warmed_up:]),
        reverse=True,
    )
    print(f"{growth / MB:.1f} MB more, {len(took)} requests, the longest {took[:3]}")  # noqa: T201
    assert growth < _GROWTH
    assert took[0][0] < _LONGEST
