"""URLs of files for pages and APIs: with a life and a file name of their own, where that can be."""

from __future__ import annotations

from typing import Any, Dict, Mapping, Optional

from smart_storages.common.serving import attachment
from smart_storages.common.signed_urls import is_signed, sets_headers

__all__ = ["file_url", "url_of"]

_DISPOSITION = "ResponseContentDisposition"


def file_url(
    file: Any,
    *,
    expire: Optional[int] = None,
    download: bool = False,
    filename: Optional[str] = None,
) -> str:
    """Return the URL of a file, or ``""`` if a row has none. No request is sent to S3.

    Args:
        file: The value of a file field; or a thumbnail, or anything else with a ``storage`` and a
            ``name``.
        expire: Seconds for which the URL is valid, as many as the storage says if ``None``.
        download: Whether a browser is to save the file in place of showing it.
        filename: The name under which it is saved; this implies ``download``.

    A storage that cannot sign its URLs, such as Django's own, gives them as they are: ``expire``,
    ``download`` and ``filename`` have no effect.

    Raises:
        ValueError: ``expire`` is not a number of seconds that can be signed.

    Example::

        file_url(report.file, expire=300, filename="July.pdf")
    """
    if not file:
        return ""
    parameters = None
    if download or filename:
        parameters = {_DISPOSITION: attachment(filename or file.name)}
    return url_of(file.storage, file.name, expire=expire, parameters=parameters)


def url_of(
    storage: Any,
    name: str,
    *,
    expire: Optional[int] = None,
    parameters: Optional[Mapping[str, str]] = None,
    http_method: Optional[str] = None,
) -> str:
    """Return a URL with as many of the options as the storage knows.

    Args:
        storage: Any storage.
        name: Name of the file there.
        expire: Seconds for which it is valid.
        parameters: Parameters of boto3's ``get_object`` that change headers of the answer.
        http_method: The method to sign.
    """
    options: Dict[str, Any] = {}
    if expire is not None:
        options["expire"] = expire
    if parameters:
        options["parameters"] = parameters
    if http_method is not None:
        options["http_method"] = http_method
    url = _ask(storage, name, options)
    if parameters and sets_headers(url) and not is_signed(url):
        # S3 refuses them to whoever does not sign.
        return url_of(storage, name, expire=expire, http_method=http_method)
    return url


def _ask(storage: Any, name: str, options: Dict[str, Any]) -> str:
    # Django's own storages know none of these, and those of other packages some.
    for missing in ("http_method", "parameters", "expire"):
        try:
            return str(storage.url(name, **options))
        except TypeError as error:
            if not options or "argument" not in str(error):
                raise
        options = {key: value for key, value in options.items() if key != missing}
    return str(storage.url(name))
