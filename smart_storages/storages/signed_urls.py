"""URLs of a storage: signed URLs, public URLs, and uploads from a browser."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import replace
from datetime import datetime, timezone
from functools import lru_cache
from time import time
from typing import TYPE_CHECKING, Any, Dict, Mapping, Optional

from django.utils.encoding import filepath_to_uri

from smart_storages.backends import s3
from smart_storages.exceptions import ConfigurationError

if TYPE_CHECKING:
    from smart_storages.backends.s3.clients.pool import Connection
    from smart_storages.backends.s3.signing.presigned_urls import UrlSigner

__all__ = ["SignedUrlsMixin"]

#: How S3 spells parameters that it reads from the query; django-storages leaves boto3's names.
_IN_QUERY = {
    "ResponseCacheControl": "response-cache-control",
    "ResponseContentDisposition": "response-content-disposition",
    "ResponseContentEncoding": "response-content-encoding",
    "ResponseContentLanguage": "response-content-language",
    "ResponseContentType": "response-content-type",
    "VersionId": "versionId",
}


class SignedUrlsMixin:
    """The part of a storage that makes URLs. Its methods send no request."""

    if TYPE_CHECKING:
        module_name: str
        bucket_name: str
        cloudfront_signer: Any
        custom_domain: Optional[str]
        querystring_auth: bool
        querystring_expire: int
        url_stable_for: int
        public_endpoint_url: Optional[str]
        url_protocol: str

        def get_key(self, name: str) -> str: ...
        def get_connection(self) -> Connection: ...
        def get_pooled_signer(self, connection: Connection) -> UrlSigner: ...

    def url(
        self,
        name: str,
        parameters: Optional[Mapping[str, Any]] = None,
        expire: Optional[int] = None,
        http_method: Optional[str] = None,
    ) -> str:
        """Return the URL of a file; no request is sent, and the file need not exist.

        Args:
            name: Name of the file; ``""`` for the location itself, as in ``{% static "" %}``.
            parameters: Parameters of boto3's ``get_object``
                (``{"ResponseContentDisposition": "attachment"}``).
            expire: Seconds the URL is valid, ``querystring_expire`` if ``None``; at most 604,800
                (7 days).
            http_method: The method to sign: ``DELETE``, ``GET``, ``HEAD``, ``POST`` or ``PUT``;
                ``GET`` if ``None``.

        Raises:
            ConfigurationError: the storage has no bucket or no credentials.
            SuspiciousFileOperation: the name leaves the location.
            ValueError: the URL would be valid longer than S3 allows, or S3 has no such method.

        Example::

            storage.url("report.pdf", expire=300)

        Source: ``S3Storage.url`` of django-storages.
        """
        life = self.querystring_expire if expire is None else expire
        if self.custom_domain:
            # A custom domain has no S3 signature; it may have one of CloudFront.
            if http_method is not None:
                s3.signing.sigv4.check_method(http_method)
            within = _life_within(self.url_stable_for, life)
            if parameters and self.querystring_auth and self.cloudfront_signer:
                # Of an unsigned URL they stay as they are: S3 answers nobody who asks for headers
                # without a signature.
                parameters = {_IN_QUERY.get(each, each): parameters[each] for each in parameters}
            url: str = super().url(name, parameters, within, http_method)  # type: ignore[misc]
            return url
        key = self.get_key(name)
        return self._get_signer(self.querystring_auth).url(
            "get_object",
            key,
            parameters,
            expires=life,
            http_method=http_method,
            stable_for=self.url_stable_for,
        )

    def signed_cookies(self, prefix: str, expire: Optional[int] = None) -> Dict[str, str]:
        """Return cookies with which CloudFront gives every file below a prefix; no request is sent.

        :func:`smart_storages.serve.set_signed_cookies` sets them on a response.

        Args:
            prefix: What the names of the files begin with; it ends with a slash. ``""`` for all
                files of this storage.
            expire: Seconds for which they are valid, ``querystring_expire`` if ``None``.

        Returns:
            ``CloudFront-Policy``, ``CloudFront-Signature`` and ``CloudFront-Key-Pair-Id``. Whoever
            has them has the files.

        Raises:
            ConfigurationError: there is no ``custom_domain``, or no key of CloudFront.
            SuspiciousFileOperation: the prefix leaves the location.
            ValueError: the prefix is not that of a folder, or ``expire`` is no number of seconds.

        Example::

            storage.signed_cookies("albums/7/", expire=3600)

        Source:
        https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/private-content-setting-signed-cookie-custom-policy.html
        """
        resource = self.signed_cookies_resource(prefix)
        life = self.querystring_expire if expire is None else expire
        if isinstance(life, bool) or not isinstance(life, (int, float)) or life <= 0:
            raise ValueError(f"expire must be a number of seconds above 0, not {life!r}.")
        signer = self.cloudfront_signer
        if signer is None:
            raise ConfigurationError(
                f"The module {self.module_name!r} has no key of CloudFront, so it can sign no "
                "cookies. Set 'cloudfront_key_id' and 'cloudfront_key', the text of the .pem file."
            )
        ends = datetime.fromtimestamp(int(time() + life), timezone.utc)
        policy = signer.build_policy(resource, ends).encode()
        return {
            "CloudFront-Policy": _encode_for_cloudfront(policy),
            "CloudFront-Signature": _encode_for_cloudfront(signer.rsa_signer(policy)),
            "CloudFront-Key-Pair-Id": str(signer.key_id),
        }

    def signed_cookies_resource(self, prefix: str) -> str:
        """Return the URL with a wildcard of what :meth:`signed_cookies` of a prefix opens.

        Args:
            prefix: As for :meth:`signed_cookies`.

        Example::

            storage.signed_cookies_resource("albums/7/")  # "https://files.example.com/albums/7/*"
        """
        key = self.get_key(prefix)
        # Without a slash, a policy for albums/7 would be one for albums/77 too.
        if prefix and (not prefix.endswith("/") or {"*", "?"} & {*key}):
            raise ValueError(
                f"The prefix {prefix!r} must end with a slash, and have neither * nor ?: these "
                "stand for any text in a policy. Give a folder, such as 'albums/7/'."
            )
        if prefix and ("\\" in prefix or {"", ".", ".."} & {*prefix[:-1].split("/")}):
            # Of "7/../" the rest is all files: a part of it may be a name that a user chose.
            raise ValueError(
                f"The prefix {prefix!r} must be a folder without empty parts, dots alone or "
                "backslashes. Give a folder, such as 'albums/7/'."
            )
        if not self.custom_domain:
            raise ConfigurationError(
                f"The module {self.module_name!r} has no 'custom_domain', the address of its "
                "CloudFront distribution."
            )
        folder = key if not key or key.endswith("/") else f"{key}/"
        return f"{self.url_protocol}//{self.custom_domain}/{filepath_to_uri(folder)}*"

    def presigned_post(
        self, name: str, *, max_size: int, content_type: str, expire: Optional[int] = None
    ) -> Dict[str, Any]:
        """Return a form with which a browser uploads one file straight to the bucket.

        Args:
            name: Name that the file gets; an existing one is overwritten.
            max_size: Largest size of the file in bytes.
            content_type: The only type that the form may send.
            expire: Seconds for which the form can be used, ``querystring_expire`` if ``None``.

        Returns:
            ``{"url": ..., "method": "POST", "fields": {...}}``, ready for JSON.

        Raises:
            ValueError: the size, ``expire``, the type or the name cannot be signed.

        Example::

            storage.presigned_post("7.png", max_size=1_000_000, content_type="image/png")
        """
        return s3.signing.browser_uploads.presigned_post(
            self._get_signer(signed=True),
            self._get_upload_key(name, "presigned_post"),
            max_size=max_size,
            content_type=content_type,
            expires=self.querystring_expire if expire is None else expire,
            fields=self._get_upload_headers(),
        )

    def presigned_put(
        self,
        name: str,
        *,
        size: int,
        content_type: str,
        expire: Optional[int] = None,
        overwrite: bool = True,
    ) -> Dict[str, Any]:
        """Return a URL to which a browser PUTs one file of an exact size.

        Args:
            name: Name that the file gets.
            size: Exact size of the file in bytes: a PUT has no upper limit of size.
            content_type: The type that the request must send.
            expire: Seconds for which the URL can be used, ``querystring_expire`` if ``None``.
            overwrite: ``False`` makes S3 refuse a name that is taken, if the server honours
                ``If-None-Match``.

        Returns:
            ``{"url": ..., "method": "PUT", "headers": {...}}``, ready for JSON.

        Raises:
            ValueError: the size, ``expire``, the type or the name cannot be signed.

        Example::

            storage.presigned_put("7.png", size=51_200, content_type="image/png")
        """
        acl = self._get_upload_headers().get("acl")
        return s3.signing.browser_uploads.presigned_put(
            self._get_signer(signed=True),
            self._get_upload_key(name, "presigned_put"),
            size=size,
            content_type=content_type,
            expires=self.querystring_expire if expire is None else expire,
            overwrite=overwrite,
            params={"ACL": acl} if acl else None,
        )

    def _get_upload_key(self, name: str, method: str) -> str:
        key = self.get_key(name)
        if not key or key.endswith("/"):
            # Such a key is that of the whole location, or of a directory.
            raise ValueError(
                f"The module {self.module_name!r}: {method}() needs the name of a file, and "
                f"{name!r} is not one. Pass a name such as 'avatars/7.png'."
            )
        return key

    def _get_upload_headers(self) -> Dict[str, str]:
        # The ACL that a save of this storage would set; without it, url() may not give access.
        parameters = self._get_write_parameters("name", None)  # type: ignore[attr-defined]
        return {"acl": parameters["ACL"]} if "ACL" in parameters else {}

    def _get_signer(self, signed: bool) -> UrlSigner:
        connection = self.get_connection()
        endpoint = self.public_endpoint_url
        if endpoint or not signed:
            connection = _reach(connection, endpoint or connection.endpoint_url, signed)
        return self.get_pooled_signer(connection)


def _encode_for_cloudfront(data: bytes) -> str:
    # The three characters of base64 that are not valid in a cookie or a query.
    return b64encode(data).decode().translate(str.maketrans("+=/", "-_~"))


def _life_within(window: int, life: int) -> float:
    # CloudFront's policy contains the second at which the URL expires, which must be the same for
    # the whole window. Half a second is added since django-storages reads the clock after this.
    if not window:
        return life
    now = time()
    return now // window * window + window + life - now + 0.5


@lru_cache(maxsize=1024)
def _reach(connection: Connection, endpoint: Optional[str], signed: bool) -> Connection:
    return replace(connection, endpoint_url=endpoint, signed=signed)
