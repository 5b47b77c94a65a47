"""A secret is a value that prints as ``***``."""

from __future__ import annotations

from typing import Any, Callable

__all__ = ["Secret", "SecretBytes", "conceal", "conceal_all", "reveal", "reveal_all"]


class Secret(str):
    """A string that prints, formats and represents itself as ``***``.

    It compares and hashes like the plain string, and cannot be pickled: logs, tracebacks and
    Django's debug page never show its value. Operations that copy its characters (``"".join``,
    ``+``, JSON) return the plain text.

    Example:
        >>> key = Secret("hunter2")
        >>> print(key, repr(key), f"{key}")
        *** *** ***
        >>> key == "hunter2", key.reveal()
        (True, 'hunter2')
    """

    __slots__ = ()

    def reveal(self) -> str:
        """Return the plain string."""
        return str.__str__(self)

    def __repr__(self) -> str:
        return "***"

    __str__ = __repr__

    def __format__(self, format_spec: str) -> str:
        return format("***", format_spec)

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: Any) -> Secret:
        return self

    def __reduce_ex__(self, protocol: Any) -> Any:
        raise TypeError(
            "A secret is never pickled; let the other process read it from its own settings."
        )


class SecretBytes(bytes):
    """Bytes that print as ``***``, for customer keys, which may be binary. See :class:`Secret`."""

    __slots__ = ()

    def reveal(self) -> bytes:
        """Return the plain bytes."""
        return bytes(memoryview(self))

    def __repr__(self) -> str:
        return "***"

    __str__ = __repr__

    def __copy__(self) -> SecretBytes:
        return self

    def __deepcopy__(self, memo: Any) -> SecretBytes:
        return self

    __reduce_ex__ = Secret.__reduce_ex__


def conceal(value: Any) -> Any:
    """Return text and bytes as a secret, and anything else as it is.

    Example:
        >>> conceal("a"), conceal(b"b"), conceal(None)
        (***, ***, None)
    """
    if type(value) is str:
        return Secret(value)
    return SecretBytes(value) if type(value) is bytes else value


def reveal(value: Any) -> Any:
    """Return the plain text or bytes of a secret, and anything else as it is; of a dict its values.

    Example:
        >>> reveal(Secret("a")), reveal("b"), reveal({"c": Secret("d")})
        ('a', 'b', {'c': 'd'})
    """
    if isinstance(value, dict):
        return {key: reveal(each) for key, each in value.items()}
    return value.reveal() if isinstance(value, (Secret, SecretBytes)) else value


def conceal_all(value: Any) -> Any:
    """Return dicts and lists in which every text is a secret, and anything else concealed.

    Example:
        >>> conceal_all({"user": "ada", "ports": [22], "keys": ["a", b"b"]})
        {'user': ***, 'ports': [22], 'keys': [***, ***]}
    """
    return _map(conceal, value)


def reveal_all(value: Any) -> Any:
    """Return what :func:`conceal_all` was given.

    Example:
        >>> reveal_all({"keys": [Secret("a")]})
        {'keys': ['a']}
    """
    return _map(reveal, value)


def _map(change: Callable[[Any], Any], value: Any) -> Any:
    if type(value) is dict:
        return {key: _map(change, each) for key, each in value.items()}
    if type(value) in (list, tuple, set, frozenset):
        return type(value)(_map(change, each) for each in value)
    return change(value)
