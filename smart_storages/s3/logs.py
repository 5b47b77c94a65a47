"""Takes tokens, secret keys and signatures out of what botocore logs at DEBUG."""

from __future__ import annotations

import contextlib
import logging
import re

__all__ = ["Redaction", "redact", "redact_logs"]

#: What is signed, what is sent, what is answered (by the security token service, too). A filter of
#: a logger does not see what its children log, so each is named.
_LOGGERS = ("botocore.auth", "botocore.endpoint", "botocore.parsers")

# After the name: ``: b'value'`` of a dict, ``:value`` of a header, ``=value`` of a query or a form,
# ``>value`` of XML, ``": "value"`` of JSON.
_SECRET = re.compile(
    r"""
    (
        (?: security_?-?token | session_?-?token | secret_?access_?key | signature
          | web_?identity_?token | access_?token )
        \\?['"]? \s* [:=>] \s* b? \\?['"]?
      | \bAWS\ [^\s:'"]+ :            # the Authorization header before SigV4
    )
    [^\s'"\\&<>,;}]+
    """,
    re.VERBOSE | re.IGNORECASE,
)


def redact(text: str) -> str:
    """Return the text with ``***`` for the secrets in it.

    Example:
        >>> redact("GET /a?X-Amz-Security-Token=hunter2&X-Amz-Date=20260131")
        'GET /a?X-Amz-Security-Token=***&X-Amz-Date=20260131'
    """
    return _SECRET.sub(r"\1***", text)


class Redaction(logging.Filter):
    """Lets every record pass, without the secrets in its message.

    Example::

        logging.getLogger("botocore.auth").addFilter(Redaction())
    """

    def filter(self, record: logging.LogRecord) -> bool:
        # A record that cannot be formatted is logging's to report, as it would without us.
        with contextlib.suppress(Exception):
            text = record.getMessage()
            redacted = redact(text)
            if redacted != text:
                record.msg, record.args = redacted, ()
        return True


_REDACTION = Redaction()


def redact_logs() -> None:
    """Keep secrets out of botocore's logs in this process; a second time does nothing.

    The filter is asked about records that are logged, so it costs nothing where DEBUG is off.
    """
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(_REDACTION)
