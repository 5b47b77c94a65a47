"""Removes tokens, keys, passwords and signatures from what botocore and urllib3 log at DEBUG."""

from __future__ import annotations

import contextlib
import logging
import re

__all__ = ["Redaction", "redact", "redact_logs"]

#: Packages that log what is signed, sent and received (from the security token service, too).
_PACKAGES = ("boto3", "botocore", "s3transfer", "urllib3")

#: This logger makes most of the records; they hold only names of events and functions.
_NAMES_EVENTS = "botocore.hooks"

# What may follow a name: ``: b'value'`` in a dict, ``:value`` in a header, ``=value`` in a query or
# form, ``>value`` in XML, ``": "value"`` in JSON.
_SECRET = re.compile(
    r"""
    (
        (?: security_?-?token | session_?-?token | secret_?access_?key | signature
          | web_?identity_?token | access_?token | <token-\d+ | customer_?-?key
          | \bsig                         # of a shared access signature of Azure
          | \bupload_id )                 # whoever has that of Google may go on with the upload
        \\?['"]? \s* [:=>] \s* (?:b(?=\\?['"]))? \\?['"]?
      | \bAWS\ [^\s:'"]+ :            # the Authorization header before SigV4
      | \bProxy-Authorization \\?['"]? \s* : \s* (?:b(?=\\?['"]))? \\?['"]? \w+ \s
    )
    [^\s'"\\&<>,;}]+
    """,
    re.VERBOSE | re.IGNORECASE,
)


_URL_PASSWORD = re.compile(r"(://[^\s/:@'\"]*:)[^\s/@'\"]+(?=@)")


def redact(text: str) -> str:
    """Return a text with its secrets replaced by ``***``.

    Example:
        >>> redact("GET /a?X-Amz-Security-Token=hunter2&X-Amz-Date=20260131")
        'GET /a?X-Amz-Security-Token=***&X-Amz-Date=20260131'
    """
    return _URL_PASSWORD.sub(r"\1***", _SECRET.sub(r"\1***", text))


class Redaction(logging.Filter):
    """Removes secrets from the message and traceback of each record; drops no record.

    Example::

        logging.getLogger("botocore.auth").addFilter(Redaction())
    """

    def filter(self, record: logging.LogRecord) -> bool:
        # A record that cannot be formatted is reported by the logging module, as always.
        with contextlib.suppress(Exception):
            text = record.getMessage()
            redacted = redact(text)
            if redacted != text:
                record.msg, record.args = redacted, ()
            if record.exc_info:
                # Handlers that collect records get no frames; the log still gets the text.
                record.exc_text = redact(_FORMATTER.formatException(record.exc_info))
                record.exc_info = None
        return True


_FORMATTER = logging.Formatter()
_REDACTION = Redaction()


def redact_logs() -> None:
    """Keep secrets out of the records of every logger that botocore has at this moment.

    The filter only runs for records that are logged, so it costs nothing where DEBUG is off.
    """
    # A logger's filter does not see what its children log, so each logger gets it.
    for name in list(logging.root.manager.loggerDict):
        if name.partition(".")[0] in _PACKAGES and name != _NAMES_EVENTS:
            logging.getLogger(name).addFilter(_REDACTION)
