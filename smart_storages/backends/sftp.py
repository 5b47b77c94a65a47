"""Objects as files of a server of SFTP.

A file is written under a temporary name beside the one that it is to have, and renamed when it is
whole. To overwrite, that is OpenSSH's ``posix-rename``, which replaces in one step; whoever has the
older file open goes on reading it. Not to overwrite, it is the ``rename`` of the protocol, which
fails if the name is taken ("It is an error if there already exists a file with the name specified
by newpath"). OpenSSH makes a hard link for it, so of several writers one succeeds. Servers that
overwrite nevertheless are found out before the first file is saved.

Source: https://datatracker.ietf.org/doc/html/draft-ietf-secsh-filexfer-02
"""

from __future__ import annotations

import itertools
import posixpath
import stat as kinds
from contextlib import suppress
from datetime import datetime, timezone
from typing import Any, Iterator, List, Mapping, Optional, Sequence, Tuple
from urllib.parse import quote

from smart_storages import config
from smart_storages.backends.pieces import take_beginning
from smart_storages.backends.plain import (
    check_folder,
    check_key,
    describe,
    in_order_of_s3,
    refuse_attributes,
    temporary_name,
)
from smart_storages.backends.s3.stat import Stat
from smart_storages.backends.sftp_connections import Session, SftpServer
from smart_storages.backends.sftp_errors import is_lost
from smart_storages.backends.sftp_files import (
    Modes,
    begin,
    find,
    is_file,
    is_folder,
    is_there,
    list_files,
    make_folder,
    publish,
    set_modes,
    undo,
)
from smart_storages.backends.sftp_reader import SftpReader
from smart_storages.backends.store import Attributes, Found, Need, Store
from smart_storages.backends.turns import turn_at_key
from smart_storages.common.secrets import reveal
from smart_storages.exceptions import ConfigurationError, S3Error, UnreachableError

__all__ = ["Modes", "SftpStore", "identity_of"]

#: What is read of some content before the server is asked for anything.
_BEGINNING = 1024**2
#: What paramiko is given at once. It sends 32 KiB of it, and copies the rest each time.
_PIECE = 128 * 1024


def identity_of(host: str, params: Mapping[str, Any], root: str) -> str:
    """Return what is equal for two stores with the same files; it shows no user and no password.

    Args:
        host: Name or address of the host.
        params: Parameters of the connection.
        root: The directory of all files.
    """
    user = "\0".join(str(reveal(params.get(name))) for name in ("port", "username"))
    return f"sftp {host} {config.keyed_digest('sftp user', host, user, root)}"


class SftpStore(Store):
    """The files below one directory of a server.

    Args:
        server: The server.
        root: The directory; a relative one is in that of the user.
        folder: A folder of it, ``""`` for the directory itself.
        identity: What :func:`identity_of` returned.
        modes: What new files and folders get.
        base_url: Where another server serves the directory, for URLs.

    Raises:
        PermissionError: the folder leads out of the directory, or is hidden.
    """

    place = "on a server of SFTP"
    takes_uploads = False
    signs_urls = False

    def __init__(
        self,
        server: SftpServer,
        root: str,
        folder: str = "",
        *,
        identity: str,
        modes: Modes,
        base_url: Optional[str] = None,
    ) -> None:
        check_folder(folder)
        self._server = server
        self._root = posixpath.join(root, folder) if folder else root
        self._identity = identity
        self._modes = modes
        self._base_url = base_url and "/".join((base_url.rstrip("/"), *filter(None, [folder])))

    # Writing

    def put(
        self, key: str, chunks: Iterator[bytes], attributes: Attributes, *, overwrite: bool
    ) -> Stat:
        refuse_attributes(attributes, self.place)
        path = self._path_of(key)
        # Before the content is read, which cannot be read again if the connection is gone.
        if self._server.run(lambda client: is_there(client, path)) and not overwrite:
            raise FileExistsError(key)
        beginning, _ = take_beginning(chunks, _BEGINNING)
        folder = posixpath.dirname(path)
        temporary, older = (posixpath.join(folder, temporary_name()) for _ in range(2))
        is_safe = overwrite or self.refuses_taken_keys
        is_whole = False
        try:
            with self._server.session() as session:
                status = self._write(session.client, temporary, beginning, chunks)
                is_whole = True
                if is_safe:
                    publish(session.client, temporary, path, older, overwrite=overwrite)
                else:
                    self._publish_after_look(session.client, temporary, path, older)
        except BaseException as error:
            is_published = self._undo(temporary, path, older)
            # Else only the answer was lost.
            if not (is_whole and is_published and isinstance(error, UnreachableError)):
                raise
        kind = attributes.headers.get("content-type")
        return self._describe(key, status, kind).stat

    def _write(self, client: Any, path: str, beginning: bytes, rest: Iterator[bytes]) -> Any:
        size = 0
        with begin(client, path, self._modes) as file:
            file.set_pipelined(True)
            last = b""
            for piece in _pieces(beginning, rest):
                file.write(last)
                size += len(piece)
                last = piece
            # The answers are read with the last piece: that the disk is full is one of them.
            file.set_pipelined(False)
            file.write(last)
        set_modes(client, path, self._modes.file_mode, self._modes)
        status = client.stat(path)
        if status.st_size != size:
            raise S3Error(
                f"The server kept {status.st_size} of {size} bytes. Nothing was saved; look "
                "whether its disk is full."
            )
        return status

    def _undo(self, temporary: str, path: str, older: str) -> bool:
        """Take back a write; return whether it is known that it had ended."""
        for is_first in (True, False):
            # Over another connection, if this one is lost. If the answer of the first try is lost
            # too, what the second one finds is its work.
            with suppress(OSError), self._server.session() as session:
                return undo(session.client, temporary, path, older) and is_first
        return False

    def _publish_after_look(self, client: Any, temporary: str, path: str, older: str) -> None:
        # The best there is on a server that overwrites: no other thread of this process does.
        with turn_at_key(self._server, path):
            if is_there(client, path):
                raise FileExistsError(path)
            publish(client, temporary, path, older, overwrite=False)

    def delete(self, key: str) -> None:
        self._server.run(lambda client: self._delete(client, self._path_of(key)))

    def _delete(self, client: Any, path: str) -> None:
        if not is_file(client, path):
            return
        with suppress(FileNotFoundError):
            client.remove(path)
        # As in S3, a folder without files does not exist.
        folder = posixpath.dirname(path)
        while len(folder) > len(self._root.rstrip("/")):
            try:
                client.rmdir(folder)
            except OSError:
                return
            folder = posixpath.dirname(folder)

    @property
    def refuses_taken_keys(self) -> bool:  # type: ignore[override]
        """Whether the server's ``rename`` fails if the name is taken; it is tried once."""
        name = "renames without overwriting"
        learned = self._server.learned
        if name not in learned:
            found = self._server.run(self._try_rename)
            if found is None:
                return False
            learned[name] = found
        return learned[name]

    def _try_rename(self, client: Any) -> Optional[bool]:
        """Return what it does, ``None`` if nothing can be written there."""
        one, other = (posixpath.join(self._root, temporary_name()) for _ in range(2))
        made: List[str] = []
        try:
            for path in (one, other):
                begin(client, path, self._modes).close()
                made.append(path)
            client.rename(one, other)
        except OSError as error:
            if is_lost(error):
                raise
            return True if other in made else None
        finally:
            for path in made:
                with suppress(OSError):
                    client.remove(path)
        return False

    # Reading

    def open(self, key: str) -> Tuple[Any, Found]:
        path = self._path_of(key)
        return self._server.run_in_session(lambda session: self._open(session, key, path))

    def _open(self, session: Session, key: str, path: str) -> Tuple[Any, Found]:
        file = find(lambda: session.client.open(path, "rb"), key)
        try:
            status = file.stat()
            if not kinds.S_ISREG(status.st_mode or 0):
                raise FileNotFoundError(key)
            reader = SftpReader(self._server, session, file, int(status.st_size or 0))
            reader.begin()
        except BaseException:
            session.to_close.append(file)
            raise
        return reader, self._describe(key, status)

    def find(self, key: str) -> Found:
        path = self._path_of(key)
        status = self._server.run(lambda client: find(lambda: client.stat(path), key))
        if not kinds.S_ISREG(status.st_mode or 0):
            raise FileNotFoundError(key)
        return self._describe(key, status)

    def entries(self, prefix: str) -> Iterator[Tuple[str, Stat]]:
        folder, _, start = prefix.rpartition("/")
        try:
            top = self._path_of(folder) if folder else self._root
        except PermissionError:
            return  # no key begins like this
        found = {}
        waiting = [(top, f"{folder}/" if folder else "")]
        is_first = True
        while waiting:
            where, keys = waiting.pop()
            for name, status in self._list(where):
                if is_first and not name.startswith(start):
                    continue
                if kinds.S_ISDIR(status.st_mode or 0):
                    waiting.append((posixpath.join(where, name), f"{keys}{name}/"))
                elif kinds.S_ISREG(status.st_mode or 0):
                    found[keys + name] = status
            is_first = False
        for key in sorted(found, key=in_order_of_s3):
            yield key, self._describe(key, found[key]).stat

    def list_folder(self, prefix: str) -> Tuple[List[str], List[str]]:
        try:
            where = self._path_of(prefix.rstrip("/")) if prefix else self._root
        except PermissionError:
            return [], []
        folders: List[str] = []
        files: List[str] = []
        for name, status in self._list(where):
            if kinds.S_ISDIR(status.st_mode or 0):
                folders.append(name)
            elif kinds.S_ISREG(status.st_mode or 0):
                files.append(name)
        return sorted(folders), sorted(files)

    def _list(self, folder: str) -> List[Tuple[str, Any]]:
        return self._server.run(lambda client: list_files(client, folder))

    def needs(self, *, is_public: bool, by_acl: bool = False) -> Sequence[Need]:
        root = self._root.rstrip("/")
        if not root:
            return ()  # the directory of the user, or that of the whole server
        return [
            Need(
                f"the folder {root} of {self._server.host}",
                lambda: self._server.run(lambda client: is_folder(client, root)),
                lambda: self._server.run(lambda client: self._make_root(client, root)),
                is_met_by_a_save=True,
            )
        ]

    def _make_root(self, client: Any, root: str) -> None:
        if not is_folder(client, root):
            make_folder(client, root, self._modes)

    # Identity and URLs

    def identity(self) -> str:
        return self._identity

    def is_same(self, key: str, other: Store, other_key: str) -> bool:
        # Two roots may overlap, and of the same user there are several servers in this process.
        if not isinstance(other, SftpStore) or other._server.host != self._server.host:
            return False
        return self._where_is(key) == other._where_is(other_key)

    def _where_is(self, key: str) -> str:
        path = self._path_of(key)
        return str(self._server.run(lambda client: client.normalize(path)))

    def url(
        self,
        key: str,
        *,
        expires: Optional[int] = None,
        parameters: Optional[Mapping[str, str]] = None,
    ) -> str:
        if not self._base_url:
            raise ConfigurationError(
                "A file on a server of SFTP has no URL. Set base_url, or SFTP_BASE_URL, to the "
                "address at which another server serves the files."
            )
        return f"{self._base_url}/{quote(key)}"

    def _path_of(self, key: str) -> str:
        check_key(key)
        return posixpath.join(self._root, key)

    def _describe(self, key: str, status: Any, content_type: Optional[str] = None) -> Found:
        modified = datetime.fromtimestamp(status.st_mtime or 0, timezone.utc)
        place = f"{self._identity} {self._root}"
        return describe(place, key, int(status.st_size or 0), modified, content_type)


def _pieces(beginning: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    for chunk in itertools.chain([beginning], rest):
        for start in range(0, len(chunk), _PIECE):
            yield chunk[start : start + _PIECE]
