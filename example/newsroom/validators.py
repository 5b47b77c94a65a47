"""Validators for uploads. A name is easy to fake, so the first bytes are checked too."""

from __future__ import annotations

import os

from django.core.exceptions import ValidationError

MAX_BYTES = 5 * 1024 * 1024

# First bytes of each type, by suffix. Markup that a browser would run (SVG, HTML) is left out.
IMAGES = {
    ".gif": (b"GIF87a", b"GIF89a"),
    ".jpeg": (b"\xff\xd8\xff",),
    ".jpg": (b"\xff\xd8\xff",),
    ".png": (b"\x89PNG\r\n\x1a\n",),
    ".webp": (b"RIFF",),
}
DOCUMENTS = {".pdf": (b"%PDF-",), ".txt": ()}
KITS = {".zip": (b"PK\x03\x04", b"PK\x05\x06")}
TABLES = {".csv": (), ".pdf": (b"%PDF-",)}
TEXTS = {".txt": (), ".md": ()}
ATTACHMENTS = {**DOCUMENTS, **IMAGES, **KITS, **TABLES}


def _validator(name, types):
    """Return a function, because a migration refers to validators by their dotted path."""

    def validate(upload):
        _validate(upload, types)

    validate.__name__ = validate.__qualname__ = name
    validate.types = tuple(types)
    return validate


validate_image = _validator("validate_image", IMAGES)
validate_document = _validator("validate_document", DOCUMENTS)
validate_kit = _validator("validate_kit", KITS)
validate_table = _validator("validate_table", TABLES)
validate_text = _validator("validate_text", TEXTS)
validate_attachment = _validator("validate_attachment", ATTACHMENTS)


def _validate(upload, types):
    if getattr(upload, "_committed", False):
        return  # already in the bucket; reading its size would cost a needless request
    suffix = os.path.splitext(upload.name)[1].lower()
    if suffix not in types:
        raise ValidationError(f"Choose a file of one of these types: {_listing(types)}.")
    if upload.size > MAX_BYTES:
        raise ValidationError(f"Choose a file of up to {MAX_BYTES // 1024**2} MB.")
    upload.seek(0)
    start = upload.read(16)
    upload.seek(0)
    if not start:
        raise ValidationError("This file is empty. Choose another.")
    signatures = types[suffix]
    if signatures and not start.startswith(signatures):
        raise ValidationError(
            f"This file is called {suffix} but holds something else. Choose another."
        )


def _listing(types) -> str:
    return ", ".join(suffix.lstrip(".").upper() for suffix in types)
