"""Finds problems of the options that lead to a server of SFTP, without asking it."""

from __future__ import annotations

from typing import Any, Iterator, Mapping

from smart_storages.config.values import Problem, find_misspelt

__all__ = ["find_sftp_problems"]

#: The arguments of paramiko's ``SSHClient.connect``; a later release may have more.
#: https://docs.paramiko.org/en/stable/api/client.html#paramiko.client.SSHClient.connect
_PARAMS = (
    "allow_agent",
    "auth_strategy",
    "auth_timeout",
    "banner_timeout",
    "channel_timeout",
    "compress",
    "disabled_algorithms",
    "gss_auth",
    "gss_deleg_creds",
    "gss_host",
    "gss_kex",
    "gss_trust_dns",
    "key_filename",
    "look_for_keys",
    "passphrase",
    "password",
    "pkey",
    "port",
    "sock",
    "timeout",
    "transport_factory",
    "username",
)
#: What other programs call them.
_OTHER_NAMES = {
    "hostname": "the option 'host'",
    "identity_file": "'key_filename'",
    "key_file": "'key_filename'",
    "private_key": "'pkey', or the path of its file as 'key_filename'",
    "user": "'username'",
}
_MOST_PORT = 65_535
_MODES = ("file_mode", "dir_mode")
_MOST_PLAIN, _MOST_MODE = 0o777, 0o7777
_NOT_IN_HOST = {*"/@ \t\r\n\0"}


def find_sftp_problems(options: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield the problems of the options of the backend ``sftp``; none of them shows a secret.

    Args:
        options: Merged options, or those of the settings.

    Example:
        >>> [problem.key for problem in find_sftp_problems({"host": "sftp://example.com"})]
        ['host']
    """
    host = options.get("host")
    if isinstance(host, str) and host and not _is_host(host):
        # It may have a password in it.
        yield _problem(
            "host",
            "is not the name or the address of a host",
            "Write sftp.example.com; the user and the port are 'username' and 'port' in params, "
            "the folder is root_path.",
        )
    params = options.get("params")
    if isinstance(params, Mapping):
        yield from _find_param_problems(params)
    root = options.get("root_path")
    if isinstance(root, str) and (root.startswith("~") or "\0" in root):
        yield _problem(
            "root_path",
            f"is {root!r}, and a server of SFTP knows no '~'",
            "Write an absolute path, or one that begins in the folder of the user: upload.",
        )
    for key in _MODES:
        mode = options.get(key)
        if isinstance(mode, int) and _is_decimal(mode):
            yield _problem(key, f"is {mode}, which is {mode:#o}", f"Write 0o{mode}.")
        elif isinstance(mode, int) and not 0 <= mode <= _MOST_MODE:
            yield _problem(key, f"is {mode}, which is no mode of a file", "Write 0o640.")
    for key in ("uid", "gid"):
        number = options.get(key)
        if isinstance(number, int) and not 0 <= number < 2**32:
            yield _problem(key, f"is {number}", "Write a number of 0 or more.")


def _find_param_problems(params: Mapping[Any, Any]) -> Iterator[Problem]:
    for name, meant in _OTHER_NAMES.items():
        if name in params:
            yield _problem("params", f"has a {name!r}", f"Write it as {meant}.")
    yield from find_misspelt("params", params, _PARAMS)
    port = params.get("port", 1)
    if type(port) is not int or not 0 < port <= _MOST_PORT:
        yield _problem("params", "has a 'port' that is no number of one", "Write 'port': 22.")


def _is_host(host: str) -> bool:
    # An address of IPv6 has two colons at least.
    return not _NOT_IN_HOST & {*host} and host.count(":") != 1


def _is_decimal(mode: int) -> bool:
    """Return whether a mode was written without its 0o, such as 640, which is 0o1200."""
    return mode > _MOST_PLAIN and len(str(mode)) == len("640") and not {"8", "9"} & {*str(mode)}


def _problem(key: str, message: str, hint: str) -> Problem:
    return Problem("bad-backend", key, message, hint)
