"""What is looked at when the blocks of a page have run that says how to do one thing."""

from __future__ import annotations

import asyncio
import base64
import importlib
import io
import json
import re
import zipfile
from functools import lru_cache
from typing import Any, Dict, Tuple
from urllib.parse import parse_qs

import django
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import Http404
from django.test import RequestFactory

from benchmarks import event_loop
from smart_storages.dispatcher import StorageDispatcher
from smart_storages.exceptions import RoutingRefusedError
from smart_storages.queued import engines
from smart_storages.serve import serve_file
from smart_storages.tenancy import use_region
from smart_storages.utils import get_storage, resolve_storage
from tests import documentation
from tests.documentation import Project


def public_and_private(project: Project, _printed: str) -> None:
    """One file is everybody's, the other its customer's; and the one that was moved is public."""
    from myapp import views

    order, names = project.names["order"], project.names
    assert order.photo.url.endswith("/acme-shop/photos/red.jpg")  # as the last settings say
    assert "/acme-invoices/1001.pdf?" in order.invoice.url
    assert "X-Amz-Expires=300&" in order.invoice.url
    assert names["photos"].open(names["public_name"]).read() == b"..."
    assert not names["drafts"].exists(names["name"])
    order.customer = User.objects.create(username="customer")
    order.save()
    request = RequestFactory().get("/")
    request.user = order.customer
    assert "/acme-invoices/1001.pdf?" in views.invoice(request, order.pk)["Location"]
    request.user = User.objects.create(username="other")
    with pytest.raises(Http404):
        views.invoice(request, order.pk)


def regions(project: Project, printed: str) -> None:
    """Each row of the page's table of what is refused, and the rule that refuses reads too."""
    assert "goes to 'files_eu' by recorded alias" in printed
    middleware = importlib.import_module("myproject.regions").RegionMiddleware
    storage = project.names["default_storage"]

    def save_for(host: str) -> str:
        request = RequestFactory().get("/", HTTP_HOST=f"{host}.example.com")
        name: str = middleware(lambda _: storage.save("a.pdf", ContentFile(b"x")))(request)
        return name

    ours, theirs = save_for("acme"), save_for("globex")
    assert [ours, theirs] == ["files_eu/a.pdf", "files_us/a.pdf"]
    with pytest.raises(RoutingRefusedError):
        save_for("unknown")
    with pytest.raises(RoutingRefusedError):
        storage.open("from-before.pdf")
    strict: Any = StorageDispatcher(importlib.import_module("myproject.strict").RULE)
    with use_region("us"):
        assert storage.save("files_eu/b.pdf", ContentFile(b"x")) == "files_us/files_eu/b.pdf"
        assert storage.open(ours).read() == b"x"
        assert strict.open(theirs).read() == b"x"
        with pytest.raises(RoutingRefusedError, match="another region"):
            strict.open(ours)
    with pytest.raises(RoutingRefusedError):
        strict.open(ours)


def roles(project: Project, _printed: str) -> None:
    """A tenant's files are saved with keys that the token service gave for this tenant."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL_STS", project.settings["AWS_S3_ENDPOINT_URL"])
        storage = get_storage("tenant_acme")
        name = storage.save("a.txt", ContentFile(b"x"))
        assert storage.open(name).read() == b"x"
        key_id = storage.client._request_signer._credentials.get_frozen_credentials()[0]
        assert key_id.startswith("ASIA")  # temporary
        assert get_storage("tenant_b").client is not storage.client


@lru_cache(maxsize=None)
def cloudfront_key() -> Tuple[str, Any]:
    """A private key as text, and the public key of which CloudFront knows."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    return pem.decode(), key.public_key()


def _verify_as_cloudfront(url: str) -> None:
    """Raise ``InvalidSignature`` if CloudFront would not give the file.

    https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/private-content-creating-signed-url-canned-policy.html
    """
    # The resource is the URL with what it asks of the bucket, as it was before it was signed.
    resource, query = re.split("[?&](?=Expires=)", url)
    asked = {name: values[0] for name, values in parse_qs(query, strict_parsing=True).items()}
    assert asked["Key-Pair-Id"] == "K2JCJMDEHXQW5F"
    ends: Dict[str, Any] = {"DateLessThan": {"AWS:EpochTime": int(asked["Expires"])}}
    policy = {"Statement": [{"Resource": resource, "Condition": ends}]}
    signature = base64.b64decode(asked["Signature"].translate(str.maketrans("-_~", "+=/")))
    signed = json.dumps(policy, separators=(",", ":")).encode()
    sha1 = hashes.SHA1()  # noqa: S303 - CloudFront's own
    cloudfront_key()[1].verify(signature, signed, padding.PKCS1v15(), sha1)


def cdn(project: Project, _printed: str) -> None:
    """The signature is one that CloudFront accepts for this file and this time."""
    signed = project.names["signed"]
    assert signed.startswith("https://films.example.com/7/part1.ts?")
    _verify_as_cloudfront(signed)
    for altered in (signed.replace("part1", "part2"), signed.replace("Expires=1", "Expires=2")):
        with pytest.raises(InvalidSignature):
            _verify_as_cloudfront(altered)
    response = serve_file(RequestFactory().get("/"), "7/part1.ts", storage=get_storage("films"))
    assert response.status_code == 302
    _verify_as_cloudfront(response["Location"])
    media = get_storage("media")
    headers = media.client.head_object(Bucket="acme-media", Key="media/logo.png")
    assert headers["CacheControl"] == "public, max-age=31536000, immutable"


def async_views(project: Project, _printed: str) -> None:
    table = documentation.read("docs/async.md").split("event loop -->")[1]
    titles = [case.title for case in event_loop.CASES]
    assert [line.split(" | ")[0][2:] for line in table.splitlines() if "| `" in line] == titles
    if django.VERSION < (4, 2):
        return  # no async model methods, no async responses
    from myapp import views
    from myapp.models import Report

    def post(text: str) -> Any:
        uploaded = SimpleUploadedFile("july.pdf", text.encode(), "application/pdf")
        return RequestFactory().post("/", {"title": "July", "file": uploaded})

    async def use() -> None:
        made = json.loads((await views.upload(post("%PDF"))).content)
        assert "/acme-docs/documents/reports/july" in made["url"]
        request = RequestFactory().get("/")
        request.scope = {}  # type: ignore[attr-defined]
        for view in (views.download, views.download_with_ranges):
            response = await view(request, made["id"])
            assert await _received(response) == b"%PDF"
            assert response["Content-Type"] == "application/pdf"
        await views.upload(post("123456"))
        assert (await views.sizes(request)).content == b"10"
        report = Report(title="all at once", file=SimpleUploadedFile("a.pdf", b"x"))
        await report.asave()
        assert await report.file.storage.aexists(report.file.name)

    asyncio.run(use())


async def _received(response: Any) -> bytes:
    return b"".join([part async for part in response.streaming_content])


def large_files(project: Project, _printed: str) -> None:
    from myapp import views

    assert project.names["size"] == 12 * 1024**2
    assert len(project.names["end"]) == 1024
    assert "X-Amz-Expires=3600" in project.names["link"]
    films = get_storage("films")
    assert films.transfer_config.max_concurrency == 4
    response = views.all_films(RequestFactory().get("/"))
    streamed = b"".join(response.streaming_content)
    with get_storage("exports").open("films.zip") as saved:
        for archive in (io.BytesIO(streamed), saved):
            with zipfile.ZipFile(archive) as opened:
                assert opened.namelist() == ["raw/1.mov", "raw/2.mov"]
                assert opened.testzip() is None
                assert opened.read("raw/2.mov") == bytes(12 * 1024**2)


def hosts(project: Project, _printed: str) -> None:
    engine = engines.get_engine()
    assert type(engine).__name__ == "CeleryOnThisHost"
    assert engines.works_here()
    scans = resolve_storage("scans")
    assert (scans.local.location.rpartition("/")[2], scans.remote.bucket_name) == (
        "uploads",
        "acme-media",
    )


def production_data(project: Project, _printed: str) -> None:
    assert project.names["picture"] == b"picture"
    assert project.names["name"] == "posts/2.jpg"
    production = get_storage("production")
    assert production.listdir("posts") == ([], ["1.jpg"])
    assert get_storage("media").listdir("posts") == ([], ["2.jpg"])
    assert "reader" in default_storage.url("posts/1.jpg")
    assert default_storage.url("posts/2.jpg").startswith("/files/")
    default_storage.open("posts/1.jpg").close()
    assert get_storage("media").exists("posts/1.jpg")
    for refused in (
        lambda: resolve_storage("production_files").delete("posts/1.jpg"),
        lambda: resolve_storage("production_files").save("a.txt", ContentFile(b"x")),
        lambda: resolve_storage("production_files").open("posts/1.jpg", "wb"),
    ):
        with pytest.raises(PermissionError):
            refused()
    from myapp.models import Post

    assert Post._meta.get_field("picture").storage.exists("posts/2.jpg")
    assert get_storage("tenant_acme").save("a.txt", ContentFile(b"x")) == "a.txt"
    assert (project.root / "files" / "tenants" / "tenant_acme" / "a.txt").read_bytes() == b"x"
