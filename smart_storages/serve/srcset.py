"""One picture in several widths, for the ``srcset`` of an ``<img>``."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Optional

from django.apps import apps

from smart_storages.exceptions import ConfigurationError
from smart_storages.serve.urls import file_url

__all__ = ["ENGINES", "image_srcset"]


def image_srcset(
    picture: Any, *sizes: Any, engine: Optional[str] = None, expire: Optional[int] = None
) -> str:
    """Return the value of ``srcset``: the URL and the width of each size, or ``""`` if none.

    Args:
        picture: The value of an image field.
        sizes: Widths in pixels, for which the thumbnail package of the project makes pictures; or
            pictures that it has made, such as an ``ImageSpecField`` of imagekit.
        engine: The app that makes them: ``"easy_thumbnails"``, ``"imagekit"`` or
            ``"sorl.thumbnail"``; by default the one that is in ``INSTALLED_APPS``.
        expire: Seconds for which the URLs are valid, as many as the storage says if ``None``.

    A picture is never made larger. Where the field has a ``width_field``, widths beyond the
    picture's own give the picture itself, once; no picture is opened to learn its width.

    Raises:
        ConfigurationError: no such app is installed, or several are.
        ValueError: a width is not above 0.

    Example::

        image_srcset(article.image, 400, 800, 1600)
        # "https://.../cover.jpg.400x0.jpg?... 400w, https://... 800w, https://... 1600w"
    """
    if not picture:
        return ""
    own_width = _known_width(picture)
    by_width: Dict[int, Any] = {}
    for size in sizes:
        if isinstance(size, int):
            if size < 1:
                raise ValueError(f"image_srcset: a width must be above 0 pixels, not {size}.")
            if own_width is not None and size >= own_width:
                by_width.setdefault(own_width, picture)
            elif size not in by_width:
                by_width[size] = _make(engine)(picture, size)
        elif size:
            by_width.setdefault(_known_width(size) or int(size.width), size)
    entries: List[str] = []
    for width in sorted(by_width):
        entries.append(f"{_url(by_width[width], expire)} {width}w")
    return ", ".join(entries)


def _known_width(picture: Any) -> Optional[int]:
    # Its property width would open the file.
    name = getattr(getattr(picture, "field", None), "width_field", None)
    width = getattr(picture.instance, name, None) if name else None
    return int(width) if width else None


def _url(picture: Any, expire: Optional[int]) -> str:
    # Of imagekit, asking for its own URL is what makes the picture.
    if expire is None:
        return str(picture.url)
    str(picture.url)
    return file_url(picture, expire=expire)


def _make(engine: Optional[str]) -> Callable[[Any, int], Any]:
    installed = [each for each in ENGINES if apps.is_installed(each)]
    if engine is None and len(installed) == 1:
        [engine] = installed
    if engine is None and installed:
        raise ConfigurationError(
            f"image_srcset: {' and '.join(installed)} are installed; say which of them makes the "
            f"pictures, as in engine={installed[0]!r}."
        )
    if engine is None or engine not in installed:
        what = f"{engine} is not" if engine else "no package that makes thumbnails is"
        raise ConfigurationError(
            f"image_srcset: {what} in INSTALLED_APPS. Add one of {', '.join(ENGINES)}, or pass "
            "pictures in place of widths."
        )
    return ENGINES[engine]


def _by_easy_thumbnails(picture: Any, width: int) -> Any:
    from easy_thumbnails.files import get_thumbnailer

    return get_thumbnailer(picture).get_thumbnail({"size": (width, 0)})


def _by_imagekit(picture: Any, width: int) -> Any:
    from imagekit import ImageSpec
    from imagekit.cachefiles import ImageCacheFile
    from imagekit.processors import ResizeToFit

    spec = ImageSpec(source=picture)
    spec.processors = [ResizeToFit(width=width, upscale=False)]
    made = ImageCacheFile(spec)
    # Only what is registered makes itself when it is asked for; made already, this costs a look
    # into the cache.
    made.generate()
    return made


def _by_sorl(picture: Any, width: int) -> Any:
    from sorl.thumbnail import get_thumbnail

    return get_thumbnail(picture, str(width), upscale=False)


#: What makes a picture of a width, by the app.
ENGINES: Dict[str, Callable[[Any, int], Any]] = {
    "easy_thumbnails": _by_easy_thumbnails,
    "imagekit": _by_imagekit,
    "sorl.thumbnail": _by_sorl,
}
