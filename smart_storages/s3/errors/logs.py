"""Takes tokens, keys, passwords and signatures out of what botocore logs at DEBUG."""

from __future__ import annotations

import contextlib
import logging
import re

__all__ = ["Redaction", "redact", "redact_logs"]

#: Whose loggers tell what is signed, sent and answered (by the security token service, too).
_PACKAGES = ("boto3", "botocore", "s3transfer", "urllib3")

#: Makes most of the records, and tells names of events and functions.
_NAMES_EVENTS = "botocore.hooks"

# After the name: ``: b'value'`` of a dict, ``:value`` of a header, ``=value`` of a query or a form,
# ``>value`` of XML, ``": "value"`` of JSON.
_SECRET = re.compile(
    r"""
    (
        (?: security_?-?token | session_?-?token | secret_?access_?key | signature
          | web_?identity_?token | access_?token | <token-\d+ | customer_?-?key )
        \\?['"]? \s* [:=>] \s* b? \\?['"]?
      | \bAWS\ [^\s:'"]+ :            # the Authorization header before SigV4
      | \bProxy-Authorization \\?['"]? \s* : \s* b? \\?['"]? \w+ \s
    )
    [^\s'"\\&<>,;}]+
    """,
    re.VERBOSE | re.IGNORECASE,
)


_URL_PASSWORD = re.compile(r"(://[^\s/:@'\"]*:)[^\s/@'\"]+(?=@)")


def redact(text: str) -> str:
    """Return the text with ``***`` for the secrets in it.

    Example:
        >>> redact("GET /a?X-Amz-Security-Token=hunter2&X-Amz-Date=20260131")
        'GET /a?X-Amz-Security-Token=***&X-Amz-Date=20260131'
    """
    return _URL_PASSWORD.sub(r"\1***", _SECRET.sub(r"\1***", text))


class Redaction(logging.Filter):
    """Lets every record pass, without the secrets in its message and in its traceback.

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
            if record.exc_info:
                # Its frames are for whoever collects records; its text, for the log itself.
                record.exc_text = redact(_FORMATTER.formatException(record.exc_info))
                record.exc_info = None
        return True


_FORMATTER = logging.Formatter()
_REDACTION = Redaction()


def redact_logs() -> None:
    """Keep secrets out of botocore's logs in this process, those of every logger it has by now.

    The filter is asked about records that are logged, so it costs nothing where DEBUG is off.
    """
    # A filter of a logger does not see what its children log, so each one gets it.
    for name in list(logging.root.manager.loggerDict):
        if name.partition(".")[0] in _PACKAGES and name != _NAMES_EVENTS:
            logging.getLogger(name).addFilter(_REDACTION)
