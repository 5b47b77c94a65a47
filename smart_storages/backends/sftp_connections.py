"""Connections to servers of SFTP: one for each server and user, shared by all threads.

A client of paramiko is not safe to use from several threads at once: it waits forever for an
answer that another thread has read (https://github.com/paramiko/paramiko/issues/1836). A connection
carries several sessions, though. So each request is made with a session that nobody else has
meanwhile; there are as many as are needed at once, and no more than servers allow.
"""

from __future__ import annotations

import json
import os
import time
from contextlib import contextmanager, suppress
from threading import Condition, Lock
from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional, TypeVar

import paramiko
from paramiko.common import (
    OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED,
    OPEN_FAILED_CONNECT_FAILED,
    OPEN_FAILED_RESOURCE_SHORTAGE,
)

from smart_storages import config
from smart_storages.backends.sftp_clients import make_client
from smart_storages.backends.sftp_errors import translating
from smart_storages.exceptions import UnreachableError

__all__ = ["Session", "SftpServer", "server_of"]

#: Sessions of a connection at once. OpenSSH allows 10 (MaxSessions), and one that is being closed
#: counts.
_MOST_SESSIONS = 8
#: Seconds for which a caller waits until a session is free.
_PATIENCE = 60.0
#: Seconds for an answer of the server.
_TIMEOUT = 30.0
#: After so many seconds without use, a session is asked whether it is still there.
_STALE = 15.0

#: What a server says that allows no more of them; OpenSSH, the second.
_NO_MORE_SESSIONS = (
    OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED,
    OPEN_FAILED_CONNECT_FAILED,
    OPEN_FAILED_RESOURCE_SHORTAGE,
)

_Result = TypeVar("_Result")

_servers: Dict[str, SftpServer] = {}
_making = Lock()
_of_parent: List[Any] = []


def _leave_to_parent() -> None:
    global _making  # noqa: PLW0603
    _making = Lock()  # a thread of the parent may hold it, and does not live in the child
    # A forked child has copies of the sockets, and must send nothing over them, not even a goodbye
    # when it forgets them.
    for server in _servers.values():
        server.abandon()
    _of_parent.append(dict(_servers))
    _servers.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_to_parent)


def server_of(
    host: str, params: Mapping[str, Any], *, known_host_file: Optional[str], verify: bool
) -> SftpServer:
    """Return the server with this host and these parameters; every caller gets the same one.

    Args:
        host: Name or address of the host.
        params: Parameters of paramiko's ``SSHClient.connect``; texts may be secrets.
        known_host_file: Keys of known hosts, ``None`` for those of the user.
        verify: ``False`` to accept a host without a known key.
    """
    text = json.dumps(
        [host, params, known_host_file, verify],
        sort_keys=True,
        default=lambda value: f"{type(value)} {id(value)}",
    )
    key = config.keyed_digest("sftp", text)
    with _making:
        if key not in _servers:
            _servers[key] = SftpServer(host, params, known_host_file, verify)
        return _servers[key]


class Session:
    """A session of SFTP, which one thread at a time uses.

    Args:
        client: paramiko's client of it.
    """

    def __init__(self, client: Any) -> None:
        self.client = client
        #: Files that nobody reads any more. Whoever has the session next closes them: they may be
        #: given up by the garbage collector, in any thread.
        self.to_close: List[Any] = []
        self.used_at = time.monotonic()
        self.was_used = False

    @property
    def is_open(self) -> bool:
        channel = self.client.get_channel()
        return channel is not None and not channel.closed and channel.get_transport().is_active()

    def answers(self) -> bool:
        """Return whether it can be used; asks the server if nobody has for a while."""
        if not self.is_open:
            return False
        if time.monotonic() - self.used_at < _STALE:
            return True
        try:
            self.client.normalize(".")
        except Exception:
            return False
        return True

    def close_files(self) -> None:
        while self.to_close:
            with suppress(Exception):
                self.to_close.pop().close()

    def close(self) -> None:
        with suppress(Exception):
            self.client.close()


class SftpServer:
    """A server of SFTP, and the connection to it.

    Args:
        host: Name or address of the host.
        params: Parameters of paramiko's ``SSHClient.connect``.
        known_host_file: Keys of known hosts, ``None`` for those of the user.
        verify: ``False`` to accept a host without a known key.
    """

    def __init__(
        self, host: str, params: Mapping[str, Any], known_host_file: Optional[str], verify: bool
    ) -> None:
        self.host = host
        self._params = dict(params)
        self._known_host_file = known_host_file
        self._verify = verify
        self._client: Any = None
        self._connecting = Lock()
        self._failed_at = float("-inf")
        self._failure: Exception = UnreachableError()
        self._changed = Condition()
        self._idle: List[Session] = []
        self._count = 0
        self._most = _MOST_SESSIONS
        #: What was found out about it, by what it is.
        self.learned: Dict[str, bool] = {}

    def __repr__(self) -> str:
        return f"<SftpServer {self.host}>"

    def abandon(self) -> None:
        """Let nothing be sent any more over a connection that belongs to the parent process."""
        transport = self._client and self._client.get_transport()
        if transport:
            transport.active = False

    def run(self, function: Callable[[Any], _Result]) -> _Result:
        """Return what a function returns that may be called again if the connection was lost.

        Args:
            function: Called with a client that nobody else uses meanwhile.

        Raises:
            OSError: as the function; whatever paramiko raises is translated.
        """
        return self.run_in_session(lambda session: function(session.client))

    def run_in_session(self, function: Callable[[Session], _Result]) -> _Result:
        """As :meth:`run`, with a function that is called with the session."""
        was_used = False
        try:
            with self.session() as session:
                was_used = session.was_used
                return function(session)
        except UnreachableError:
            if not was_used:
                raise  # it has just answered, or never did
        with self.session() as session:
            return function(session)

    @contextmanager
    def session(self, wanted: Optional[Session] = None) -> Iterator[Session]:
        """A block that has a session for itself.

        Args:
            wanted: The only one that will do; it holds an open file.

        Raises:
            UnreachableError: there is no connection, or all sessions are busy for a minute.
        """
        session = self._take(wanted)
        try:
            session.close_files()
            with translating(self.host):
                yield session
        except UnreachableError:
            session.close()
            with self._changed:
                for each in self._idle:
                    each.used_at = float("-inf")  # so that it is asked whether it is there
            raise
        except OSError:
            raise
        except BaseException:
            session.close()  # an answer may be on its way, to nobody
            raise
        finally:
            self._give_back(session)

    def _take(self, wanted: Optional[Session]) -> Session:
        give_up = time.monotonic() + _PATIENCE
        while True:
            with self._changed:
                session = self._find_idle(wanted, give_up)
            if session is None:
                session = self._begin()
                if session is not None:
                    return session
                continue  # it allows no more than there are
            if session.answers():
                return session
            session.close()
            self._forget_one()

    def _find_idle(self, wanted: Optional[Session], give_up: float) -> Optional[Session]:
        """Return a session that is free, ``None`` if another one may be begun."""
        while True:
            if wanted is not None:
                if wanted in self._idle:
                    self._idle.remove(wanted)
                    return wanted
                if not wanted.is_open:
                    raise UnreachableError(
                        f"The connection to {self.host} was lost while a file was read. Open it "
                        "again."
                    )
            elif self._idle:
                return self._idle.pop()
            elif self._count < self._most:
                self._count += 1
                return None
            if time.monotonic() > give_up:
                raise UnreachableError(
                    f"All sessions of the connection to {self.host} are busy. Transfer fewer "
                    "files at once."
                )
            self._changed.wait(1.0)

    def _begin(self) -> Optional[Session]:
        try:
            # One after the other: paramiko mixes up why two sessions could not be opened.
            asked_at = time.monotonic()
            with self._connecting:
                if self._failed_at > asked_at:
                    # Meanwhile: each of those who wait would wait as long again.
                    raise type(self._failure)(*self._failure.args)
                known, client = self._client, self._connect()
                try:
                    with translating(self.host):
                        return self._open_session(client)
                except UnreachableError:
                    if client is not known:
                        raise
                    # It was lost, and nobody had noticed.
                    client.close()
                with translating(self.host):
                    return self._open_session(self._connect())
        except BaseException:
            self._forget_one()
            raise

    def _open_session(self, client: Any) -> Optional[Session]:
        try:
            sftp: Any = client.open_sftp()
        except paramiko.ChannelException as error:
            with self._changed:
                if error.code not in _NO_MORE_SESSIONS or self._count <= 1:
                    raise
                self._count -= 1
                self._most = self._count
            return None
        sftp.get_channel().settimeout(_TIMEOUT)
        return Session(sftp)

    def _forget_one(self) -> None:
        with self._changed:
            self._count -= 1
            self._changed.notify_all()

    def _give_back(self, session: Session) -> None:
        session.used_at = time.monotonic()
        session.was_used = True
        with self._changed:
            if session.is_open:
                self._idle.append(session)
            else:
                self._count -= 1
            self._changed.notify_all()

    # Connecting

    def _connect(self) -> Any:
        transport = self._client and self._client.get_transport()
        if self._client is not None and transport and transport.is_active():
            return self._client
        client, problem = make_client(
            self.host, self._params, self._known_host_file, verify=self._verify
        )
        if problem is not None:
            self._failure, self._failed_at = problem, time.monotonic()
            raise problem  # past the frames of paramiko, whose variables hold the password
        self._client = client
        return client
