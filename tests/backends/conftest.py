"""A container of Azurite, for a test of its own."""

from __future__ import annotations

import pytest


@pytest.fixture
def container(azurite):
    return azurite.create_container()


@pytest.fixture
def options(azurite, container):
    return {
        "backend": "azure",
        "bucket_name": container,
        "connection_string": azurite.connection_string,
    }
