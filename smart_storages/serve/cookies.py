"""Signed cookies of CloudFront on a response: for a page of many files, such as a film in parts."""

from __future__ import annotations

from typing import Any, Optional
from urllib.parse import urlsplit

__all__ = ["delete_signed_cookies", "set_signed_cookies"]

_SAMESITE = ("lax", "none", "strict")
_NAMES = ("CloudFront-Policy", "CloudFront-Signature", "CloudFront-Key-Pair-Id")


def set_signed_cookies(
    response: Any,
    storage: Any,
    prefix: str,
    *,
    domain: str,
    expire: Optional[int] = None,
    max_age: Optional[int] = None,
    samesite: str = "Lax",
    secure: bool = True,
) -> None:
    """Let a browser fetch every file below a prefix from CloudFront, for a time.

    The cookies are valid below the path of the prefix alone, so that a browser can have those of
    several prefixes. Scripts cannot read them.

    Args:
        response: The response that sets them.
        storage: A storage with ``custom_domain``, ``cloudfront_key_id`` and ``cloudfront_key``.
        prefix: What the names of the files begin with; it ends with a slash. ``""`` for all files
            of the storage.
        domain: The domain that your site and CloudFront share: ``"example.com"`` for a site at
            ``www.example.com`` and files at ``files.example.com``.
        expire: Seconds for which they are valid, ``querystring_expire`` if ``None``.
        max_age: Seconds for which the browser keeps them; by default until it is closed, as AWS
            advises.
        samesite: ``"Lax"``, ``"Strict"`` or ``"None"``.
        secure: Whether they are sent over HTTPS alone.

    Raises:
        ConfigurationError: the storage has no domain or no key of CloudFront.
        ValueError: the prefix is none, the files are not at this domain, or another argument is
            not valid.

    Example::

        response = render(request, "album.html", {"album": album})
        set_signed_cookies(response, storage, f"albums/{album.pk}/", domain="example.com")

    Source:
    https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/private-content-setting-signed-cookie-custom-policy.html
    """
    # All that can be wrong is looked at before there are cookies: Django's debug page would show
    # them.
    path = _path_of(storage, prefix, domain)
    if str(samesite).lower() not in _SAMESITE:
        raise ValueError(f"samesite must be 'Lax', 'Strict' or 'None', not {samesite!r}.")
    if max_age is not None and (isinstance(max_age, bool) or not isinstance(max_age, int)):
        raise ValueError(f"max_age must be a whole number of seconds or None, not {max_age!r}.")
    for name, value in storage.signed_cookies(prefix, expire).items():
        response.set_cookie(
            name,
            value,
            max_age=max_age,
            path=path,
            domain=domain,
            secure=secure,
            httponly=True,
            samesite=samesite,
        )


def delete_signed_cookies(response: Any, storage: Any, prefix: str, *, domain: str) -> None:
    """Delete the cookies that :func:`set_signed_cookies` has set, when somebody logs out.

    Args:
        response: The response that deletes them.
        storage: As they were set.
        prefix: As they were set.
        domain: As they were set.

    Example::

        delete_signed_cookies(response, storage, "albums/7/", domain="example.com")
    """
    path = _path_of(storage, prefix, domain)
    for name in _NAMES:
        response.delete_cookie(name, path=path, domain=domain)


def _path_of(storage: Any, prefix: str, domain: str) -> str:
    address = urlsplit(storage.signed_cookies_resource(prefix))
    parent = domain.lstrip(".").lower()
    host = (address.hostname or "").lower()
    if host != parent and not host.endswith(f".{parent}"):
        raise ValueError(
            f"A cookie for {domain!r} is not sent to {host!r}, where the files are: domain must be "
            "that host, or a domain that it shares with your site."
        )
    return str(address.path)[: -len("*")]
