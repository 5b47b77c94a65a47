"""Which row of the table of providers fits what a check saw of the server."""

from __future__ import annotations

from typing import Dict, List, Mapping, Optional, Tuple

from smart_storages.config.providers import CAUTIOUS, PROVIDERS, Provider, get_provider

__all__ = ["describe_fit", "fitting_rows", "traits_of"]

#: Columns that a check sees. The others follow from the address, or from who owns a name.
_COLUMNS = ("conditional_put", "conditional_complete", "acls", "bulk_delete", "md5_etags")

#: What a server calls itself, and the row that is meant.
_NAMES = {
    "amazons3": "aws",
    "ceph": "ceph",
    "cloudflare": "r2",
    "minio": "minio",
    "uploadserver": "gcs",
    "wasabi": "wasabi",
    "werkzeug": "moto",
}


def traits_of(row: Provider) -> Dict[str, bool]:
    """Return a row as what a check could see of such a server."""
    return {"crc32": row.checksum == "crc32", **{name: getattr(row, name) for name in _COLUMNS}}


def fitting_rows(seen: Mapping[str, bool], server: str = "") -> List[str]:
    """Return the rows that promise nothing that was not seen, the best first.

    Args:
        seen: What was seen, by column; columns that are missing are not known.
        server: The ``Server`` header.

    Example:
        >>> fitting_rows({"crc32": False, "conditional_put": True, "conditional_complete": False,
        ...               "acls": True, "bulk_delete": True, "md5_etags": True})[0]
        'ceph'
    """
    rows = [row for row in (*PROVIDERS.values(), CAUTIOUS) if _promises_no_more(row, seen)]
    named = next((name for word, name in _NAMES.items() if word in server.lower()), "")

    def worse(row: Provider) -> Tuple[int, bool]:
        traits = traits_of(row)
        missed = sum(seen[name] and not traits[name] for name in seen)
        return missed, row.name != named

    return [row.name for row in sorted(rows, key=worse)]


def _promises_no_more(row: Provider, seen: Mapping[str, bool]) -> bool:
    return all(seen[name] for name, promised in traits_of(row).items() if promised and name in seen)


def describe_fit(
    configured: Optional[str], endpoint_url: Optional[str], seen: Mapping[str, bool], server: str
) -> str:
    """Return the last line of a check: which row fits, and whether the module has it."""
    rows = fitting_rows(seen, server)
    has = get_provider(configured, endpoint_url).name
    if len(seen) < len(_COLUMNS):
        return f"The provider's row is {has!r}; too little was seen to say whether another fits."
    best = rows[0] if rows else CAUTIOUS.name
    if best == has or (has in rows and traits_of(_row(has)) == traits_of(_row(best))):
        return f"The provider's row that fits is {has!r}, which the module has."
    name = None if best == CAUTIOUS.name else best
    fits = f"The provider's row that fits is {best!r}; the module has {has!r}."
    return f"{fits} Set 'provider': {name!r}."


def _row(name: str) -> Provider:
    return PROVIDERS.get(name, CAUTIOUS)
