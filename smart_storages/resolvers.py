"""Rules that say which storage a file lives in; a dispatcher follows them.

Write your own as a subclass of :class:`StorageResolver`, or take one of the ready ones.
"""

from __future__ import annotations

import mimetypes
import posixpath
import re
from hashlib import blake2b
from typing import Any, Callable, Collection, Dict, FrozenSet, List, Mapping, Optional, Tuple, Union
from zlib import crc32

from django.utils.module_loading import import_string

from smart_storages.exceptions import ConfigurationError, ResolutionError, RoutingRefusedError
from smart_storages.names import path_of
from smart_storages.tenancy import TENANT, current_region, current_tenant

__all__ = [
    "ByContentType",
    "ByExtension",
    "ByPathPrefix",
    "ByRegion",
    "BySize",
    "ByTenant",
    "FirstMatch",
    "RendezvousHash",
    "StorageResolver",
]


#: Alias of the storage for which no rule gives another.
FALLBACK = "fallback"


class StorageResolver:
    """A rule that says which storage a file lives in.

    Override :meth:`resolve`. The arguments of the constructor travel in migrations and pickles;
    keep them to plain values, and let ``resolve`` look things up.

    Example::

        class ByCountry(StorageResolver):
            def resolve(self, storages, method, filename, params):
                return "europe" if filename.startswith("eu/") else None
    """

    #: A later read could not repeat the choice; the dispatcher records the alias in the name.
    records = False
    #: The choice follows from the name; the dispatcher sees to it that the name a file gets in
    #: the end leads to where it was written.
    by_name = False
    #: It follows from every letter, so that any other name may lead elsewhere.
    by_whole_name = False
    #: Every alias that the rule can give, ``None`` if it cannot say.
    aliases: Optional[FrozenSet[str]] = None

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        resolver = super().__new__(cls)
        resolver._constructor_args = (args, kwargs)
        return resolver

    _constructor_args: Tuple[Tuple[Any, ...], Dict[str, Any]]

    def __call__(
        self, storages: Mapping[str, Any], method: str, filename: str, params: Mapping[str, Any]
    ) -> Any:
        """Do what the dispatcher calls; override it to wrap every resolution."""
        return self.resolve(storages, method, filename, params)

    def resolve(
        self, storages: Mapping[str, Any], method: str, filename: str, params: Mapping[str, Any]
    ) -> Any:
        """Return the alias of the storage for one call.

        Args:
            storages: The storages there are, by alias.
            method: Method of the Storage API; ``"save"`` also while a save's name is made.
            filename: Name of the file, or of the directory for ``listdir``.
            params: The other arguments of the call: ``content`` of a save, ``mode`` of an open.

        Returns:
            An alias of ``STORAGES``, a module of ``SMART_STORAGE_BUCKETS`` or a storage;
            ``None`` for the fallback.

        Raises:
            ResolutionError: for the fallback as well.
        """
        raise NotImplementedError(f"{type(self).__name__} must define resolve().")

    def accepts(self, storages: Mapping[str, Any], alias: str, filename: str) -> bool:
        """Tell whether ``alias``, the first segment of a name, is one that a save recorded.

        Raises:
            RoutingRefusedError: it is, and whoever asks now may not have the file.
        """
        return alias in storages if self.aliases is None else alias in self.aliases

    def spread(self, storages: Mapping[str, Any], path: str) -> Optional[Collection[str]]:
        """Return every alias that may hold files of a directory, ``None`` for ``resolve``'s one."""
        return None

    def explain(
        self, storages: Mapping[str, Any], method: str, filename: str, params: Mapping[str, Any]
    ) -> str:
        """Say in a sentence why ``resolve`` gives what it gives."""
        return f"{self!r} gave it."

    def deconstruct(self) -> Tuple[str, Tuple[Any, ...], Dict[str, Any]]:
        """Return the path of the class and its arguments, for migrations."""
        args, kwargs = self._constructor_args
        return path_of(type(self)), args, kwargs

    def __reduce__(self) -> Any:
        args, kwargs = self._constructor_args
        return _rebuild, (type(self), args, kwargs)

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        same: bool = self._constructor_args == other._constructor_args
        return same

    def __hash__(self) -> int:
        return hash(type(self))

    def __repr__(self) -> str:
        args, kwargs = self._constructor_args
        shown = [repr(arg) for arg in args] + [f"{key}={arg!r}" for key, arg in kwargs.items()]
        return f"{type(self).__name__}({', '.join(shown)})"


def _rebuild(cls: Any, args: Tuple[Any, ...], kwargs: Dict[str, Any]) -> Any:
    return cls(*args, **kwargs)


def as_resolver(resolver: Any) -> Any:
    """Return the callable that a dispatcher's ``resolver`` stands for.

    Args:
        resolver: An instance, a class, a callable, or the dotted path of one of them.

    Raises:
        ConfigurationError: it is none of them.

    Example:
        >>> as_resolver("smart_storages.resolvers.ByTenant")
        ByTenant()
    """
    if isinstance(resolver, str):
        try:
            resolver = import_string(resolver)
        except ImportError as error:
            raise ConfigurationError(
                f"The dispatcher's resolver {resolver!r} cannot be imported: {error}"
            ) from error
    if isinstance(resolver, type):
        resolver = resolver()
    if not callable(resolver):
        raise ConfigurationError(
            "A dispatcher's resolver is a StorageResolver, a callable of (storages, method, "
            f"filename, params), or the dotted path of one, not {type(resolver).__name__}."
        )
    return resolver


def _known(*aliases: Optional[str]) -> FrozenSet[str]:
    return frozenset(alias for alias in aliases if alias is not None)


class ByExtension(StorageResolver):
    """By the extension of the name; the longest that matches wins.

    Args:
        table: Aliases by extension, with or without the dot, in any case.
        default: Alias for every other name; ``None`` for the fallback.

    Example:
        >>> rule = ByExtension({"pdf": "documents", "jpg": "media"}, default="files")
        >>> rule.resolve({}, "open", "press/kit.PDF", {})
        'documents'
    """

    by_name = True

    def __init__(self, table: Mapping[str, str], default: Optional[str] = None) -> None:
        self.table = {f".{key.lower().lstrip('.')}": alias for key, alias in table.items()}
        self.default = default
        self.aliases = _known(*table.values(), default or FALLBACK)
        # Before Django 5 another name for "a.tar.gz" is "a.tar_x7Yp2aB.gz".
        self.by_whole_name = any(key.count(".") > 1 for key in self.table)

    def resolve(self, storages: Any, method: str, filename: str, params: Any) -> Optional[str]:
        if not self.by_whole_name:
            return self.table.get(filename[filename.rfind(".") :].lower(), self.default)
        name = filename[filename.rfind("/") + 1 :].lower()
        dot = name.find(".")
        while dot != -1:
            alias = self.table.get(name[dot:])
            if alias is not None:
                return alias
            dot = name.find(".", dot + 1)
        return self.default

    def spread(self, storages: Any, path: str) -> Collection[str]:
        return [alias for alias in self.aliases or () if alias in storages]

    def explain(self, storages: Any, method: str, filename: str, params: Any) -> str:
        extension = posixpath.splitext(filename)[1] or "no extension"
        return f"{filename!r} has {extension}."


class ByPathPrefix(StorageResolver):
    """By the directories that a name begins with; the longest prefix that matches wins.

    Args:
        table: Aliases by prefix. Prefixes end at a segment: ``"reports"`` is not ``"reports2/"``.
        default: Alias for every other name; ``None`` for the fallback.

    Example:
        >>> rule = ByPathPrefix({"reports/": "reports", "reports/public/": "public"})
        >>> rule.resolve({}, "open", "reports/public/2026.pdf", {})
        'public'
    """

    by_name = True

    def __init__(self, table: Mapping[str, str], default: Optional[str] = None) -> None:
        pairs = [(key.strip("/") + "/", alias) for key, alias in table.items()]
        self.table = sorted(pairs, key=lambda pair: -len(pair[0]))
        self._directories = {prefix[:-1]: alias for prefix, alias in pairs}
        self.default = default
        self.aliases = _known(*table.values(), default or FALLBACK)

    def _match(self, filename: str) -> Tuple[Optional[str], Optional[str]]:
        filename = filename.replace("\\", "/")
        if "//" in filename or "./" in filename:
            filename = posixpath.normpath(filename)
        for prefix, alias in self.table:
            if filename.startswith(prefix) or filename == prefix[:-1]:
                return prefix, alias
        return None, self.default

    def resolve(self, storages: Any, method: str, filename: str, params: Any) -> Optional[str]:
        if "./" in filename or "//" in filename or "\\" in filename:
            return self._match(filename)[1]
        for prefix, alias in self.table:
            if filename.startswith(prefix):
                return alias
        return self._directories.get(filename, self.default)

    def spread(self, storages: Any, path: str) -> Collection[str]:
        inside = "" if path in ("", ".") else path.strip("/") + "/"
        below = [alias for prefix, alias in self.table if prefix.startswith(inside)]
        return [alias for alias in _known(self._match(path)[1], *below) if alias in storages]

    def explain(self, storages: Any, method: str, filename: str, params: Any) -> str:
        prefix = self._match(filename)[0]
        return f"{filename!r} begins with {prefix!r}." if prefix else "No prefix matches."


class ByContentType(StorageResolver):
    """By the type of the content at save time; the choice is recorded in the name.

    The type is the upload's ``content_type``, or else guessed from the name. It is what the
    browser claims, and no proof of what the bytes are.

    Args:
        table: Aliases by type: ``"application/pdf"``, or ``"image/*"``.
        default: Alias for every other type; ``None`` for the fallback.

    Example:
        >>> rule = ByContentType({"image/*": "media"}, default="files")
        >>> rule.resolve({}, "save", "logo.png", {"content": None})
        'media'
    """

    records = True

    def __init__(self, table: Mapping[str, str], default: Optional[str] = None) -> None:
        self.table = {key.lower(): alias for key, alias in table.items()}
        self.default = default
        self.aliases = _known(*table.values(), default or FALLBACK)

    def _type_of(self, filename: str, params: Mapping[str, Any]) -> str:
        claimed = getattr(params.get("content"), "content_type", None)
        guessed = claimed or mimetypes.guess_type(filename)[0] or "application/octet-stream"
        return str(guessed).split(";")[0].strip().lower()

    def resolve(self, storages: Any, method: str, filename: str, params: Any) -> Optional[str]:
        content_type = self._type_of(filename, params)
        family = content_type.split("/")[0] + "/*"
        return self.table.get(content_type, self.table.get(family, self.default))

    def explain(self, storages: Any, method: str, filename: str, params: Any) -> str:
        return f"{filename!r} is {self._type_of(filename, params)}."


class BySize(StorageResolver):
    """By the size of the content at save time; the choice is recorded in the name.

    A name that carries no alias is one from before: it is looked for in the fallback.

    Args:
        limit: Largest size, in bytes, that counts as small.
        small: Alias for content up to the limit.
        large: Alias for larger content, and for content whose size is not known beforehand.

    Example:
        >>> from django.core.files.base import ContentFile
        >>> rule = BySize(limit=5_000_000, small="media", large="archive")
        >>> rule.resolve({}, "save", "a.txt", {"content": ContentFile(b"abc")})
        'media'
    """

    records = True

    def __init__(self, limit: int, small: str, large: str) -> None:
        self.limit, self.small, self.large = limit, small, large
        self.aliases = _known(small, large)

    def resolve(self, storages: Any, method: str, filename: str, params: Any) -> Optional[str]:
        content = params.get("content")
        if content is None:
            return None
        size = _size_of(content)
        return self.small if size is not None and size <= self.limit else self.large

    def explain(self, storages: Any, method: str, filename: str, params: Any) -> str:
        content = params.get("content")
        if content is None:
            return "The name carries no alias, and there is no content to measure."
        size = _size_of(content)
        return f"The content has {'an unknown number of' if size is None else size} bytes."


def _size_of(content: Any) -> Optional[int]:
    try:
        return int(content.size)
    except (AttributeError, OSError, TypeError):
        return None


class ByTenant(StorageResolver):
    """By the tenant on whose behalf the code runs; see :mod:`smart_storages.tenancy`.

    With ``record_alias`` on the dispatcher a name says whose it is: it leads to its owner's file
    or to a refusal, never to the asker's file of the same name.

    Args:
        alias: The alias or module with ``{tenant}`` in it, or a table of aliases by tenant.
        strict: No tenant, no file. Without it, no tenant means the fallback, and recorded names
            can be read.

    Raises:
        RoutingRefusedError: no tenant; a tenant that the table lacks; another tenant's file.

    Example:
        >>> from smart_storages.tenancy import use_tenant
        >>> with use_tenant("acme"):
        ...     ByTenant("tenant_{tenant}").resolve({}, "open", "a.txt", {})
        'tenant_acme'
    """

    def __init__(
        self, alias: Union[str, Mapping[str, str]] = "tenant_{tenant}", *, strict: bool = True
    ) -> None:
        self.strict = strict
        self.table = None if isinstance(alias, str) else dict(alias)
        if self.table is not None and len(set(self.table.values())) < len(self.table):
            raise ConfigurationError("ByTenant: two tenants share an alias; give each its own.")
        self.template = alias if isinstance(alias, str) else ""
        before, found, after = self.template.partition("{tenant}")
        if self.table is None and (not found or "{tenant}" in after):
            raise ConfigurationError(
                f"ByTenant: the alias {alias!r} must hold {{tenant}} once, or every tenant would "
                "get the same storage."
            )
        self._pattern = re.compile(f"{re.escape(before)}{TENANT}{re.escape(after)}")

    def _own(self) -> Optional[str]:
        tenant = current_tenant()
        if tenant is None:
            if self.strict:
                raise RoutingRefusedError(
                    "No tenant, no file. Wrap the code in use_tenant(...), or install "
                    "smart_storages.tenancy.TenantMiddleware."
                )
            return None
        if self.table is None:
            return self.template.replace("{tenant}", tenant)
        if tenant not in self.table:
            raise RoutingRefusedError(f"The tenant {tenant!r} is not in the table of ByTenant.")
        return self.table[tenant]

    def resolve(self, storages: Any, method: str, filename: str, params: Any) -> Optional[str]:
        return self._own()

    def accepts(self, storages: Mapping[str, Any], alias: str, filename: str) -> bool:
        own = self._own()
        if self.table is None:
            is_somebodys = bool(self._pattern.fullmatch(alias))
        else:
            is_somebodys = alias in self.table.values()
        if is_somebodys and own is not None and alias != own:
            raise RoutingRefusedError(
                f"The tenant {current_tenant()!r} asked for a file of {alias!r}."
            )
        return is_somebodys or (alias == FALLBACK and not self.strict)

    def spread(self, storages: Any, path: str) -> Optional[Collection[str]]:
        return _known(self._own()) or None

    def explain(self, storages: Any, method: str, filename: str, params: Any) -> str:
        return f"The tenant is {current_tenant()!r}."


class ByRegion(StorageResolver):
    """By region, for data residency; the choice is recorded in the name.

    Args:
        table: Aliases by region.
        region: A function of ``(method, filename, params)``, or its dotted path, that returns the
            region; by default the one set with :func:`smart_storages.tenancy.use_region`.
        strict: An unknown region is refused. Without it, it means the fallback.

    Raises:
        RoutingRefusedError: the region is not in the table.

    Example:
        >>> from smart_storages.tenancy import use_region
        >>> with use_region("eu"):
        ...     ByRegion({"eu": "files_eu", "us": "files_us"}).resolve({}, "save", "a.txt", {})
        'files_eu'
    """

    records = True

    def __init__(
        self,
        table: Mapping[str, str],
        region: Union[str, Callable[..., Optional[str]], None] = None,
        *,
        strict: bool = True,
    ) -> None:
        self.table = dict(table)
        self.region = region
        self.strict = strict
        self.aliases = _known(*self.table.values(), None if strict else FALLBACK)

    def _region(self, method: str, filename: str, params: Any) -> Optional[str]:
        if self.region is None:
            return current_region()
        function = import_string(self.region) if isinstance(self.region, str) else self.region
        region: Optional[str] = function(method, filename, params)
        return region

    def resolve(self, storages: Any, method: str, filename: str, params: Any) -> Optional[str]:
        region = self._region(method, filename, params)
        if region in self.table:
            return self.table[region]
        if self.strict:
            raise RoutingRefusedError(
                f"No storage for the region {region!r}; ByRegion knows {sorted(self.table)}."
            )
        return None

    def explain(self, storages: Any, method: str, filename: str, params: Any) -> str:
        return f"The region is {self._region(method, filename, params)!r}."


_PRIME = (1 << 61) - 1


class RendezvousHash(StorageResolver):
    """By a hash of the name over N buckets: adding one moves 1/N of the names, and only to it.

    The choice follows from the name alone. When buckets will be added to files that stay where
    they are, set ``record_alias`` on the dispatcher.

    Args:
        buckets: Aliases, in any order.

    Example:
        >>> rule = RendezvousHash(["files_a", "files_b", "files_c"])
        >>> rule.resolve({}, "open", "a.txt", {}) == rule.resolve({}, "save", "a.txt", {})
        True

    Source: Thaler and Ravishankar, "A name-based mapping scheme for rendezvous", 1996.
    """

    by_name = True
    by_whole_name = True

    def __init__(self, buckets: Collection[str]) -> None:
        if not buckets or isinstance(buckets, str):
            raise ConfigurationError("RendezvousHash needs a list of aliases.")
        self.buckets = [(*_numbers_of(alias), alias) for alias in sorted(buckets)]
        self.aliases = _known(*buckets)

    def resolve(self, storages: Any, method: str, filename: str, params: Any) -> str:
        if "./" in filename or "//" in filename:
            filename = posixpath.normpath(filename)
        hashed = crc32(filename.encode("utf-8", "surrogatepass"))
        most = -1
        for factor, offset, alias in self.buckets:
            # One hash of the name serves every bucket, through a function of its own.
            weight = (hashed * factor + offset) % _PRIME
            if weight > most:
                most, chosen = weight, alias
        return chosen

    def spread(self, storages: Any, path: str) -> Collection[str]:
        return [alias for alias in self.aliases or () if alias in storages]

    def explain(self, storages: Any, method: str, filename: str, params: Any) -> str:
        return f"Of {len(self.buckets)} buckets it weighs most for {filename!r}."


def _numbers_of(alias: str) -> Tuple[int, int]:
    digest = blake2b(alias.encode("utf-8", "surrogatepass"), digest_size=16).digest()
    return int.from_bytes(digest[:8], "big") % _PRIME, int.from_bytes(digest[8:], "big") % _PRIME


class FirstMatch(StorageResolver):
    """The first of several rules that gives a storage.

    Args:
        resolvers: Instances, classes, callables or dotted paths, in the order they are asked.
            One that returns ``None`` or raises ``ResolutionError`` leaves it to the next.

    Example:
        >>> rule = FirstMatch(ByExtension({"pdf": "documents"}), ByPathPrefix({"img": "media"}))
        >>> rule.resolve({}, "open", "img/a.png", {})
        'media'
    """

    def __init__(self, *resolvers: Any) -> None:
        self.given = resolvers
        self._resolvers: Optional[List[Any]] = None

    @property
    def resolvers(self) -> List[Any]:
        # Late: settings.py may build this rule, and what it names may need settings.
        if self._resolvers is None:
            self._resolvers = [as_resolver(each) for each in self.given]
        return self._resolvers

    @property
    def records(self) -> bool:  # type: ignore[override]
        return any(getattr(each, "records", False) for each in self.resolvers)

    @property
    def by_name(self) -> bool:  # type: ignore[override]
        return any(getattr(each, "by_name", False) for each in self.resolvers)

    @property
    def by_whole_name(self) -> bool:  # type: ignore[override]
        return any(getattr(each, "by_whole_name", False) for each in self.resolvers)

    def resolve(self, storages: Any, method: str, filename: str, params: Any) -> Any:
        for each in self._resolvers or self.resolvers:
            try:
                answer = each(storages, method, filename, params)
            except ResolutionError:
                continue
            if answer is not None:
                return answer
        return None

    def accepts(self, storages: Mapping[str, Any], alias: str, filename: str) -> bool:
        # Every rule is asked, so that one that refuses is heard.
        answers = [
            each.accepts(storages, alias, filename)
            if isinstance(each, StorageResolver)
            else alias in storages
            for each in self.resolvers
        ]
        return any(answers)

    def spread(self, storages: Any, path: str) -> Optional[Collection[str]]:
        found: List[str] = []
        for each in self.resolvers:
            if isinstance(each, StorageResolver):
                found.extend(each.spread(storages, path) or ())
        return _known(*found) or None

    def explain(self, storages: Any, method: str, filename: str, params: Any) -> str:
        for each in self.resolvers:
            if FirstMatch(each).resolve(storages, method, filename, params) is None:
                continue
            if isinstance(each, StorageResolver):
                return f"{each!r}: {each.explain(storages, method, filename, params)}"
            return f"{each!r} gave it."
        return "No rule matches."
