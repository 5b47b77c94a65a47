"""System checks of modules whose files are not in S3."""

from __future__ import annotations

from typing import Any, Callable, Dict, Iterator, List, Mapping, Tuple

from django.core import checks, mail

from smart_storages import config
from smart_storages.backends import signed_urls
from smart_storages.checks.buckets import look_at_buckets
from smart_storages.checks.names import list_users
from smart_storages.common.documentation import plain_text
from smart_storages.config.azure_account import find_account_problems
from smart_storages.config.options import AZURE_CREDENTIALS, OPTIONS
from smart_storages.config.settings import LOCAL_SETTING
from smart_storages.config.sftp_problems import find_sftp_problems
from smart_storages.config.values import Problem
from smart_storages.exceptions import ConfigurationError

__all__ = ["check_accounts", "check_local", "check_view"]


#: The backends whose files the view serves.
_SERVED = ("filesystem", "memory")


def check_local(**kwargs: Any) -> List[checks.CheckMessage]:
    """Check ``SMART_STORAGE_LOCAL``, which is for development."""
    try:
        root = config.get_local_root()
    except ConfigurationError as error:
        hint = f"Write {LOCAL_SETTING} = BASE_DIR / 'buckets', or remove it."
        return [checks.Error(plain_text(error), hint=hint, id="smart_storages.E001")]
    if root is None or config.is_debug() or _is_test_run():
        return []
    return [
        checks.Warning(
            f"{LOCAL_SETTING} is set although DEBUG is off: the files of all modules are kept in "
            f"{root}, on this host alone, and not in their buckets.",
            hint=f"Set {LOCAL_SETTING} in the settings for development only. To keep the files of "
            "a module in a directory for good, give it the backend 'filesystem'.",
            id="smart_storages.W021",
        )
    ]


def _is_test_run() -> bool:
    # Django's test runner switches DEBUG off, and makes this list.
    return hasattr(mail, "outbox")


def check_view(**kwargs: Any) -> List[checks.CheckMessage]:
    """Check that the URLconf has the view that serves files which are not in S3."""
    modules, _ = look_at_buckets()
    # Whoever gives a base_url has another server that serves them.
    served = [
        module.label
        for module in modules
        if module.options.get("backend") in _SERVED and not module.options.get("base_url")
    ]
    if not served or signed_urls.has_view():
        return []
    return [
        checks.Warning(
            f"The URLconf has no view for files that are not in S3, so that the URLs of "
            f"{list_users(served)} lead nowhere.",
            hint=f"Add {signed_urls.LINE} to the URLconf (include is in django.urls), or give the "
            "modules a base_url.",
            id="smart_storages.W022",
        )
    ]


def check_accounts(**kwargs: Any) -> List[checks.CheckMessage]:
    """Check that modules name an account of Azure or a server of SFTP; neither is asked."""
    messages: Dict[str, checks.CheckMessage] = {}
    for module in look_at_buckets()[0]:
        backend = module.options.get("backend")
        if backend not in _ACCOUNTS:
            continue
        get_defaults, find = _ACCOUNTS[backend]
        try:
            defaults = get_defaults(module.options)
        except ConfigurationError as error:
            hint = "Correct the setting."
            return [checks.Error(plain_text(error), hint=hint, id="smart_storages.E001")]
        own = {name: value for name, value in module.options.items() if value is not None}
        for problem in find({**defaults, **own}):
            is_of_setting = problem.key not in own and defaults.get(problem.key) is not None
            setting = OPTIONS[problem.key].setting
            where = setting if is_of_setting else f"{module.label}[{problem.key!r}]"
            text = f"{where} {problem.message}."
            messages[text] = checks.Error(text, hint=problem.hint, id="smart_storages.E022")
    return list(messages.values())


def _azure_defaults(options: Mapping[str, Any]) -> Mapping[str, Any]:
    found = config.get_azure_options()
    own = any(options.get(name) is not None for name in AZURE_CREDENTIALS)
    return {} if own else found


def _find_azure_problems(options: Mapping[str, Any]) -> Iterator[Problem]:
    yield from find_account_problems(options)
    if not (options.get("bucket_name") or config.get_azure_container()):
        what = "is missing: the backend 'azure' needs a container"
        yield Problem("bad-backend", "bucket_name", what, "Set it, or AZURE_CONTAINER.")


def _sftp_defaults(options: Mapping[str, Any]) -> Mapping[str, Any]:
    found = config.plain_backends.get_sftp_options()
    if options.get("host") is not None:
        found["params"] = None  # those of another server
    return found


def _find_sftp_problems(options: Mapping[str, Any]) -> Iterator[Problem]:
    yield from find_sftp_problems(options)
    if not options.get("host"):
        what = "is missing: the backend 'sftp' needs a server"
        yield Problem("bad-backend", "host", what, "Set it, or SFTP_STORAGE_HOST.")


#: Of a backend: what returns the settings that hold for a module, and what finds problems of both.
_ACCOUNTS: Dict[str, Tuple[Callable[..., Mapping[str, Any]], Callable[..., Iterator[Problem]]]] = {
    "azure": (_azure_defaults, _find_azure_problems),
    "sftp": (_sftp_defaults, _find_sftp_problems),
}
