"""What a file is, by its first bytes, and whether its name says the same.

The table is this module's own: it has the types that are uploaded to sites, in a form that a test
can hold against real files. ``libmagic`` is a C library that not every host has, and what it
answers changes with its version. Packages that only know signatures do not tell text, HTML and SVG
from each other, which is what an attacker uses.
"""

from __future__ import annotations

import mimetypes
import posixpath
import re
from typing import Dict, Iterable, Optional, Sequence, Tuple

__all__ = ["HEAD", "allows", "detect", "is_disguised", "type_of_name"]

#: How many bytes tell what a file is; dimensions of most images are in them too.
HEAD = 64 * 1024

UNKNOWN = "application/octet-stream"

#: Types that the operating system's table of Python's ``mimetypes`` may lack.
_BY_EXTENSION = {
    ".aac": "audio/aac",
    ".avif": "image/avif",
    ".csv": "text/csv",
    ".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ".epub": "application/epub+zip",
    ".flac": "audio/flac",
    ".heic": "image/heic",
    ".heif": "image/heif",
    ".m4a": "audio/mp4",
    ".m4v": "video/mp4",
    ".md": "text/markdown",
    ".mkv": "video/x-matroska",
    ".mov": "video/quicktime",
    ".mp3": "audio/mpeg",
    ".mp4": "video/mp4",
    ".odp": "application/vnd.oasis.opendocument.presentation",
    ".ods": "application/vnd.oasis.opendocument.spreadsheet",
    ".odt": "application/vnd.oasis.opendocument.text",
    ".ogg": "audio/ogg",
    ".ogv": "video/ogg",
    ".pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    ".svg": "image/svg+xml",
    ".svgz": "image/svg+xml",
    ".webm": "video/webm",
    ".webp": "image/webp",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ".7z": "application/x-7z-compressed",
    ".rar": "application/vnd.rar",
}

#: A family of types, where its signature is, and the signature. These have bytes that no text has.
_SIGNATURES: Tuple[Tuple[str, int, bytes], ...] = (
    ("jpeg", 0, b"\xff\xd8\xff"),
    ("png", 0, b"\x89PNG\r\n\x1a\n"),
    ("gif", 0, b"GIF87a"),
    ("gif", 0, b"GIF89a"),
    ("bmp", 0, b"BM"),
    ("tiff", 0, b"II*\0"),
    ("tiff", 0, b"MM\0*"),
    ("tiff", 0, b"II+\0"),
    ("tiff", 0, b"MM\0+"),
    ("ico", 0, b"\0\0\1\0"),
    ("zip", 0, b"PK\3\4"),
    ("zip", 0, b"PK\5\6"),
    ("zip", 0, b"PK\7\x08"),
    ("gzip", 0, b"\x1f\x8b"),
    ("bzip2", 0, b"BZh"),
    ("xz", 0, b"\xfd7zXZ\0"),
    ("7z", 0, b"7z\xbc\xaf'\x1c"),
    ("rar", 0, b"Rar!\x1a\x07"),
    ("tar", 257, b"ustar"),
    ("ole", 0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"),
    ("matroska", 0, b"\x1a\x45\xdf\xa3"),
    ("ogg", 0, b"OggS"),
    ("flac", 0, b"fLaC"),
    ("mp3", 0, b"ID3"),
    ("mpeg", 0, b"\0\0\1\xba"),
    ("mpeg", 0, b"\0\0\1\xb3"),
    ("flv", 0, b"FLV\1"),
    ("program", 0, b"MZ"),
    ("program", 0, b"\x7fELF"),
    ("program", 0, b"\xfe\xed\xfa\xce"),
    ("program", 0, b"\xfe\xed\xfa\xcf"),
    ("program", 0, b"\xce\xfa\xed\xfe"),
    ("program", 0, b"\xcf\xfa\xed\xfe"),
    ("program", 0, b"\xca\xfe\xba\xbe"),
)
#: In a RIFF container: what stands after its size.
_RIFF = {b"WEBP": "webp", b"WAVE": "wav", b"AVI ": "avi"}
#: How a film or an image in the ISO base media format begins, after the size of its first box; all
#: but the first are of films before MPEG-4.
_BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip")
#: Brands of the ISO base media format that are images; all others are films or sound.
_IMAGE_BRANDS = {
    b"avif": "avif", b"avis": "avif", b"heic": "heif", b"heim": "heif", b"heis": "heif",
    b"heix": "heif", b"hevc": "heif", b"hevx": "heif", b"mif1": "heif", b"msf1": "heif",
}  # fmt: skip

#: Which families a type may have. A type that is missing here has no signature.
_FAMILIES: Dict[str, Sequence[str]] = {
    "application/epub+zip": ("zip",),
    "application/gzip": ("gzip",),
    "application/java-archive": ("zip",),
    "application/msword": ("ole", "rtf"),
    "application/ogg": ("ogg",),
    "application/pdf": ("pdf",),
    "application/rtf": ("rtf",),
    "application/vnd.ms-excel": ("ole",),
    "application/vnd.ms-powerpoint": ("ole",),
    "application/vnd.oasis.opendocument.presentation": ("zip",),
    "application/vnd.oasis.opendocument.spreadsheet": ("zip",),
    "application/vnd.oasis.opendocument.text": ("zip",),
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": ("zip",),
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": ("zip",),
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": ("zip",),
    "application/vnd.rar": ("rar",),
    "application/x-7z-compressed": ("7z",),
    "application/x-bzip2": ("bzip2",),
    "application/x-gzip": ("gzip",),
    "application/x-rar-compressed": ("rar",),
    "application/x-tar": ("tar",),
    "application/x-xz": ("xz",),
    "application/zip": ("zip",),
    "audio/aac": ("adts", "mp3"),
    "audio/flac": ("flac", "mp3"),
    "audio/mp4": ("isobmff",),
    "audio/mpeg": ("mp3",),
    "audio/ogg": ("ogg",),
    "audio/opus": ("ogg",),
    "audio/wav": ("wav",),
    "audio/webm": ("matroska",),
    "audio/x-wav": ("wav",),
    "image/avif": ("avif", "heif"),
    "image/bmp": ("bmp",),
    "image/gif": ("gif",),
    "image/heic": ("heif",),
    "image/heif": ("heif",),
    "image/jpeg": ("jpeg",),
    "image/png": ("png",),
    "image/svg+xml": ("svg",),
    "image/tiff": ("tiff",),
    "image/vnd.microsoft.icon": ("ico", "png"),
    "image/webp": ("webp",),
    "image/x-icon": ("ico", "png"),
    "image/x-ms-bmp": ("bmp",),
    "text/rtf": ("rtf",),
    "video/3gpp": ("isobmff",),
    "video/avi": ("avi",),
    "video/mp4": ("isobmff",),
    "video/mpeg": ("mpeg",),
    "video/ogg": ("ogg",),
    "video/quicktime": ("isobmff",),
    "video/webm": ("matroska",),
    "video/x-flv": ("flv",),
    "video/x-matroska": ("matroska",),
    "video/x-msvideo": ("avi",),
}
#: What a browser could run if it took a file for it, and programs.
_ACTIVE = ("html", "svg", "xml", "program")
_MARKUP_FAMILIES = ("html", "svg", "xml")
#: Characters that no text has.
_CONTROLS = bytes(each for each in range(32) if each not in b"\t\n\r\f\x1b")
#: Types that are text; of these, some may be markup.
_TEXTS = re.compile(
    r"text/.*|application/(json|javascript|x-javascript|xml|yaml|x-yaml|x-ndjson|sql|x-sh)"
    r"|.*\+(json|xml)"
)
_MARKUP = re.compile(r"text/(html|xml)|application/xml|.*\+xml")
_SPACE = b" \t\r\n\f"
_HTML = re.compile(
    rb"<(!doctype\s+html|html|head|body|script|iframe|title|meta|link|style|base|form|img|svg:|h1"
    rb"|div|table|p|a|br|font|object|embed|template)[\s>/]",
    re.I,
)
_SVG_ROOT = re.compile(rb"<(?:[\w.-]+:)?svg[\s>/]", re.I)
#: How far into a text a browser would look for a tag of HTML.
_SNIFFED = 1445


def type_of_name(name: str) -> str:
    """Return the type that a file has by its name.

    Example:
        >>> type_of_name("Film.MP4"), type_of_name("data.unknown")
        ('video/mp4', 'application/octet-stream')
    """
    extension = posixpath.splitext(name)[1].lower()
    if extension in _BY_EXTENSION:
        return _BY_EXTENSION[extension]
    # As a path: "ab:a.png?b.html" and "data:,b.html" are URLs of another type to mimetypes.
    guessed, encoding = mimetypes.guess_type(f"./{name}")
    if encoding:
        return {"gzip": "application/gzip", "bzip2": "application/x-bzip2"}.get(encoding, UNKNOWN)
    return guessed or UNKNOWN


def detect(head: bytes) -> Optional[str]:
    r"""Return which family of types a content belongs to, ``None`` if it has no signature.

    Args:
        head: The first :data:`HEAD` bytes of the content, or all of a shorter one.

    Example:
        >>> detect(b"GIF89a\1\0"), detect(b"<html>"), detect(b"Dear reader")
        ('gif', 'html', 'text')
    """
    text = _as_ascii(head)
    if text is not None:
        return _detect_text(text)
    found = [each for each, at, signature in _SIGNATURES if head.startswith(signature, at)]
    if found:
        return found[0]
    if head[:4] == b"RIFF" and head[8:12] in _RIFF:
        return _RIFF[head[8:12]]
    if head[4:8] in _BOXES:
        return _IMAGE_BRANDS.get(head[8:12], "isobmff")
    if b"%PDF-" in head[:1024]:  # readers accept something before it
        return "pdf"
    # A browser drops these characters where it takes a content for HTML.
    markup = _detect_text(head.translate(None, _CONTROLS))
    return markup if markup in _MARKUP_FAMILIES else _detect_frames(head[:2])


def _detect_frames(start: bytes) -> Optional[str]:
    """Return the family of sound that begins with a frame: eleven bits, and then its layer."""
    value = int.from_bytes(start, "big")
    if value & 0xFFF6 == 0xFFF0:  # noqa: PLR2004 - the layer of AAC
        return "adts"
    return "mp3" if value & 0xFFE0 == 0xFFE0 and value & 6 in (2, 4) else None  # noqa: PLR2004


def _detect_text(text: bytes) -> str:
    start = text.lstrip(_SPACE)
    for signature, family in ((b"{\\rtf", "rtf"), (b"%PDF-", "pdf"), (b"#!", "program")):
        if start.startswith(signature):
            return family
    if _SVG_ROOT.search(text) and start[:1] == b"<":
        return "svg"
    if start[:1] == b"<" and _HTML.search(text[:_SNIFFED]):
        return "html"
    return "xml" if start[:5].lower() == b"<?xml" else "text"


def _as_ascii(head: bytes) -> Optional[bytes]:
    """Return text with every other character as ``?``; ``None`` if it is no text."""
    for mark, encoding in ((b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be")):
        if head.startswith(mark):
            return head[2:].decode(encoding, "replace").encode("ascii", "replace")
    if b"\0" in head:
        return None
    if head.startswith(b"\xef\xbb\xbf"):
        return head[3:]
    return None if any(byte in _CONTROLS for byte in head[:4096]) else head


def is_disguised(name_type: str, head: bytes) -> bool:
    """Return whether a content is another than its type says.

    Args:
        name_type: The type by the name, from :func:`type_of_name`.
        head: The beginning of the content, as for :func:`detect`.

    Example:
        >>> is_disguised("image/png", b"<svg xmlns='http://www.w3.org/2000/svg'/>")
        True
    """
    found = detect(head)
    families = _FAMILIES.get(name_type)
    if families is not None:
        # Sound and films have more beginnings than any table; a browser only plays them.
        is_unknown = found is None and name_type.startswith(("audio/", "video/"))
        return found not in families and not is_unknown
    if _MARKUP.fullmatch(name_type):
        return found not in ("html", "svg", "xml", "text")
    if _TEXTS.fullmatch(name_type):
        # A script begins with "#!"; markup in a text stays text for a browser.
        is_text = found in (None, "text", "html", "xml", "svg")
        return not is_text and not head.startswith(b"#!")
    # Of the rest, a browser shows nothing but these.
    return found in _ACTIVE and name_type.startswith(("audio/", "font/", "image/", "video/"))


def allows(types: Optional[Iterable[str]], name: str) -> bool:
    """Return whether a file of this name may be uploaded.

    ``image/*`` does not include SVG, which can contain scripts: it must be named.

    Args:
        types: Types, groups of types and extensions; ``None`` for anything.
        name: Name of the file.

    Example:
        >>> allows(["image/*"], "a.png"), allows(["image/*"], "a.svg"), allows([".svg"], "a.svg")
        (True, False, True)
    """
    if types is None:
        return True
    by_name = type_of_name(name)
    for each in types:
        if each.startswith("."):
            if name.lower().endswith(each):
                return True
        elif each.endswith("/*"):
            if by_name.startswith(each[:-1]) and by_name != "image/svg+xml":
                return True
        elif by_name == each:
            return True
    return False
