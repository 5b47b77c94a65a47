"""A field of Django REST framework that gives the signed URL of a file."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.core.files.storage import FileSystemStorage
from django.test import RequestFactory

serializers = pytest.importorskip("rest_framework.serializers")

from smart_storages.serve.rest_framework import SignedUrlField  # noqa: E402
from smart_storages.storages import SmartS3Storage  # noqa: E402
from tests.serve.test_urls import KEYS, value_of  # noqa: E402


class Report(serializers.Serializer):  # type: ignore[misc,name-defined]
    file = SignedUrlField(expire=300)
    saved = SignedUrlField(source="file", download=True)
    pages = serializers.ListField(child=SignedUrlField(expire=60), read_only=True)


def row(storage: Any, name: str = "a.pdf") -> Any:
    return SimpleNamespace(file=value_of(storage, name), pages=[value_of(storage, "1.png")] * 2)


def test_a_row_has_the_signed_url_of_its_file() -> None:
    data = Report(row(SmartS3Storage("media", bucket_name="acme", **KEYS))).data
    assert parse_qs(urlsplit(data["file"]).query)["X-Amz-Expires"] == ["300"]
    query = parse_qs(urlsplit(data["saved"]).query)
    assert query["response-content-disposition"] == ['attachment; filename="a.pdf"']
    assert [parse_qs(urlsplit(each).query)["X-Amz-Expires"] for each in data["pages"]] == [
        ["60"],
        ["60"],
    ]


def test_a_row_without_a_file_has_null() -> None:
    assert Report(row(SmartS3Storage("media", bucket_name="acme", **KEYS), "")).data["file"] is None


def test_an_address_of_the_site_is_made_absolute() -> None:
    found = row(FileSystemStorage("/srv", base_url="/media/"))
    assert Report(found).data["file"] == "/media/a.pdf"
    context = {"request": RequestFactory().get("/api/")}
    assert Report(found, context=context).data["file"] == "http://testserver/media/a.pdf"


def test_it_takes_no_input() -> None:
    form = Report(data={"file": "https://elsewhere.example.com/a", "pages": []})
    assert form.is_valid()
    assert form.validated_data == {}
    assert SignedUrlField().read_only


def test_a_list_of_rows_is_one_of_urls() -> None:
    storage = SmartS3Storage("media", bucket_name="acme", **KEYS)
    data = Report([row(storage, f"{number}.pdf") for number in range(50)], many=True).data
    assert len({each["file"] for each in data}) == 50
