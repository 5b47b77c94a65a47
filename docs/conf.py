"""The site: ``make docs`` writes it to ``docs/_build/html``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parent
sys.path[:0] = [str(DOCS.parent), str(DOCS / "_ext")]

import django  # noqa: E402
from django.conf import settings  # noqa: E402

settings.configure(
    INSTALLED_APPS=[
        "django.contrib.admin",
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.messages",
        "django.contrib.sessions",
        "smart_storages",
        "smart_storages.queued",
        "smart_storages.uploads",
    ],
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    MEDIA_ROOT="media",
)
django.setup()

import reference  # noqa: E402
from pygments.lexers import TextLexer  # noqa: E402

import smart_storages  # noqa: E402

project = "django-smart-storages"
author = "The django-smart-storages contributors"
copyright = author  # noqa: A001
version = release = smart_storages.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
]
exclude_patterns = ["_build", "_ext", "benchmarks"]
html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_title = project
html_copy_source = False
smartquotes = False  # or --help has a dash
html_theme_options = {"navigation_with_keys": True}
copybutton_exclude = ".linenos, .gp"

myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 4

autodoc_typehints = "none"  # the docstrings give the types
autodoc_member_order = "bysource"
napoleon_google_docstring = True
napoleon_numpy_docstring = False


def _leave_out_what_is_inherited(_app: Any, _what: str, _name: str, obj: Any, *rest: Any) -> None:
    # A class of Django or django-storages is described there.
    if not getattr(obj, "__module__", "smart_storages").startswith("smart_storages"):
        rest[-1].clear()


def setup(app: Any) -> None:
    """Write the reference before Sphinx looks for pages."""
    reference.write(DOCS / "reference")
    app.connect("autodoc-process-docstring", _leave_out_what_is_inherited)
    for language in ("cron", "floors", "log"):  # shown as they are
        app.add_lexer(language, TextLexer)
