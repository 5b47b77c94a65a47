"""What is asked of a server of SFTP, in several requests with one session."""

from __future__ import annotations

import errno
import os
import posixpath
import stat as kinds
from contextlib import suppress
from typing import Any, Callable, List, NamedTuple, Optional, Tuple

from smart_storages.backends.plain import is_temporary

__all__ = [
    "Modes",
    "begin",
    "find",
    "is_file",
    "is_folder",
    "is_there",
    "list_files",
    "make_folder",
    "publish",
    "set_modes",
    "undo",
]

#: How often a file is begun again because others remove its folder, which is empty.
_TRIES = 20

#: What OpenSSH answers if a name is too long.
_TOO_LONG = "Bad message"


class Modes(NamedTuple):
    """What new files and folders get, ``None`` for what the server gives them.

    Args:
        file_mode: Permissions of files, such as ``0o640``.
        dir_mode: Permissions of folders.
        uid: Number of their owner.
        gid: Number of their group.
    """

    file_mode: Optional[int] = None
    dir_mode: Optional[int] = None
    uid: Optional[int] = None
    gid: Optional[int] = None


def begin(client: Any, path: str, modes: Modes) -> Any:
    """Return a new file, open for writing; the folders above it are made.

    Args:
        client: paramiko's client of a session.
        path: Path of the file; there must be none.
        modes: What new folders get.
    """
    for _ in range(_TRIES):
        try:
            return client.open(path, "wx")
        except FileNotFoundError:
            # Or another delete has removed the folder because it was empty.
            make_folder(client, posixpath.dirname(path), modes)
    raise OSError(errno.EBUSY, "Others change the folder all the time")


def make_folder(client: Any, folder: str, modes: Modes) -> None:
    """Make a folder, and those above it; fine if another writer does at the same time.

    Args:
        client: paramiko's client of a session.
        folder: Path of the folder; there is none.
        modes: What new folders get.

    Raises:
        NotADirectoryError: a file has its name.
    """
    parent = posixpath.dirname(folder)
    if parent not in ("", "/", folder) and not is_folder(client, parent):
        make_folder(client, parent, modes)
    try:
        client.mkdir(folder)
    except OSError:
        # Another writer has made it; or a file has its name.
        if not is_there(client, folder):
            raise
        if not is_folder(client, folder):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR)) from None
    else:
        set_modes(client, folder, modes.dir_mode, modes)


def set_modes(client: Any, path: str, mode: Optional[int], modes: Modes) -> None:
    """Give a file or folder its permissions and its owner.

    Args:
        client: paramiko's client of a session.
        path: Its path.
        mode: Its permissions.
        modes: Its owner and group.
    """
    if mode is not None:
        client.chmod(path, mode)
    if modes.uid is not None or modes.gid is not None:
        status = client.stat(path)
        uid = status.st_uid if modes.uid is None else modes.uid
        client.chown(path, uid, status.st_gid if modes.gid is None else modes.gid)


def publish(client: Any, temporary: str, path: str, older: str, *, overwrite: bool) -> None:
    """Give a file that is whole its name.

    Args:
        client: paramiko's client of a session.
        temporary: Path of the file.
        path: The path that it gets.
        older: Path that the one it replaces may have meanwhile.
        overwrite: ``False`` to fail if there is a file already.

    Raises:
        FileExistsError: there is one.
    """
    try:
        if not overwrite:
            client.rename(temporary, path)
            return
        client.posix_rename(temporary, path)
    except OSError as error:
        # What fails for another reason than those that SFTP has a number for; an extension may be
        # missing, or forbidden.
        if error.errno not in ((None, errno.EACCES) if overwrite else (None,)):
            raise
        if overwrite:
            _replace(client, temporary, path, older)
        elif is_there(client, path):
            raise FileExistsError(path) from None
        else:
            raise


def _replace(client: Any, temporary: str, path: str, older: str) -> None:
    """Replace a file where the server cannot do it in one step.

    At every moment one of the two versions is in the folder, if only under a temporary name.
    """
    if not is_there(client, path):
        client.rename(temporary, path)
        return
    if is_folder(client, path):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    client.rename(path, older)
    try:
        client.rename(temporary, path)
    except BaseException:
        with suppress(OSError):
            client.rename(older, path)
        raise
    client.remove(older)


def undo(client: Any, temporary: str, path: str, older: str) -> bool:
    """Take back what :func:`publish` has begun; return whether it had ended.

    Args:
        client: paramiko's client of a session.
        temporary: Path of the file that was to be published.
        path: The path that it was to get.
        older: Path that the one it was to replace may have.
    """
    is_published = False
    try:
        client.remove(temporary)
    except FileNotFoundError:
        is_published = True  # nobody else gives it another name
    if is_there(client, older):
        if not is_published:
            with suppress(OSError):  # another writer has replaced it
                client.rename(older, path)
                return False
        client.remove(older)
    return is_published


def find(ask: Callable[[], Any], key: str) -> Any:
    """Return what a server says of a file, with one error for each way in which it is missing."""
    try:
        return ask()
    except (FileNotFoundError, NotADirectoryError):
        raise FileNotFoundError(key) from None
    except OSError as error:
        if error.errno is not None or str(error) != _TOO_LONG:
            raise
        raise FileNotFoundError(key) from None


def is_there(client: Any, path: str) -> bool:
    """Return whether there is anything under a path."""
    try:
        find(lambda: client.lstat(path), path)
    except FileNotFoundError:
        return False
    return True


def is_file(client: Any, path: str) -> bool:
    """Return whether there is a file under a path, and no folder."""
    return kinds.S_ISREG(_kind_of(client, path))


def is_folder(client: Any, path: str) -> bool:
    """Return whether there is a folder under a path."""
    return kinds.S_ISDIR(_kind_of(client, path))


def _kind_of(client: Any, path: str) -> int:
    try:
        return find(lambda: client.stat(path), path).st_mode or 0
    except FileNotFoundError:
        return 0


def list_files(client: Any, folder: str) -> List[Tuple[str, Any]]:
    """Return the names of what is in a folder, each with what the server says of it."""
    try:
        listed = find(lambda: client.listdir_attr(folder or "."), folder)
    except FileNotFoundError:
        return []
    found: List[Tuple[str, Any]] = []
    for status in listed:
        name = status.filename
        if is_temporary(name):
            continue
        if kinds.S_ISLNK(status.st_mode or 0):
            # What is behind it counts, but not a folder, which may lead in a circle.
            with suppress(OSError):
                behind = client.stat(posixpath.join(folder, name))
                if kinds.S_ISREG(behind.st_mode or 0):
                    found.append((name, behind))
            continue
        found.append((name, status))
    return found
