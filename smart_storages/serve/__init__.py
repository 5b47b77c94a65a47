"""Private files for those who may have them: served by a view, or by signed links of a page.

A file of a row comes in, and for a view the request; a response or a URL goes out. It may not know
who may have a file: the project asks that first. It may not know settings, and changes nothing.

``python -m smart_storages.serve`` is something else: an S3 server in memory, for development.
"""

from __future__ import annotations

from smart_storages.serve.cookies import delete_signed_cookies, set_signed_cookies
from smart_storages.serve.files import aserve_file, serve_file
from smart_storages.serve.srcset import image_srcset
from smart_storages.serve.urls import file_url

__all__ = [
    "aserve_file",
    "delete_signed_cookies",
    "file_url",
    "image_srcset",
    "serve_file",
    "set_signed_cookies",
]
