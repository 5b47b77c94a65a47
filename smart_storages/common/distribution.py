"""Which installed distribution the imported package belongs to.

Another project on the public index has the same name and the same import name. If both are
installed, files of one overwrite files of the other.
"""

from __future__ import annotations

import json
import re
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Dict, Iterable, List, NamedTuple, Optional
from urllib.parse import unquote, urlsplit

__all__ = ["Claim", "describe_conflicts", "find_claims"]

PACKAGE = "smart_storages"
_INIT = f"{PACKAGE}/__init__.py"


class Claim(NamedTuple):
    """A distribution that says the package is its own.

    Args:
        name: Name of the distribution.
        version: Its version.
        place: The directory in which it has the package.
        is_editable: Whether it only refers to a checkout, whose version may be newer.
    """

    name: str
    version: str
    place: Path
    is_editable: bool = False


def find_claims(installed: Optional[Iterable[Distribution]] = None) -> List[Claim]:
    """Return every installed distribution that has a package of this name, each once.

    Args:
        installed: Where to look; everything on ``sys.path`` if ``None``.
    """
    found: Dict[str, Claim] = {}
    for each in distributions() if installed is None else installed:
        claim = _read_claim(each)
        if claim is not None:
            # Of two distributions with the same name, the first is the one that is imported; an
            # editable installation also leaves an egg-info directory beside the source.
            found.setdefault(re.sub(r"[-_.]+", "-", claim.name).lower(), claim)
    return list(found.values())


def _read_claim(distribution: Distribution) -> Optional[Claim]:
    top = distribution.read_text("top_level.txt")
    if top is not None and PACKAGE not in top.split():
        return None  # saves reading the long list of files of most distributions
    has_files = f"{_INIT}," in (distribution.read_text("RECORD") or "")
    if not has_files and top is None:
        return None
    if not any(distribution.read_text(name) for name in ("METADATA", "PKG-INFO")):
        return None  # remains of an interrupted installation
    name, version = distribution.metadata["Name"], distribution.version
    source = _find_source(distribution)
    if source is not None:
        return Claim(name, version, source / PACKAGE, is_editable=True)
    # An egg-info beside a checkout was written by some build of it, whose version may be older.
    place = Path(str(distribution.locate_file(PACKAGE)))
    return Claim(name, version, place, is_editable=not has_files)


def _find_source(distribution: Distribution) -> Optional[Path]:
    # https://packaging.python.org/en/latest/specifications/direct-url/
    try:
        origin = json.loads(distribution.read_text("direct_url.json") or "{}")
    except ValueError:
        return None
    if not origin.get("dir_info", {}).get("editable"):
        return None
    return Path(unquote(urlsplit(origin.get("url", "")).path))


def describe_conflicts(claims: Iterable[Claim], package: Path, version: str) -> List[str]:
    """Return what is wrong with where the imported package comes from, as sentences.

    Args:
        claims: What :func:`find_claims` returned.
        package: The directory of the imported package.
        version: What the imported package says its version is.

    Example:
        >>> other = Claim("django-smart-storages", "0.1.0", Path("/other/smart_storages"))
        >>> describe_conflicts([other], Path("/mine/smart_storages"), "1.0")[0][:60]
        'smart_storages is imported from /mine/smart_storages (versio'
        >>> describe_conflicts([], Path("/checkout/smart_storages"), "1.0")
        []
    """
    claims = list(claims)
    owners = [claim for claim in claims if _is_same(claim.place, package)]
    if len(owners) > 1:
        names = " and ".join(f"{each.name} {each.version}" for each in owners)
        return [
            f"{package} belongs to {names}: one has overwritten files of the other.",
        ]
    wrong = [
        claim
        for claim in owners or claims
        if claim.version != version and not (claim.is_editable and claim in owners)
    ]
    return [
        f"{PACKAGE} is imported from {package} (version {version}), which is not the package "
        f"of the installed {each.name} {each.version} in {each.place}."
        for each in wrong
    ]


def _is_same(one: Path, other: Path) -> bool:
    return one.resolve() == other.resolve()
