"""Reads one version of a file of a server of SFTP."""

from __future__ import annotations

from typing import Any

from smart_storages.backends.ranges import RangeReader
from smart_storages.backends.sftp_connections import Session, SftpServer
from smart_storages.exceptions import UnreachableError

__all__ = ["SftpReader"]

#: What opens a file reads this many bytes: most files are smaller, and leave nothing open.
_FIRST_READ = 1024**2
#: What is read at once further on. The server is asked for all of it before it answers.
_NEXT_READ = 4 * 1024**2


class SftpReader(RangeReader):
    """One version of a file; what opened it has its beginning.

    A file is open in one session of its server, and can be read with that alone.

    Args:
        server: The server.
        session: The session that opened it.
        file: paramiko's file.
        size: Bytes of this version.
    """

    def __init__(self, server: SftpServer, session: Session, file: Any, size: int) -> None:
        super().__init__(self._fetch_in_session, b"", size, _NEXT_READ)
        self._server = server
        self._session = session
        self._file = file

    def begin(self) -> None:
        """Read its beginning, with the session that the caller has."""
        self._held = self._read(0, min(_FIRST_READ, self._size))
        if len(self._held) == self._size:
            self._give_up()

    def _fetch_in_session(self, start: int, count: int) -> bytes:
        with self._server.session(self._session):
            return self._read(start, min(count, _NEXT_READ))

    def _read(self, start: int, count: int) -> bytes:
        if not count:
            return b""
        content = b"".join(self._file.readv([(start, count)]))
        if len(content) < count:
            raise UnreachableError("The file was shortened while it was read. Open it again.")
        return content

    def _give_up(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            self._session.to_close.append(file)

    def close(self) -> None:
        if not self.closed:
            self._give_up()
        super().close()
