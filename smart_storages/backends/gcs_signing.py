"""Signed URLs and forms of Google Cloud Storage, as Signature Version 4 with an RSA key.

Property tests hold both equal to those of ``google-cloud-storage``.

- https://cloud.google.com/storage/docs/authentication/signatures
- https://cloud.google.com/storage/docs/authentication/canonical-requests
- https://cloud.google.com/storage/docs/xml-api/post-object-forms
"""

from __future__ import annotations

import json
from base64 import b64encode
from datetime import datetime, timezone
from hashlib import sha256
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Tuple
from urllib.parse import quote, urlsplit

from google.auth.exceptions import GoogleAuthError
from google.auth.iam import Signer as IamSigner
from google.auth.transport.requests import Request

from smart_storages.backends.gcs_errors import denied
from smart_storages.backends.gcs_requests import GoogleConnection
from smart_storages.exceptions import ConfigurationError

__all__ = ["RsaSigner", "signed_form", "signed_url", "signer_of"]

_ALGORITHM = "GOOG4-RSA-SHA256"


class RsaSigner(NamedTuple):
    """What signs, and the account whose signature it is.

    Args:
        email: Address of the service account.
        signer: Has ``sign()`` or ``sign_bytes()``, which may ask Google.
    """

    email: str
    signer: Any

    def sign(self, text: bytes) -> bytes:
        """Return the signature of some bytes.

        Raises:
            AccessDeniedError: Google does not sign for these credentials.
        """
        sign = getattr(self.signer, "sign_bytes", None) or self.signer.sign
        try:
            signature: bytes = sign(text)
        except (GoogleAuthError, ValueError) as error:
            kind = type(error).__name__
        else:
            return signature
        raise denied(kind)  # past its frames, whose variables hold the key or a token


def signer_of(connection: GoogleConnection) -> RsaSigner:
    """Return what signs with the credentials of a connection.

    Raises:
        ConfigurationError: they have no key, and Google is not to be asked.
    """
    credentials = connection.credentials
    email = connection.email or _email_of(credentials)
    if connection.signs_by_iam:
        if not email:
            raise ConfigurationError(
                "The account that signs is not known. Set sa_email or GS_SA_EMAIL."
            )
        return RsaSigner(email, IamSigner(Request(), credentials, email))
    if email and hasattr(credentials, "sign_bytes"):
        return RsaSigner(email, credentials)
    raise ConfigurationError(
        "A signed URL needs the private key of a service account, and these credentials have none. "
        "Give those of google.oauth2.service_account, or set iam_sign_blob so that Google signs, "
        "or set querystring_auth to False if the files are public."
    )


def _email_of(credentials: Any) -> Optional[str]:
    found = getattr(credentials, "signer_email", None)
    found = found or getattr(credentials, "service_account_email", None)
    # Where a server of Google runs this, it is "default" until the first token is there.
    return str(found) if found and "@" in str(found) else None


def signed_url(  # noqa: PLR0917
    signer: RsaSigner,
    method: str,
    url: str,
    parameters: Mapping[str, str],
    begins: int,
    life: int,
    headers: Optional[Mapping[str, str]] = None,
) -> str:
    """Return a URL that allows one kind of request for some time.

    Args:
        signer: What signs.
        method: HTTP method of the request.
        url: The URL without a query, its path quoted.
        parameters: Parameters of the request; they cannot be changed afterwards.
        begins: From when it is valid, in seconds since 1970.
        life: For how many seconds.
        headers: Headers that the request must have, with these values.
    """
    parts = urlsplit(url)
    moment, scope = _scope_of(begins)
    lines = {"host": parts.netloc}
    lines.update({name.lower(): " ".join(text.split()) for name, text in (headers or {}).items()})
    names = ";".join(sorted(lines))
    query = {
        **parameters,
        "X-Goog-Algorithm": _ALGORITHM,
        "X-Goog-Credential": f"{signer.email}/{scope}",
        "X-Goog-Date": moment,
        "X-Goog-Expires": str(life),
        "X-Goog-SignedHeaders": names,
    }
    pairs = sorted(f"{_quoted(name)}={_quoted(value)}" for name, value in query.items())
    given = "".join(f"{name}:{lines[name]}\n" for name in sorted(lines))
    request = "\n".join((method, parts.path, "&".join(pairs), given, names, "UNSIGNED-PAYLOAD"))
    digest = sha256(request.encode()).hexdigest()
    text = "\n".join((_ALGORITHM, moment, scope, digest))
    signature = signer.sign(text.encode()).hex()
    return f"{url}?{'&'.join(pairs)}&X-Goog-Signature={signature}"


def signed_form(  # noqa: PLR0917
    signer: RsaSigner,
    bucket: str,
    fields: Mapping[str, str],
    max_size: int,
    begins: int,
    life: int,
) -> Dict[str, str]:
    """Return the fields of a form that uploads one file; no other field may be added to it.

    Args:
        signer: What signs.
        bucket: Name of the bucket.
        fields: What the form says, such as ``key`` and ``Content-Type``.
        max_size: Largest size of the file in bytes.
        begins: From when it is valid, in seconds since 1970.
        life: For how many seconds.
    """
    moment, scope = _scope_of(begins)
    said = {
        **fields,
        "x-goog-algorithm": _ALGORITHM,
        "x-goog-credential": f"{signer.email}/{scope}",
        "x-goog-date": moment,
    }
    conditions: List[Any] = [{name: value} for name, value in said.items()]
    conditions += [{"bucket": bucket}, ["content-length-range", 0, max_size]]
    expiration = datetime.fromtimestamp(begins + life, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    policy = b64encode(json.dumps({"conditions": conditions, "expiration": expiration}).encode())
    return {
        **said,
        "policy": policy.decode(),
        "x-goog-signature": signer.sign(policy).hex(),
    }


def _scope_of(begins: int) -> Tuple[str, str]:
    moment = datetime.fromtimestamp(begins, timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    return moment, f"{moment[:8]}/auto/storage/goog4_request"


def _quoted(text: str) -> str:
    return quote(text, safe="~")
