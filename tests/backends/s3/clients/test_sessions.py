"""The sessions that make clients: what they look for on the disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import UnknownServiceError
from botocore.loaders import Loader

from smart_storages.backends.s3.clients.sessions import SharedSession


def test_a_client_is_made_without_a_look_at_every_service(monkeypatch: Any) -> None:
    def refuse(*args: Any) -> None:
        raise AssertionError("400 services are listed")

    session = SharedSession(None)
    with monkeypatch.context() as patch:
        patch.setattr(Loader, "list_available_services", refuse)
        client = session.make_client(None, region_name="eu-west-1")
        assert client.meta.service_model.service_name == "s3"
        # Roles and single sign-on need clients of other services, from the same session.
        assert session.botocore.create_client("sts", "eu-west-1")


def test_a_service_that_is_none_is_refused_as_botocore_does() -> None:
    session = SharedSession(None)
    with pytest.raises(UnknownServiceError, match=r"Unknown service: 's4'.*, s3, "):
        session.botocore.create_client("s4", "eu-west-1")
    assert "s3" in session.loader.list_available_services("service-2")
    assert "s3" in session.botocore.get_available_services()


def test_models_of_ones_own_are_found(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("AWS_DATA_PATH", str(tmp_path))
    session = SharedSession(None)
    assert str(tmp_path) in session.loader.search_paths
    assert session.make_client(None, region_name="eu-west-1")
