"""Which storage a row of the ledger belongs to.

A row holds the key of its storage, never its options: a worker has settings of its own. Every
queued storage enters itself here when it is made, which for the storage of a field is when the
models are imported; those of ``STORAGES``, and those inside other storages, are made when they
are asked for.
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
from smart_storages.composed.references import Reference, describe
from smart_storages.config.deconstructed import OPTION, SerializedObject, WithheldOptions, withhold
from smart_storages.config.options import holds_secret
from smart_storages.exceptions import ConfigurationError, TransferError
from smart_storages.queued import validation
from smart_storages.storages.connecting import ConnectingMixin
from smart_storages.storages.lookup import read_aliases, storages

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
    """Enter a storage under its key; the newest counts.

    Of equal ones the oldest counts: those that migrations make lack the credentials.

    Raises:
        ConfigurationError: One with other credentials has that key.
    """
    known = _storages.get(storage.key)
    if known is not None and storage.key not in _outdated:
        _refuse_other_asker(known, storage)
    if known is None or known.deconstruct() != storage.deconstruct():
        _storages[storage.key] = storage
        _outdated.discard(storage.key)


def _refuse_other_asker(known: Any, storage: Any) -> None:
    # No key holds a secret, and a worker would carry the files of one with the keys of the other.
    mine, theirs = (set(_askers_of(each._constructor_args)) for each in (storage, known))
    if mine and theirs and mine != theirs:
        raise ConfigurationError(
            f"Two queued storages have the key {storage.key!r} and differ in their credentials "
            "alone, so that a worker would take one for the other. Give each a key of its own: "
            f"{type(storage).__name__}(..., key='...')."
        )


def _askers_of(value: Any) -> Iterator[str]:
    if isinstance(value, ConnectingMixin):
        value = {"access_key": value.access_key, "security_token": value.security_token}
    if isinstance(value, Mapping):
        # Temporary keys, which come with a token, are other ones each time.
        if value.get("access_key") and not value.get("security_token"):
            yield str(reveal(value["access_key"]))
        value = tuple(value.values())
    if isinstance(value, (list, tuple)):
        for each in value:
            yield from _askers_of(each)


def _mark_outdated(**kwargs: Any) -> None:
    # Of the storages of other settings none is in the way of those that tests make now.
    _outdated.update(_storages)


setting_changed.connect(_mark_outdated, dispatch_uid="smart_storages.queued.registry")


def get(key: str) -> Any:
    """Return the storage that this process has made under a key, or ``None``."""
    return _storages.get(key)


def known_storages() -> List[Any]:
    """Return the queued storages that this process has made."""
    return list(_storages.values())


def find_storage(key: str) -> Any:
    """Return the storage of a row.

    Raises:
        TransferError: This process knows no such storage.
    """
    if key not in _storages:
        _make_those_of_the_settings()
    try:
        return _storages[key]
    except KeyError:
        raise TransferError(
            f"This process knows no queued storage with the key {key!r}. Make it where every "
            "process imports it (on a field, or in STORAGES); if its local or remote was "
            f"renamed, keep the rows it has with QueuedStorage(..., key={key!r})."
        ) from None


def _make_those_of_the_settings() -> None:
    for alias, _, _ in queued_aliases():
        enter(storages[alias])
    make_nested()


def make_nested() -> None:
    """Make the queued storages that are a part of a composed one, in ``STORAGES`` or on a field."""
    seen: List[Any] = []
    for alias in storages.backends:
        if validation.is_forwarding(alias):
            _make_parts(Reference(alias, storages.__getitem__), seen)
    for model in apps.get_models():
        for field in model._meta.get_fields():
            storage = getattr(field, "storage", None)
            if validation.is_forwarding(storage):
                _make_parts(Reference(storage, lambda made: made), seen)


def _make_parts(reference: Any, seen: List[Any]) -> None:
    try:
        place = reference.storage
        if any(place is each for each in seen):
            return
        seen.append(place)
        if getattr(place, "enters_registry", False):
            enter(place)
        parts = list(validation.parts_of(place))
    except Exception:  # told where that storage is used, and by its own checks
        logger.debug("%s could not be looked into", describe(reference.reference), exc_info=True)
        return
    for part in parts:
        if validation.is_forwarding(part.reference):
            _make_parts(part, seen)


def queued_aliases() -> Iterator[Tuple[str, Any, Mapping[str, Any]]]:
    """Yield the aliases of ``STORAGES`` that are queued storages, with class and options."""
    for alias, params in read_aliases().items():
        if not isinstance(params, Mapping):  # told of by a system check
            continue
        backend = params.get("BACKEND")
        try:
            backend = import_string(backend) if isinstance(backend, str) else backend
        except (
            ImportError,
            TypeError,
            ValueError,
        ):  # not ours to report: Django does when the alias is used
            continue
        if getattr(backend, "enters_registry", False):
            yield alias, backend, params.get("OPTIONS") or {}


def make_key(*parts: Tuple[Any, Optional[Mapping[str, Any]]]) -> str:
    """Make a key out of references and their options; no secret has a part in it.

    Example:
        >>> make_key(("scratch", None), ("media", None))
        'scratch>media'
    """
    text = ">".join(describe(reference) for reference, _ in parts)
    told = [_plain(reference) for reference, _ in parts] + [_plain(opts) for _, opts in parts]
    needs_digest = any(options for _, options in parts) or any(
        not isinstance(reference, str) for reference, _ in parts
    )
    if needs_digest or len(text) > _MAX_KEY:
        digest = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:12]
        text = f"{text[: _MAX_KEY - 13]}#{digest}"
    return text


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        kept = without_secrets(value)
        kept.pop(OPTION, None)  # the names of what is left out anyway
        return {str(name): _plain(each) for name, each in kept.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return str(value)
    if hasattr(value, "deconstruct") and not isinstance(value, type):
        path, args, kwargs = value.deconstruct()
        told = _plain(kwargs)
        if OPTION in kwargs:
            told[OPTION] = [str(name) for name in kwargs[OPTION]]
        return [path, _plain(args), told]
    if hasattr(value, "__fspath__"):
        return str(value)
    return getattr(value, "__qualname__", type(value).__qualname__)


def without_secrets(options: Mapping[str, Any]) -> Dict[str, Any]:
    """Return the options, nested ones too, without those that hold a secret.

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
    """Return the options as :func:`without_secrets` does, and the names of those left out.

    In this process they are found again: see :mod:`smart_storages.config.deconstructed`.
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
    # A third party's storage has option names of its own.
    lowered = name.lower()
    words = ("secret", "password", "token", "credential")
    return any(word in lowered for word in words) or lowered.endswith(("key", "key_id"))
