from __future__ import annotations

import re

from django import template
from django.utils.html import format_html_join

register = template.Library()


@register.filter
def breakable(key):
    """``key`` with places to break a line: after a slash, a hyphen or an underscore."""
    return format_html_join("", "{}<wbr>", ((part,) for part in re.split(r"(?<=[/_-])", key)))
