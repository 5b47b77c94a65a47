"""``{% load smart_storages %}``: URLs of files in templates.

``{% file_url %}`` and ``{% image_srcset %}`` are :func:`smart_storages.serve.file_url` and
:func:`smart_storages.serve.image_srcset`, with their arguments; ``as name`` keeps the result.

Example::

    {% load smart_storages %}
    <a href="{% file_url report.file expire=300 download=True %}">Download</a>
    <img src="{% file_url article.image %}" sizes="50vw"
         srcset="{% image_srcset article.image 400 800 1600 %}" alt="">
"""

from __future__ import annotations

from django import template

from smart_storages.serve.srcset import image_srcset
from smart_storages.serve.urls import file_url

__all__ = ["register"]

register = template.Library()
register.simple_tag(file_url)
register.simple_tag(image_srcset)
