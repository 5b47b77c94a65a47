"""The storage of one module: the S3 storage of django-storages, with the module's options."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Callable, Dict, FrozenSet, List, Optional, Tuple
from weakref import WeakSet

from boto3.s3.transfer import TransferConfig
from django.core.exceptions import (
    ImproperlyConfigured,
    SuspiciousFileOperation,
    SuspiciousOperation,
)
from django.core.signals import setting_changed
from storages.backends.s3boto3 import S3Boto3Storage
from storages.utils import clean_name, safe_join

from smart_storages import config
from smart_storages.common.aio import with_twins
from smart_storages.common.compat import cache
from smart_storages.common.secrets import reveal
from smart_storages.exceptions import ConfigurationError
from smart_storages.storages.async_calls import AsyncCallsMixin
from smart_storages.storages.configuring import ConfiguringMixin
from smart_storages.storages.connecting import ConnectingMixin, plain_config
from smart_storages.storages.copying import CopyingMixin
from smart_storages.storages.many import ManyMixin
from smart_storages.storages.metadata_cache import MetadataCacheMixin
from smart_storages.storages.multipart_uploads import MultipartUploadsMixin
from smart_storages.storages.portable import PortableMixin, declared_class
from smart_storages.storages.reading import ReadingMixin
from smart_storages.storages.signed_urls import SignedUrlsMixin
from smart_storages.storages.workspace import WorkspaceMixin
from smart_storages.storages.writing import WritingMixin

if TYPE_CHECKING:
    from smart_storages.backends.s3.clients.pool import Connection

__all__ = ["SmartS3Storage"]

#: S3's own limit on a key, in bytes of UTF-8.
#: https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html
MAX_KEY_BYTES = 1024

# Names that cleaning and joining do not change: nine in ten names; it saves 8 microseconds each.
_PLAIN = r"[^\\\0/.][^\\\0/]*(?:/[^\\\0/.][^\\\0/]*)*"
# With up to this many characters, a key cannot have more bytes than S3 allows.
_SHORT = MAX_KEY_BYTES // 4 - 2


_instances: WeakSet[SmartS3Storage] = WeakSet()
# How many settings are overridden now; a list, so that the signal receiver can change it.
_overrides = [0]
# The settings that the storages follow now.
_followed: List[Any] = [None]


@cache
def _plain_matcher() -> Callable[[str], Any]:
    return re.compile(_PLAIN).fullmatch


@cache
def _prefix_of(location: str) -> str:
    return str(safe_join(location, "a"))[:-1]


@cache
def _plain_transfer_config() -> TransferConfig:
    return TransferConfig(use_threads=True)


@with_twins
class SmartS3Storage(
    WorkspaceMixin,
    ManyMixin,
    CopyingMixin,
    WritingMixin,
    MetadataCacheMixin,
    ReadingMixin,
    MultipartUploadsMixin,
    SignedUrlsMixin,
    ConnectingMixin,
    ConfiguringMixin,
    AsyncCallsMixin,
    PortableMixin,
    S3Boto3Storage,  # type: ignore[misc]
):
    """The S3 storage of django-storages, with the bucket and the options of one module.

    The order in which an option is looked up is described at the top of
    :mod:`smart_storages.config`. Making a storage does no I/O and needs no bucket; using one
    without a bucket raises an error.

    Args:
        module_name: Name of the module in ``SMART_STORAGE_BUCKETS``.
        options: Options of django-storages' S3 backend, and ``role_arn``, ``external_id``,
            ``credentials`` and ``provider``.

    Raises:
        ConfigurationError: an argument is not an option. A mistake in a setting is raised at the
            first use, so that ``manage.py check`` can report all mistakes.

    Example::

        class Article(models.Model):
            report = models.FileField(storage=SmartS3Storage(module_name="reports"))
    """

    module_name: str = "default"

    if TYPE_CHECKING:
        backend: str

    def __init__(
        self,
        module_name: Optional[str] = None,
        *,
        withheld_options: Tuple[str, ...] = (),
        **options: Any,
    ) -> None:
        guard, restore = config.options.guard, config.deconstructed.restore
        options = guard(restore({**options, "withheld_options": withheld_options}))
        withheld_options = options.pop("withheld_options", ())
        # Django's deconstructible stores the arguments of the constructor, including secrets.
        args, kwargs = self._constructor_args
        self._constructor_args = (args, guard(restore(kwargs)))
        if module_name is not None:
            self.module_name = module_name
        if not isinstance(self.module_name, str) or not self.module_name:
            raise ConfigurationError(
                f"{type(self).__name__}: module_name must be the name of a module, "
                f"not {self.module_name!r}."
            )
        self._refuse_unknown(options)
        self._withheld = tuple(withheld_options)
        self._options = options
        self._take_settings()
        self._remember()

    def _remember(self) -> None:
        self._made_within = _overrides[0]
        _instances.add(self)

    def _take_settings(self) -> None:
        # Where the files are is a setting too: the class of another backend is taken back.
        self.__class__ = declared_class(self)
        self._problem: Optional[ConfigurationError] = None
        self._connection: Optional[Connection] = None
        self.__dict__.pop("_lacks_entry", None)
        self._identity: Optional[str] = None
        try:
            self._configure(self._options)
        except ConfigurationError as error:
            self._problem = error.with_traceback(None)  # whose frames hold this storage
            self._set_library_defaults()

    def retake_settings(self) -> None:
        """Look every option up again, as if the storage were made now.

        Tests change settings, but the storage of a model's field is made once, at import: without
        this it would go on writing to the bucket of the old settings.
        """
        for name in config.options.known_options() | self._added_options:
            self.__dict__.pop(name, None)
        self._take_settings()

    def _configure(self, options: Dict[str, Any]) -> None:
        presets = self.find_presets()
        config.errors.raise_for_unknown_options(f"{type(self).__name__}, by an attribute", presets)
        upstream = self._read_defaults()
        merged = config.merge_options(
            self.module_name,
            arguments=options,
            defaults=self._class_defaults,
            presets=presets,
            upstream=upstream,
        )
        self._require_entry(merged.get("bucket_name"), (options, self._class_defaults, presets))
        config.errors.raise_for_problems(self.module_name, merged, upstream, self.describe_sources)
        backend = merged.pop("backend", upstream.get("backend")) or "s3"
        of_others = config.options.BACKEND_OPTIONS if backend == "s3" else frozenset()
        for name in config.options.OWN_OPTIONS - of_others - {"backend"}:
            default = config.options.default_of(name)
            setattr(self, name, merged.pop(name, upstream.get(name, default)))
        for name in of_others:
            merged.pop(name, None)  # None, or it would have been refused
        self._share_configs(merged, upstream)
        self._take_over(merged, upstream)
        if backend != "s3":
            self.backend = backend
            self._leave_s3()

    def _leave_s3(self) -> None:
        # Most projects never do.
        from smart_storages.storages.on_backend import class_on_backend
        from smart_storages.storages.other_backends import take_settings

        options = config.options
        if self.backend == "azure":
            container = config.get_azure_container()
            self._take_settings_of(container, config.get_azure_options(), options.AZURE_CREDENTIALS)
        elif self.backend == "gcs":
            bucket = config.get_gcs_bucket()
            self._take_settings_of(bucket, config.get_gcs_options(), options.GCS_CREDENTIALS)
            if not self.describe_sources().owner_of("endpoint_url"):
                self.endpoint_url = None  # a server of S3
        elif config.plain_backends.is_plain(self.backend):
            take_settings(self)
        elif not self.bucket_name and not self._is_computed("bucket_name"):
            # A laptop has no buckets. Each module has a folder of its own then.
            config.modules.validate_folder_name(self.module_name)
            self.bucket_name = self.module_name
        self.__class__ = class_on_backend(type(self), SmartS3Storage)

    def _take_settings_of(
        self, bucket: Optional[str], given: Dict[str, Any], credentials: FrozenSet[str]
    ) -> None:
        # The AWS_* settings do not say where the files of this module are.
        owner = self.describe_sources().owner_of("bucket_name")
        self.bucket_name = self.bucket_name if owner else bucket or ""
        is_own = any(getattr(self, name) is not None for name in credentials)
        for name, value in given.items():
            if getattr(self, name) is None and not (is_own and name in credentials):
                setattr(self, name, value)

    def _take_over(self, merged: Dict[str, Any], upstream: Dict[str, Any]) -> None:
        # The parent class reads the defaults again: it gets those that were read and checked.
        self.__dict__["get_default_settings"] = lambda: upstream
        given = {name: merged[name] for name in merged if not self._is_computed(name)}
        if "cloudfront_signer" in given:
            # The parent class takes no such argument if the class has an attribute of that name.
            self.cloudfront_signer = given.pop("cloudfront_signer")
        try:
            super().__init__(**given)
        except ImproperlyConfigured as error:
            raise ConfigurationError(f"The module {self.module_name!r}: {error}") from error
        finally:
            # The parent's sessions for each thread and its shared resource; the pool replaces them.
            for name in (
                "get_default_settings", "_connections", "_unsigned_connections", "_bucket",
            ):  # fmt: skip
                self.__dict__.pop(name, None)

    def _share_configs(self, merged: Dict[str, Any], upstream: Dict[str, Any]) -> None:
        # The parent would make these two for each storage: 3 KB and 60 us, and mostly the same.
        chosen = {**upstream, **merged}
        if chosen["client_config"] is None and self.config is None:
            proxies = tuple(sorted((chosen["proxies"] or {}).items()))
            upstream["client_config"] = plain_config(
                chosen["addressing_style"], chosen["signature_version"], proxies
            )
        if chosen["transfer_config"] is None and chosen["use_threads"]:
            upstream["transfer_config"] = _plain_transfer_config()

    @property
    def configuration_problem(self) -> Optional[ConfigurationError]:
        """The error that the first use of this storage will raise for a wrong setting, if any."""
        return self._problem

    def _set_library_defaults(self) -> None:
        for name, option in config.options.OPTIONS.items():
            if not hasattr(self, name):
                setattr(self, name, option.default)

    # What differs from django-storages

    def get_cloudfront_signer(self, key_id: str, key: str) -> Any:
        """Return CloudFront's signer for a key, as django-storages makes it.

        Raises:
            ConfigurationError: the key is not a private key of RSA in PEM format.
        """
        try:
            signer = super().get_cloudfront_signer(key_id, reveal(key))
            signer.rsa_signer(b"")  # a key of another kind fails here, and not in url()
            return signer
        except (TypeError, ValueError) as error:
            # Without the cause: its frames have the key in a local variable of django-storages.
            raise ConfigurationError(
                "'cloudfront_key' is not a private key of RSA in PEM format "
                f"({type(error).__name__}). Pass the text of the .pem file."
            ) from None

    def _normalize_name(self, name: str) -> str:
        """Return the key of a name; it is always inside the location.

        Raises:
            SuspiciousFileOperation: the name leaves the location, contains a NUL character, or
                makes a key that is too long.
        """
        self._raise_for_problem()
        if "\0" in name:
            raise SuspiciousFileOperation(f"The name {name!r} contains a NUL character.")
        if name == ".." or name.startswith("../"):
            raise SuspiciousFileOperation(
                f"The name {name!r} is outside of the location {self.location!r}."
            )
        try:
            key: str = super()._normalize_name(name)
        except SuspiciousOperation as error:
            raise SuspiciousFileOperation(
                f"The name {name!r} is outside of the location {self.location!r}."
            ) from error
        try:
            size = len(key.encode())
        except UnicodeEncodeError as error:
            raise SuspiciousFileOperation(f"The name {name!r} is not valid Unicode.") from error
        if size > MAX_KEY_BYTES:
            raise SuspiciousFileOperation(
                f"The name {name[:40]!r}... makes a key of {size} bytes; "
                f"S3 allows at most {MAX_KEY_BYTES}. Use a shorter name."
            )
        return key

    def get_key(self, name: str) -> str:
        """Return the key of a name: the location, followed by the name.

        Raises:
            SuspiciousFileOperation: the name leaves the location, contains a NUL character, or is
                too long.

        Example:
            >>> MediaStorage().get_key("a.txt")
            'media/a.txt'
        """
        self._raise_for_problem()
        location = self.location
        if (
            type(name) is str
            and len(location) + len(name) <= _SHORT
            and name.isprintable()
            and _plain_matcher()(name)
            and type(self)._normalize_name is SmartS3Storage._normalize_name
        ):
            return _prefix_of(location) + name
        return self._normalize_name(clean_name(name))

    def _names(self, name: str, key: str) -> bool:
        """Return whether a name is that of the object with this key; a folder has none."""
        try:
            return not key.endswith("/") and self.get_key(name) == key
        except SuspiciousOperation:
            return False

    def _get_write_parameters(self, name: str, content: Any = None) -> Dict[str, Any]:
        params: Dict[str, Any] = super()._get_write_parameters(name, content)
        # Objects are private by default, and a bucket with ACLs disabled refuses the header.
        needless = self.default_acl == "private" or not self.s3_provider.acls
        if needless and "ACL" not in self.get_object_parameters(name):
            params.pop("ACL", None)
        return config.options.guard_parameters(params)

    def get_object_parameters(self, name: str) -> Dict[str, Any]:
        """Return the parameters of an upload; override this to choose them by name.

        Source: ``S3Storage.get_object_parameters`` of django-storages.
        """
        parameters: Dict[str, Any] = super().get_object_parameters(name)
        return config.options.guard_parameters(parameters)

    def __repr__(self) -> str:
        if self._problem is not None:  # then the class's location may be anything, a method even
            return f"<{type(self).__name__} module={self.module_name!r}, misconfigured>"
        return (
            f"<{type(self).__name__} module={self.module_name!r} "
            f"bucket={self.bucket_name!r} location={self.location!r}>"
        )


def iter_storages() -> List[SmartS3Storage]:
    """Return every storage of this process that is still in use."""
    return list(_instances)


def settle_storages() -> None:
    """Let storages that were made under the settings of a test follow those in force now."""
    for storage in iter_storages():
        if storage._made_within > _overrides[0]:
            storage._made_within = _overrides[0]
            storage.retake_settings()


def _follow_settings(*, setting: str, enter: bool, **kwargs: Any) -> None:
    if not setting.startswith(("AWS_", "GZIP_", "SFTP_", "SMART_STORAGE_")):
        return
    _overrides[0] += 1 if enter else -1
    # override_settings(A=1, B=2) sends a signal for each, when all of them are in force already.
    in_force = config.settings_in_force()
    if in_force is not None and in_force is _followed[0]:
        return
    _followed[0] = in_force
    for storage in iter_storages():
        # A storage that was made under the settings of a test keeps them when the test ends.
        if storage._made_within <= _overrides[0]:
            storage.retake_settings()


setting_changed.connect(_follow_settings, dispatch_uid="smart_storages.storages.follow_settings")
