"""How S3 providers differ: a table with one row for each."""

from __future__ import annotations

from typing import Dict, NamedTuple, Optional
from urllib.parse import urlsplit

__all__ = ["CAUTIOUS", "PROVIDERS", "Provider", "get_provider"]


# A NamedTuple, like the two other values of this room: importing a dataclass takes a millisecond.
class Provider(NamedTuple):
    """How to talk to one kind of S3 server.

    Args:
        name: The value of the ``provider`` option.
        checksum: The checksum with which the server verifies a body: ``"crc32"`` (the flexible
            checksums of boto3 1.36) or ``"md5"`` (``Content-MD5``, which all servers support).
        addressing_style: ``"path"``, ``"virtual"``, or ``None`` for botocore's choice.
        conditional_put: Whether ``If-None-Match: *`` is honoured on ``PutObject``.
        conditional_complete: The same on ``CompleteMultipartUpload``.
        acls: Whether the ``x-amz-acl`` header is supported.
        bulk_delete: Whether ``DeleteObjects`` is supported.
        md5_etags: Whether the ETag is the MD5 of the content, unless the answer says otherwise
            (encrypted with a key, or uploaded in parts).
        global_names: Whether a bucket name means the same bucket for all credentials. On other
            servers, each tenant may have a bucket of the same name.

    Example:
        >>> PROVIDERS["ceph"].conditional_complete
        False
    """

    name: str
    checksum: str
    addressing_style: Optional[str]
    conditional_put: bool
    conditional_complete: bool
    acls: bool
    bulk_delete: bool = True
    md5_etags: bool = False
    global_names: bool = False


# The test suite verifies the rows of ceph (16) and moto (5). The others follow the providers'
# documentation; where it says nothing, the row assumes that a feature is missing.
_ROWS = (
    #        name       checksum  addressing  put    complete  acls   bulk   MD5    global
    Provider("aws",     "crc32",  None,       True,  True,     True,  True,  True,  True),
    Provider("minio",   "crc32",  "path",     True,  True,     False),
    Provider("ceph",    "md5",    "path",     True,  False,    True,  True,  True),
    Provider("r2",      "md5",    "path",     True,  True,     False),
    Provider("b2",      "md5",    "path",     False, False,    False, True,  False, True),
    Provider("gcs",     "md5",    "path",     False, False,    True,  False, False, True),
    Provider("spaces",  "md5",    None,       False, False,    True),
    Provider("wasabi",  "md5",    None,       False, False,    True),
    Provider("moto",    "crc32",  "path",     True,  True,     True,  True,  True),
)  # fmt: skip

PROVIDERS: Dict[str, Provider] = {row.name: row for row in _ROWS}

_AWS_HOSTS = (".amazonaws.com", ".amazonaws.com.cn")

#: For an unknown endpoint: only what every S3 server supports.
CAUTIOUS = Provider("other", "md5", None, False, False, True)


def get_provider(name: Optional[str], endpoint_url: Optional[str]) -> Provider:
    """Return the row for a ``provider`` option, or the one for the endpoint if it is not set.

    Args:
        name: The ``provider`` option, a key of :data:`PROVIDERS`, or ``None``.
        endpoint_url: The endpoint, ``None`` for AWS itself.

    Raises:
        KeyError: no provider has that name.

    Example:
        >>> get_provider(None, None).name, get_provider(None, "https://s3.example.com").name
        ('aws', 'other')
    """
    if name is not None:
        return PROVIDERS[name]
    try:
        host = urlsplit(endpoint_url).hostname or "" if endpoint_url else "amazonaws.com"
    except ValueError:  # not a URL, which a check and the first use report
        return CAUTIOUS
    return PROVIDERS["aws"] if f".{host}".endswith(_AWS_HOSTS) else CAUTIOUS
