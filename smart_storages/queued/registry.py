"""The registry of queued storages, which finds the storage that a row of the ledger belongs to.

A row holds the key of its storage, never its options, because a worker has its own settings. Every
queued storage registers itself when it is created. For the storage of a field, that is when the
models are imported; those of ``STORAGES`` and those inside other storages are created when first
needed.
"""

from __future__ import annotations

import hashlib
import json
import logging
from typing import Any, Dict, Iterator, List, Mapping, Optional, Set, Tuple

from django.apps import apps
from django.core.signals import setting_changed
from django.utils.module_loading import import_string

from smart_storages.common.secrets import reveal
from smart_storages.config.deconstructed import OPTION, SerializedObject, WithheldOptions, withhold
from smart_storages.config.options import holds_secret
from smart_storages.exceptions import ConfigurationError, TransferError
from smart_storages.queued import composed_parts
from smart_storages.storages.connecting import ConnectingMixin
from smart_storages.storages.lookup import read_aliases, storages
from smart_storages.wrappers.references import Reference, describe

__all__ = [
    "enter",
    "find_storage",
    "get",
    "known_storages",
    "make_key",
    "make_nested",
    "queued_aliases",
    "withhold_secrets",
    "without_secrets",
]

logger = logging.getLogger("smart_storages.queued")

_storages: Dict[str, Any] = {}
_outdated: Set[str] = set()
_MAX_KEY = 100


def enter(storage: Any) -> None:
    """Register a storage under its key, in place of an earlier one that differs from it.

    If the earlier one is equal, it stays: the storages that migrations create lack the credentials.

    Raises:
        ConfigurationError: A storage with different credentials has that key.
    """
    known = _storages.get(storage.key)
    if known is not None and storage.key not in _outdated:
        _refuse_other_credentials(known, storage)
    if known is None or known.deconstruct() != storage.deconstruct():
        _storages[storage.key] = storage
        _outdated.discard(storage.key)


def _refuse_other_credentials(known: Any, storage: Any) -> None:
    # Keys hold no secrets, so that a worker could transfer the files of one storage with the
    # credentials of the other.
    mine, theirs = (set(_access_keys_of(each._constructor_args)) for each in (storage, known))
    if mine and theirs and mine != theirs:
        raise ConfigurationError(
            f"Two queued storages have the key {storage.key!r} and differ only in their "
            "credentials, so a worker could not tell them apart. Give each a key of its own: "
            f"{type(storage).__name__}(..., key='...')."
        )


def _access_keys_of(value: Any) -> Iterator[str]:
    if isinstance(value, ConnectingMixin):
        value = {"access_key": value.access_key, "security_token": value.security_token}
    if isinstance(value, Mapping):
        # Temporary access keys, which come with a token, are different each time.
        if value.get("access_key") and not value.get("security_token"):
            yield str(reveal(value["access_key"]))
        value = tuple(value.values())
    if isinstance(value, (list, tuple)):
        for each in value:
            yield from _access_keys_of(each)


def _mark_outdated(**kwargs: Any) -> None:
    # After a test changes settings, new storages may replace those made from the old ones.
    _outdated.update(_storages)


setting_changed.connect(_mark_outdated, dispatch_uid="smart_storages.queued.registry")


def get(key: str) -> Any:
    """Return the storage that this process has created with a key, or ``None``."""
    return _storages.get(key)


def known_storages() -> List[Any]:
    """Return the queued storages that this process has created."""
    return list(_storages.values())


def find_storage(key: str) -> Any:
    """Return the storage of a row.

    Raises:
        TransferError: This process has no storage with that key.
    """
    if key not in _storages:
        _make_those_of_the_settings()
    try:
        return _storages[key]
    except KeyError:
        raise TransferError(
            f"This process has no queued storage with the key {key!r}. Define it where every "
            "process imports it (on a field, or in STORAGES). If its local or remote was renamed, "
            f"give it the old key, so that its rows stay valid: QueuedStorage(..., key={key!r})."
        ) from None


def _make_those_of_the_settings() -> None:
    for alias, _, _ in queued_aliases():
        enter(storages[alias])
    make_nested()


def make_nested() -> None:
    """Create the queued storages inside composed ones, in ``STORAGES`` or on a field."""
    seen: List[Any] = []
    for alias in storages.backends:
        if composed_parts.is_forwarding(alias):
            _make_parts(Reference(alias, storages.__getitem__), seen)
    for model in apps.get_models():
        for field in model._meta.get_fields():
            storage = getattr(field, "storage", None)
            if composed_parts.is_forwarding(storage):
                _make_parts(Reference(storage, lambda made: made), seen)


def _make_parts(reference: Any, seen: List[Any]) -> None:
    try:
        place = reference.storage
        if any(place is each for each in seen):
            return
        seen.append(place)
        if getattr(place, "enters_registry", False):
            enter(place)
        parts = list(composed_parts.parts_of(place))
    except Exception:  # raised again where that storage is used, and reported by its own checks
        logger.debug("%s could not be looked into", describe(reference.reference), exc_info=True)
        return
    for part in parts:
        if composed_parts.is_forwarding(part.reference):
            _make_parts(part, seen)


def queued_aliases() -> Iterator[Tuple[str, Any, Mapping[str, Any]]]:
    """Yield the aliases of ``STORAGES`` that are queued storages, with class and options."""
    for alias, params in read_aliases().items():
        if not isinstance(params, Mapping):  # reported by a system check
            continue
        backend = params.get("BACKEND")
        try:
            backend = import_string(backend) if isinstance(backend, str) else backend
        except (
            ImportError,
            TypeError,
            ValueError,
        ):  # not reported here: Django raises when the alias is used
            continue
        if getattr(backend, "enters_registry", False):
            yield alias, backend, params.get("OPTIONS") or {}


def make_key(*parts: Tuple[Any, Optional[Mapping[str, Any]]]) -> str:
    """Return a key made from references and their options, without any secrets.

    Example:
        >>> make_key(("scratch", None), ("media", None))
        'scratch>media'
    """
    text = ">".join(describe(reference) for reference, _ in parts)
    plain = [_plain(reference) for reference, _ in parts] + [_plain(opts) for _, opts in parts]
    needs_digest = any(options for _, options in parts) or any(
        not isinstance(reference, str) for reference, _ in parts
    )
    if needs_digest or len(text) > _MAX_KEY:
        digest = hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()[:12]
        text = f"{text[: _MAX_KEY - 13]}#{digest}"
    return text


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        kept = without_secrets(value)
        kept.pop(OPTION, None)  # names of options that are left out anyway
        return {str(name): _plain(each) for name, each in kept.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return str(value)
    if hasattr(value, "deconstruct") and not isinstance(value, type):
        path, args, kwargs = value.deconstruct()
        plain = _plain(kwargs)
        if OPTION in kwargs:
            plain[OPTION] = [str(name) for name in kwargs[OPTION]]
        return [path, _plain(args), plain]
    if hasattr(value, "__fspath__"):
        return str(value)
    return getattr(value, "__qualname__", type(value).__qualname__)


def without_secrets(options: Mapping[str, Any]) -> Dict[str, Any]:
    """Return the options without those that hold a secret, nested ones included.

    Example:
        >>> without_secrets({"bucket_name": "acme", "secret_key": "hunter2"})
        {'bucket_name': 'acme'}
    """
    return {
        name: without_secrets(value) if isinstance(value, Mapping) else value
        for name, value in options.items()
        if not (holds_secret(str(name), value) or _looks_secret(str(name)))
    }


def withhold_secrets(options: Mapping[str, Any]) -> Dict[str, Any]:
    """Return the options as :func:`without_secrets` does, with the names of those left out.

    This process can look these up again: see :mod:`smart_storages.config.deconstructed`.
    """
    kept = {
        name: withhold_secrets(value) if isinstance(value, Mapping) else SerializedObject.of(value)
        for name, value in options.items()
        if not (holds_secret(str(name), value) or _looks_secret(str(name)))
    }
    left_out = {name: value for name, value in options.items() if name not in kept}
    if left_out:
        kept[OPTION] = withhold(sorted(left_out), WithheldOptions(left_out))
    return kept


def _looks_secret(name: str) -> bool:
    # Storages of other packages have option names of their own.
    lowered = name.lower()
    words = ("secret", "password", "token", "credential")
    return any(word in lowered for word in words) or lowered.endswith(("key", "key_id"))
