"""``{% load smart_storages %}``: what a page gets."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from django.template import Context, Template

from smart_storages.serve import file_url
from smart_storages.storages import SmartS3Storage
from tests.serve.test_urls import KEYS, value_of


def render(text: str, **context: Any) -> str:
    return Template("{% load smart_storages %}" + text).render(Context(context))


def test_a_url_is_escaped_for_the_page_and_whole_in_a_variable() -> None:
    storage = SmartS3Storage("media", bucket_name="acme", url_stable_for=86400, **KEYS)
    article = SimpleNamespace(image=value_of(storage, "a.jpg"))
    url = file_url(article.image, expire=300, download=True)
    tag = "{% file_url article.image expire=300 download=True"
    assert render(tag + " %}", article=article) == url.replace("&", "&amp;")
    kept = render(tag + " as address %}{{ address|safe }}", article=article)
    assert kept == url
    assert "filename%3D%22b.jpg" in render("{% file_url image filename='b.jpg' %}", **vars(article))


def test_a_row_without_a_file_gives_nothing() -> None:
    storage = SmartS3Storage("media", bucket_name="acme", **KEYS)
    assert render("[{% file_url image %}]", image=value_of(storage, "")) == "[]"
    assert render("[{% image_srcset image 400 %}]", image=value_of(storage, "")) == "[]"
    assert render("[{% file_url nothing %}]") == "[]"


def test_pictures_of_ones_own_make_a_srcset() -> None:
    storage = SmartS3Storage("media", bucket_name="acme", querystring_auth=False, **KEYS)
    small, large = (
        SimpleNamespace(storage=storage, name=name, width=width, url=storage.url(name))
        for name, width in (("s.jpg", 400), ("l.jpg", 800))
    )
    text = "{% image_srcset large large small %}"
    assert render(text, small=small, large=large) == f"{small.url} 400w, {large.url} 800w"
