"""Reads one version of a file of a server of SFTP."""

from __future__ import annotations

from typing import Any, Dict, Optional, Tuple

import paramiko
from paramiko.sftp import CMD_DATA, CMD_READ, CMD_STATUS, int64

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
        content = _Requests(self._session.client, self._file.handle).read(start, count)
        if len(content) != count:
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


class _Requests:
    """Requests for a part of a file, all of which are sent before the first answer is read.

    Not paramiko's ``readv``: it sends them from a thread of its own, which may still do so when
    the caller has its bytes and somebody else has the session. Packets of both then mix, or what
    was not asked for is waited for. (https://github.com/paramiko/paramiko/pull/2519 describes how
    it takes itself for done too early.)

    Args:
        client: paramiko's client of the session.
        handle: The server's handle of the file.
    """

    def __init__(self, client: Any, handle: bytes) -> None:
        self._client = client
        self._handle = handle
        self._asked: Dict[int, Tuple[int, int]] = {}
        self._pieces: Dict[int, bytes] = {}
        self._failure: Optional[OSError] = None

    def read(self, start: int, count: int) -> bytes:
        """Return these bytes, or fewer if the file has no more."""
        size = paramiko.SFTPFile.MAX_REQUEST_SIZE
        for at in range(start, start + count, size):
            self._ask(at, min(size, start + count - at))
        while self._asked:
            self._client._read_response()
        if self._failure is not None:
            raise self._failure
        return b"".join(self._pieces[at] for at in sorted(self._pieces))

    def _ask(self, at: int, count: int) -> None:
        number = self._client._async_request(self, CMD_READ, self._handle, int64(at), count)
        self._asked[number] = at, count

    def _async_response(self, kind: int, message: Any, number: int) -> None:
        """Take an answer; paramiko calls this by its name."""
        at, count = self._asked.pop(number)
        if kind == CMD_STATUS:
            try:
                self._client._convert_status(message)
            except EOFError:
                pass
            except OSError as error:
                self._failure = error
            return
        if kind != CMD_DATA:
            raise paramiko.SFTPError("Neither data nor a status")
        piece = self._pieces[at] = message.get_string()
        if 0 < len(piece) < count:
            self._ask(at + len(piece), count - len(piece))  # a server may send less
