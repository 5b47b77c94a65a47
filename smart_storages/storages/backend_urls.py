"""URLs of a storage whose files are not in S3, and uploads of a browser to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, Mapping, Optional

from smart_storages import backends, config
from smart_storages.backends import s3
from smart_storages.exceptions import ConfigurationError

__all__ = ["BackendUrlsMixin"]


class BackendUrlsMixin:
    """``url``, ``presigned_post`` and ``presigned_put`` of such a storage."""

    if TYPE_CHECKING:
        backend: str
        base_url: Optional[str]
        bucket_name: str
        module_name: str
        querystring_auth: bool
        querystring_expire: int
        url_stable_for: int
        root: Any
        _attributes_of: Any

        @property
        def _folder_name(self) -> str: ...

        _get_upload_headers: Any
        _get_upload_key: Any
        _store: Any
        _translating: Any
        get_key: Any

    def url(
        self,
        name: str,
        parameters: Optional[Mapping[str, Any]] = None,
        expire: Optional[int] = None,
        http_method: Optional[str] = None,
    ) -> str:
        """Return the URL of a file, which the view of :mod:`smart_storages.local` serves.

        Args:
            name: Name of the file; ``""`` for the location itself.
            parameters: Parameters of boto3's ``get_object`` that change headers of the answer.
            expire: Seconds the URL is valid, ``querystring_expire`` if ``None``.
            http_method: ``GET`` or ``HEAD``.

        Raises:
            SuspiciousFileOperation: the name leaves the location.
            ValueError: the method or a parameter is another one, or the URL would be valid longer
                than with S3.
        """
        key = self.get_key(name)
        if not self._store().signs_urls and (parameters or expire is not None):
            raise ValueError(
                f"The files of the module {self.module_name!r} are kept {self._store().place}, "
                "whose URLs take no parameters and do not expire here. Call url() with the name."
            )
        life = self.querystring_expire if expire is None else expire
        method = s3.signing.sigv4.check_method(http_method or "GET")
        if method not in ("GET", "HEAD"):
            raise ValueError(f"A file that is not in S3 has no URL for {method}, only for GET.")
        s3.signing.sigv4.check_life(life, self.url_stable_for)
        expires = None
        store = self._store()
        if self.querystring_auth:
            expires = backends.signed_urls.expires_at(int(life), self.url_stable_for)
            begins = expires - int(life) - self.url_stable_for
            signed = {"begins": begins, "expires": expires, "method": method}
            with self._translating(key):
                url = store.sign_url(key, **signed, parameters=parameters)
        else:
            url = store.url(key, parameters=parameters)
        if url is not None:
            return str(url)
        unknown = {*(parameters or {})} - {*backends.signed_urls.PARAMETERS}
        if unknown:
            raise ValueError(
                f"{', '.join(sorted(unknown))}: a file that is not in S3 is served with the "
                f"parameters {', '.join(backends.signed_urls.PARAMETERS)} only."
            )
        return backends.signed_urls.make_url(
            self._folder_name,
            key,
            store.identity(),
            base_url=self.base_url,
            expires=expires,
            method=method,
            parameters=parameters,
            module=self._module_in_url(),
        )

    def presigned_post(
        self, name: str, *, max_size: int, content_type: str, expire: Optional[int] = None
    ) -> Dict[str, Any]:
        """Return a form with which a browser uploads one file to the view, as with S3.

        Args:
            name: Name that the file gets; an existing one is overwritten.
            max_size: Largest size of the file in bytes.
            content_type: The only type that the form may send.
            expire: Seconds for which the form can be used, ``querystring_expire`` if ``None``.

        Raises:
            ConfigurationError: the module has a ``base_url``: another server takes no uploads.
            ValueError: the size, ``expire``, the type or the name cannot be signed.
        """
        s3.signing.browser_uploads.check_size("max_size", max_size)
        signed = self._sign_form(name, max_size, content_type, expire)
        if signed is not None:
            return signed
        upload = self._describe_upload(max_size, content_type, overwrite=True)
        key = self._get_upload_key(name, "presigned_post")
        url = self._get_upload_url("POST", key, upload, expire)
        return {
            "url": url,
            "method": "POST",
            "fields": {"key": key, "Content-Type": content_type},
        }

    def presigned_put(
        self,
        name: str,
        *,
        size: int,
        content_type: str,
        expire: Optional[int] = None,
        overwrite: bool = True,
    ) -> Dict[str, Any]:
        """Return a URL of the view to which a browser PUTs one file of an exact size, as with S3.

        Args:
            name: Name that the file gets.
            size: Exact size of the file in bytes.
            content_type: The type that the request must send.
            expire: Seconds for which the URL can be used, ``querystring_expire`` if ``None``.
            overwrite: ``False`` makes the view refuse a name that is taken.

        Raises:
            ConfigurationError: the module has a ``base_url``: another server takes no uploads.
            ValueError: the size, ``expire``, the type or the name cannot be signed.
        """
        s3.signing.browser_uploads.check_size("size", size)
        upload = self._describe_upload(size, content_type, overwrite=overwrite)
        key = self._get_upload_key(name, "presigned_put")
        url = self._get_upload_url("PUT", key, upload, expire)
        headers = {"Content-Type": content_type}
        if not overwrite:
            headers["If-None-Match"] = "*"
        return {"url": url, "method": "PUT", "headers": headers}

    def _sign_form(
        self, name: str, max_size: int, content_type: str, expire: Optional[int]
    ) -> Optional[Dict[str, Any]]:
        life = self.querystring_expire if expire is None else expire
        s3.signing.browser_uploads.check_text("content_type", content_type)
        s3.signing.sigv4.check_life(life, 0)
        key = self._get_upload_key(name, "presigned_post")
        expires = backends.signed_urls.expires_at(int(life))
        acl = self._get_upload_headers().get("acl")
        with self._translating(key):
            signed: Optional[Dict[str, Any]] = self._store().sign_form(
                key,
                max_size=max_size,
                content_type=content_type,
                is_public=self._attributes_of({"ACL": acl}).is_public,
                begins=expires - int(life),
                expires=expires,
            )
        return signed

    def _describe_upload(self, size: int, content_type: str, *, overwrite: bool) -> Any:
        if self.base_url is not None or not self._store().takes_uploads:
            where = "has a base_url" if self.base_url else f"is {self._store().place}"
            if self._store().takes_forms:
                raise ConfigurationError(
                    f"The module {self.module_name!r} {where}, where presigned_put() cannot limit "
                    "what is uploaded. Use presigned_post()."
                )
            raise ConfigurationError(
                f"The module {self.module_name!r} {where}, where no upload of a browser can be "
                "limited to a size and a type. Let it upload to a view of the project."
            )
        s3.signing.browser_uploads.check_text("content_type", content_type)
        acl = self._get_upload_headers().get("acl")
        attributes = self._attributes_of({"ACL": acl})
        return backends.signed_urls.Upload(size, content_type, overwrite, attributes.is_public)

    def _get_upload_url(self, method: str, key: str, upload: Any, expire: Optional[int]) -> str:
        life = self.querystring_expire if expire is None else expire
        s3.signing.sigv4.check_life(life, 0)
        return backends.signed_urls.make_upload_url(
            self._folder_name,
            key,
            self._store().identity(),
            expires=backends.signed_urls.expires_at(int(life)),
            method=method,
            limits=upload,
            module=self._module_in_url(),
        )

    def _module_in_url(self) -> Optional[str]:
        """Return the name of the module, if the view needs it to find the directory."""
        if self.backend == "memory" or str(self.root) in config.iter_roots():
            return None
        return self.module_name
