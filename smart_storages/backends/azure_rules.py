"""Which names, headers and metadata a blob of Azure can have.

Azure refuses some of the others with an error that does not say why, and changes the rest silently:
it saves ``a.`` as ``a``.

Source: https://learn.microsoft.com/rest/api/storageservices/naming-and-referencing-containers--blobs--and-metadata
"""

from __future__ import annotations

import re
from typing import Dict, Mapping

from smart_storages.backends.s3.writing.parameters import COPIED_FROM, WRITE_ID
from smart_storages.exceptions import S3Error

__all__ = ["FOLDER", "as_identifiers", "check_headers", "check_key", "from_identifiers", "is_key"]

#: Where the blobs of uploads are; no listing shows them.
FOLDER = ".smart-storages/"

#: Azure drops dots at the end of a segment, takes ``\`` for ``/``, and knows no control characters.
#: Of ``..`` the HTTP library makes another container.
_WRONG_IN_KEY = re.compile(r"\.(?:/|\Z)|\\|[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")

#: Names of metadata are identifiers there; these two have a dash.
_IDENTIFIERS = {name: name.replace("-", "_") for name in (COPIED_FROM, WRITE_ID)}
_NAMES = {identifier: name for name, identifier in _IDENTIFIERS.items()}


def is_key(key: str) -> bool:
    """Return whether a blob can have this key.

    Example:
        >>> is_key("reports/2026.pdf"), is_key("reports/2026.")
        (True, False)
    """
    return bool(key) and not _WRONG_IN_KEY.search(key)


def check_key(key: str) -> None:
    """Refuse a key that no blob can have.

    Raises:
        S3Error: it is empty or that of an upload, or Azure would store the file under another
            name, or refuse it.
    """
    if not key:
        raise S3Error("An empty name is that of no file.", code="InvalidKey")
    if key.startswith(FOLDER):
        what = f"Names that begin with {FOLDER!r} are those of uploads. Choose another name."
        raise S3Error(what, code="InvalidKey")
    if is_key(key):
        return
    raise S3Error(
        f"Azure would store {key!r} under another name, or refuse it: the name of a blob has no "
        "dot before a slash or at its end, no backslash and no control character. Choose another "
        "name.",
        code="InvalidKey",
    )


def check_headers(headers: Mapping[str, str]) -> None:
    """Refuse headers that cannot be sent to Azure, such as one with a line break.

    Raises:
        S3Error: the value of one has other characters than those of ASCII that can be printed.
    """
    for name, value in headers.items():
        _check_value(value, f"of {name!r}", "InvalidHeader")


def as_identifiers(metadata: Mapping[str, str]) -> Dict[str, str]:
    """Return metadata under names that Azure takes.

    Raises:
        S3Error: Azure does not take a name or a value.

    Example:
        >>> as_identifiers({"owner": "ada", "copied-from": "0x1"})
        {'owner': 'ada', 'copied_from': '0x1'}
    """
    named = {_IDENTIFIERS.get(name, name): value for name, value in metadata.items()}
    for name, value in named.items():
        if not (name.isidentifier() and name.isascii()):
            raise S3Error(
                f"Azure takes letters, digits and '_' in names of metadata, not {name!r}. Rename "
                "it in object_parameters.",
                code="InvalidMetadata",
            )
        _check_value(value, f"of the metadata {name!r}", "InvalidMetadata")
    if len({name.lower() for name in named}) < len(named):
        raise S3Error(
            f"Azure does not distinguish case in names of metadata, so it would lose one of "
            f"{', '.join(named)}. Rename it in object_parameters.",
            code="InvalidMetadata",
        )
    return named


def from_identifiers(metadata: Mapping[str, str]) -> Dict[str, str]:
    """Return metadata of a blob under the names that it was given."""
    return {_NAMES.get(name, name): value for name, value in metadata.items()}


def _check_value(value: str, where: str, code: str) -> None:
    # A space at either end gets lost, or the signature is refused for it.
    if not (value.isascii() and value.isprintable() and value == value.strip()):
        raise S3Error(
            f"Azure takes printable characters of ASCII in the value {where}, and no space at "
            f"either end, not {value!r}. Encode it, for instance with urllib.parse.quote().",
            code=code,
        )
