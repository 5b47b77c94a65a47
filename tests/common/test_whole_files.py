"""What files share that are published whole when they are closed, or not at all."""

from __future__ import annotations

from contextlib import suppress

import pytest

from smart_storages.common.whole_files import WholeFile


class Kept(WholeFile):
    def __init__(self):
        super().__init__(None, "a.txt")
        self.mode = "wb"
        self.published = []
        self.start_again()

    def start_again(self):
        self.pieces = []
        self.is_closed = False

    closed = property(lambda self: self.is_closed)
    size = property(lambda self: sum(map(len, self.pieces)))

    def write(self, content):
        self._raise_if_closed()
        self.pieces.append(content)

    def close(self):
        self.published.append(b"".join(self.pieces))
        self.is_closed = True

    def discard(self):
        self.is_closed = True


def test_a_block_that_ends_well_publishes_and_one_that_raises_does_not():
    file = Kept()
    with file:
        file.writelines([b"whole", b" file"])
        assert (len(file), bool(file)) == (10, True)
    assert file.published == [b"whole file"]
    with suppress(KeyError), file.open():
        file.write(b"half")
        raise KeyError("a")
    assert file.published == [b"whole file"]
    assert file.closed


def test_a_closed_file_takes_nothing_until_it_is_opened_again():
    file = Kept()
    file.write(b"first")
    assert file.open("wb") is file
    assert len(file) == 5
    file.close()
    assert repr(file) == "<Kept: 'a.txt' closed for writing>"
    with pytest.raises(ValueError, match="closed file"):
        file.write(b"second")
    assert len(file.open()) == 0
    assert repr(file) == "<Kept: 'a.txt' open for writing>"


def test_another_mode_is_refused():
    with pytest.raises(ValueError, match=r"'a\.txt' was opened in mode 'wb', not 'rb'"):
        Kept().open("rb")
