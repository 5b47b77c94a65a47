"""The pages in the menu, in order. A new page adds its line here and its path in urls.py."""

from __future__ import annotations

PAGES = (
    ("home", "Stories"),
    ("reports", "Reports"),
    ("wires", "Wires"),
    ("people", "People"),
    ("darkroom", "Darkroom"),
    ("development", "Development"),
    ("buckets", "Buckets"),
)
# Pages that have no line of their own, with the one they belong to.
PARENTS = {"article": "home"}


def navigation(request):
    """Context processor: ``pages`` of the menu, and which is open."""
    match = request.resolver_match
    here = match.url_name if match else None
    return {"pages": PAGES, "here": PARENTS.get(here, here)}
