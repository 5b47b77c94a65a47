"""Finds misspelt names of modules and settings: those that are close to a known one."""

from __future__ import annotations

from collections import Counter
from difflib import SequenceMatcher, get_close_matches
from typing import Collection, Dict, FrozenSet, Iterable, Iterator, List, Optional, Tuple

from smart_storages.config.options import OPTIONS

__all__ = ["KNOWN_SETTINGS", "find_misspelt_settings", "hint_at_modules", "near_module"]

#: The settings of this package; a test compares them with those that its source reads.
OWN_SETTINGS: FrozenSet[str] = frozenset(
    {
        "QUEUED_STORAGE_CACHE_KEY",
        "QUEUED_STORAGE_CACHE_PER_PROCESS",
        "QUEUED_STORAGE_LEASE",
        "QUEUED_STORAGE_ORPHAN_AGE",
        "QUEUED_STORAGE_RETRIES",
        "QUEUED_STORAGE_RETRY_DELAY",
        "SMART_STORAGE_BUCKETS",
        "SMART_STORAGE_LOCAL",
        "SMART_STORAGE_LOCK_CACHE",
        "SMART_STORAGE_MAX_CLIENTS",
        "SMART_STORAGE_METADATA_CACHE",
        "SMART_STORAGE_PROVIDER",
        "SMART_STORAGE_SLOW_SECONDS",
        "SMART_STORAGE_STRICT",
        "SMART_STORAGE_TASKS",
        "SMART_STORAGE_TASKS_QUEUE",
        "SMART_STORAGE_TENANT",
        "SMART_STORAGE_TEST_BACKEND",
        "SMART_STORAGE_UPLOADS",
    }
)

#: Second names that django-storages has for some settings, by option.
OLDER_SETTINGS: Dict[str, str] = {
    "access_key": "AWS_ACCESS_KEY_ID",
    "secret_key": "AWS_SECRET_ACCESS_KEY",
    "security_token": "AWS_SECURITY_TOKEN",
}

#: Settings of django-storages that have no option.
OTHER_SETTINGS: FrozenSet[str] = frozenset({"AWS_S3_FILE_BUFFER_SIZE"})

KNOWN_SETTINGS: FrozenSet[str] = frozenset(
    {
        *OWN_SETTINGS,
        *OTHER_SETTINGS,
        *OLDER_SETTINGS.values(),
        *(option.setting for option in OPTIONS.values() if option.setting),
    }
)

_PREFIXES = ("AWS_", "GZIP_", "QUEUED_STORAGE", "SMART_STORAGE")
#: A name that has one of these words too few or too many is probably misspelt: AWS_S3_REGION,
#: AWS_REGION_NAME. With any other word it is another setting: AWS_SES_REGION_NAME,
#: AWS_MEDIA_LOCATION.
_FILLERS = frozenset({"ACCESS", "BUCKET", "CACHE", "CUSTOM", "ID", "NAME", "S3", "STORAGE", "URL"})
_CLOSE_MODULE = 0.8
_CLOSE_WORD = 0.7
_SHORTEST_WORD = 4
_MOST_SHOWN = 10


def near_module(name: str, known: Iterable[str]) -> Optional[str]:
    """Return the module or pattern that was probably meant by a name.

    Example:
        >>> near_module("documnets", ["media", "documents"])
        'documents'
        >>> near_module("tennant_x", ["tenant_*"])
        'tenant_*'
    """
    by_lower = {each.lower(): each for each in known if each != name}
    close = get_close_matches(name.lower(), by_lower, n=1, cutoff=_CLOSE_MODULE)
    return by_lower[close[0]] if close else None


def hint_at_modules(name: str, known: Collection[str]) -> str:
    """Return a hint: the module that was probably meant, or the known modules.

    Example:
        >>> hint_at_modules("mediaa", ["media"])
        "Did you mean 'media'?"
    """
    near = near_module(name, known)
    if near:
        return f"Did you mean {near!r}?"
    shown = sorted(known)[:_MOST_SHOWN]
    more = len(known) - len(shown)
    rest = f" and {more} more" if more else ""
    return f"Known are: {', '.join(map(repr, shown))}{rest}." if shown else "There are no entries."


def find_misspelt_settings(names: Collection[str]) -> Iterator[Tuple[str, str]]:
    """Yield each unknown setting that is close to a known one, together with the known one.

    Args:
        names: The names of all settings of a project. If a name is close to a setting that is set
            as well, it is a setting of the project's own and not misspelt.

    Example:
        >>> list(find_misspelt_settings(["AWS_S3_REGION", "AWS_SES_REGION_NAME"]))
        [('AWS_S3_REGION', 'AWS_S3_REGION_NAME')]
    """
    is_set = {_family_of(name) for name in names if name in KNOWN_SETTINGS}
    for name in sorted(names):
        if not name.startswith(_PREFIXES) or name in KNOWN_SETTINGS:
            continue
        near = [known for known in sorted(KNOWN_SETTINGS) if _is_close(name, known)]
        if near and not any(_family_of(known) in is_set for known in near):
            yield name, max(near, key=lambda known: _likeness(name, known))


def _family_of(setting: str) -> str:
    # An option with two settings is set if either of them is.
    by_name = {option.setting: key for key, option in OPTIONS.items()}
    older = {name: key for key, name in OLDER_SETTINGS.items()}
    return by_name.get(setting) or older.get(setting) or setting


def _likeness(one: str, other: str) -> float:
    return SequenceMatcher(None, one, other).ratio()


def _is_close(name: str, known: str) -> bool:
    given, meant = name.split("_"), known.split("_")
    if len(given) == len(meant) and _differs_by_one_word(given, meant):
        return True
    missing = [*(Counter(meant) - Counter(given)).elements()]
    extra = [*(Counter(given) - Counter(meant)).elements()]
    if not missing and not extra:
        return True  # the same words in another order
    few = len(missing) <= 1 and len(extra) <= 1
    return few and len(given) > 2 and _FILLERS.issuperset(missing + extra)  # noqa: PLR2004


def _differs_by_one_word(given: List[str], meant: List[str]) -> bool:
    pairs = [(one, other) for one, other in zip(given, meant) if one != other]
    if len(pairs) != 1:
        return False
    one, other = pairs[0]
    long = min(len(one), len(other)) >= _SHORTEST_WORD
    return long and _likeness(one, other) >= _CLOSE_WORD
