"""Every module in memory, or on another backend, for the time of a test."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from typing import Any, Dict, List, Mapping, Optional

from django.test.utils import TestContextDecorator, override_settings

from smart_storages.backends.memory import isolated
from smart_storages.config.errors import BUCKETS_SETTING, raise_for_unknown_options
from smart_storages.config.settings import TEST_SETTING
from smart_storages.config.values import BACKENDS, is_class_path
from smart_storages.storages.smart import settle_storages

__all__ = ["override_buckets"]


class override_buckets(TestContextDecorator):  # noqa: N801 - as override_settings
    """Let every module keep its files elsewhere than in its bucket, and forget them at the end.

    It is a decorator of functions and coroutines, a decorator of test classes, and a context
    manager. Storages of fields, which are made at import, follow. Names, presets and refusals are
    those of the module's own settings.

    On a class of tests it begins before ``setUpClass`` and ``setUpTestData``. Each test begins with
    the files that those have saved, and leaves nothing to the next one.

    Args:
        backend: ``"memory"``; ``"filesystem"`` for a temporary directory; or another one for what
            ``options`` lead to, such as ``"s3"`` and the buckets of a server on this machine.
        buckets: ``SMART_STORAGE_BUCKETS`` for this time, ``None`` for that of the project.
        options: Options that every module has instead of its own, such as ``endpoint_url``.

    Raises:
        ValueError: there is no such backend.
        ConfigurationError: an option is unknown or has a value of the wrong type.

    Example::

        @override_buckets()
        class UploadTests(TestCase):
            def test_a_report_is_saved(self):
                self.client.post("/reports/", {"file": SimpleUploadedFile("a.pdf", b"%PDF")})
                assert_saved("documents", "reports/a.pdf", b"%PDF")

    Source: ``django.test.override_settings``.
    """

    def __init__(
        self,
        backend: str = "memory",
        *,
        buckets: Optional[Mapping[str, Any]] = None,
        **options: Any,
    ) -> None:
        super().__init__()
        if backend not in BACKENDS and not is_class_path(backend):
            raise ValueError(
                f"override_buckets() has no backend {backend!r}: use one of {', '.join(BACKENDS)}."
            )
        raise_for_unknown_options("override_buckets()", options)
        self._backend = backend
        self._buckets = buckets
        self._options = options
        self._stacks: List[ExitStack] = []
        self._keeps_files = False

    def __enter__(self) -> override_buckets:  # type: ignore[override]
        return self.enable()

    def enable(self) -> override_buckets:
        forced: Dict[str, Any] = {"backend": self._backend, **self._options}
        with ExitStack() as stack:
            if self._backend == "filesystem":
                forced.setdefault("root", stack.enter_context(_temporary_directory()))
            # After what may fail: a test that was not begun leaves nothing behind either.
            stack.enter_context(isolated(keep=self._keeps_files))
            settings: Dict[str, Any] = {TEST_SETTING: forced}
            if self._buckets is not None:
                settings[BUCKETS_SETTING] = self._buckets
            stack.enter_context(override_settings(**settings))
            self._stacks.append(stack.pop_all())
        return self

    def disable(self) -> None:
        self._stacks.pop().close()
        # Those that somebody made first within it: default_storage is made when it is first used.
        settle_storages()

    def decorate_class(self, cls: Any) -> Any:
        """Begin before ``setUpClass``, and anew before each test."""
        decorated: Any = super().decorate_class(cls)  # which refuses what is no class of tests
        begin, of_class = cls.setUpClass.__func__, self._twin()
        # What setUpTestData saved is there in each test.
        self._keeps_files = True

        def set_up_class(inner: Any) -> None:
            of_class.enable()
            inner.addClassCleanup(of_class.disable)
            begin(inner)

        cls.setUpClass = classmethod(set_up_class)
        return decorated

    def _twin(self) -> override_buckets:
        return type(self)(self._backend, buckets=self._buckets, **self._options)


def _temporary_directory() -> Any:
    return tempfile.TemporaryDirectory(prefix="smart-storages-test-")
