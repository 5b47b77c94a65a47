"""One backend of a fallback: when it is called, and which of its errors let the next one try."""

from __future__ import annotations

import logging
from typing import Any, Dict, FrozenSet, Iterable, List, Optional, Tuple

from smart_storages.common.documentation import plain_text
from smart_storages.exceptions import ConfigurationError
from smart_storages.wrappers.calls import Steps
from smart_storages.wrappers.failures import Failures
from smart_storages.wrappers.health import UNREACHABLE, Breaker, kind_of
from smart_storages.wrappers.references import Reference

__all__ = ["NOTHING", "Backend", "flag_backends"]

logger = logging.getLogger("smart_storages.fallback")

#: Returned for a backend that could not answer; ``None`` and ``False`` are real answers.
NOTHING: Any = object()


class Backend:
    """A storage of a fallback, its circuit breaker, and what it may be used for.

    Args:
        reference: The storage.
        breaker: Keeps it from being called while it is unreachable.
        kinds: Kinds of errors after which the next backend is tried.
        classes: Exception classes after which the next backend is tried.
    """

    __slots__ = ("_classes", "_kinds", "breaker", "deletes", "label", "reference", "writes")

    def __init__(
        self,
        reference: Reference,
        breaker: Breaker,
        kinds: FrozenSet[str],
        classes: Tuple[type, ...],
    ) -> None:
        self.reference, self.breaker, self.label = reference, breaker, reference.label
        self._kinds, self._classes = kinds, classes
        self.writes = self.deletes = True

    def ask(
        self, method: str, args: Tuple[Any, ...], failures: Failures,
        kwargs: Optional[Dict[str, Any]] = None,
    ) -> Steps:  # fmt: skip
        """Return the storage's answer, or ``NOTHING`` after adding its error to ``failures``.

        Raises:
            Exception: the storage's own error, if it is not one that lets the next backend try.
        """
        breaker = self.breaker
        if not breaker.allows():
            error: Exception = ConnectionError(
                f"not called: it was unreachable less than {breaker.retry_after:g} s ago"
            )
            failures.append((self.label, error))
            return NOTHING
        storage = self.reference.storage
        if not hasattr(storage, method):
            failures.append((self.label, NotImplementedError(f"it has no method {method}()")))
            return NOTHING
        try:
            answer = yield storage, method, args, kwargs or {}
        except NotImplementedError as error:
            failures.append((self.label, error))
            return NOTHING
        except Exception as error:
            if isinstance(error, AttributeError) and plain_text(error).endswith(f"'{method}'"):
                # A composed backend has every method; the storage it chose may lack this one.
                failures.append((self.label, NotImplementedError(plain_text(error))))
                return NOTHING
            kind = kind_of(error)
            if kind == UNREACHABLE:
                breaker.failed()
                logger.warning("%s does not answer: %r", self.label, error)
            else:
                breaker.succeeded()
            if kind not in self._kinds and not isinstance(error, self._classes):
                raise
            failures.append((self.label, error))
            return NOTHING
        breaker.succeeded()
        return answer


def flag_backends(backends: List[Backend], option: str, chosen: Iterable[Any], flag: str) -> None:
    """Set a flag on the backends that an option names, and clear it on the others.

    Args:
        backends: All backends of the fallback.
        option: Name of the option, for the error message.
        chosen: The label or position of a backend, or several of them.
        flag: ``"writes"`` or ``"deletes"``.

    Raises:
        ConfigurationError: a label or position matches no backend, or more than one.
    """
    wanted = [chosen] if isinstance(chosen, (str, int)) else list(chosen)
    labels = [backend.label for backend in backends]
    for backend in backends:
        setattr(backend, flag, False)
    for each in wanted:
        matching = [index for index, label in enumerate(labels) if each in (index, label)]
        if len(matching) != 1:
            raise ConfigurationError(
                f"FallbackStorage: {option} names {each!r}, which matches {len(matching)} of its "
                f"backends. Give one of the labels {', '.join(labels)}, or a position from 0 to "
                f"{len(labels) - 1}."
            )
        setattr(backends[matching[0]], flag, True)
