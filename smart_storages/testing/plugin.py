"""The pytest plugin, which pytest finds by itself: ``smart_buckets`` and ``s3_server``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Iterator

import pytest

if TYPE_CHECKING:
    from smart_storages.testing.overriding import override_buckets
    from smart_storages.testing.s3_server import S3Server

__all__ = ["s3_server", "smart_buckets"]


@pytest.fixture
def smart_buckets() -> Iterator[override_buckets]:
    """Every module keeps its files in memory during a test, and none are left.

    Example::

        def test_a_report_is_saved(client, smart_buckets):
            client.post("/reports/", {"file": SimpleUploadedFile("a.pdf", b"%PDF")})
            assert_saved("documents", "reports/a.pdf")
    """
    from smart_storages.testing.overriding import override_buckets  # a project has no Django yet

    with override_buckets() as overridden:
        yield overridden


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    """An S3 server in memory, moto's, for tests that need the real protocol; one each process.

    It needs the extra ``demo``, and checks neither keys nor signatures.

    Example::

        def test_the_bucket_is_listed(s3_server):
            s3_server.create_bucket("acme-media")
            with override_buckets("s3", **s3_server.options):
                assert list(MediaStorage(bucket_name="acme-media").bucket.objects.all()) == []
    """
    from smart_storages.testing.s3_server import running

    with running() as server:
        yield server
