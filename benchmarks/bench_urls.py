"""How long a signed URL takes, compared with django-storages and botocore. Needs no server.

The contestants take turns within each round, and the best round of each counts, so that other work
on the machine slows all of them or none.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Optional, Tuple

from benchmarks.turns import take_turns

TITLE = "Signed URLs"

ROUNDS = 15
URLS_PER_ROUND = 200
#: Links of a page, which are made by ``file_url`` of this package.
LINKS = 1_000

_CREDENTIALS = {
    "access_key": "AKIAIOSFODNN7EXAMPLE",
    "secret_key": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "region_name": "eu-central-1",
    "endpoint_url": "https://s3.example.com",
    "bucket_name": "acme-media",
    "location": "media",
    "signature_version": "s3v4",
}
_PLAIN = "2026/11/article-image_{:05d}.jpg"
_ACCENTED = "2026/11/Überblick für {:05d}.jpg"
_ATTACHMENT = {"ResponseContentDisposition": 'attachment; filename="report 7.pdf"'}

Contest = Tuple[str, Dict[str, Callable[[str], str]], str]


def run(context: Any = None) -> List[Dict[str, Any]]:
    """Measure every contest.

    Args:
        context: The harness's context; not used here.

    Returns:
        A row for each contestant in each contest: microseconds per URL, milliseconds per page.
    """
    rows: List[Dict[str, Any]] = []
    for title, contestants, pattern in _make_contests():
        names = [pattern.format(number) for number in range(URLS_PER_ROUND)]
        best = take_turns(contestants, names, ROUNDS)
        rows += [
            {"case": title, "who": name, "time_us": seconds * 1e6} for name, seconds in best.items()
        ]
    pages, contestants = _make_page()
    best = take_turns(contestants, pages, ROUNDS)
    rows += [
        {"case": f"a page of {LINKS:,} links", "who": name, "time_ms": seconds * 1e3}
        for name, seconds in best.items()
    ]
    return rows


def _make_page() -> Tuple[List[str], Dict[str, Callable[[str], Any]]]:
    """Return the ways to make a page of rows, each with a link to its file that lives 5 minutes."""
    from django.db.models import FileField
    from django.db.models.fields.files import FieldFile

    from smart_storages.serve import file_url
    from smart_storages.storages import S3Boto3Storage, SmartS3Storage

    theirs, ours = S3Boto3Storage(**_CREDENTIALS), SmartS3Storage(**_CREDENTIALS)
    client = ours.client
    names = [_PLAIN.format(number) for number in range(LINKS)]
    field: Any = FileField(storage=ours)
    files = [FieldFile(None, field, name) for name in names]  # type: ignore[arg-type]

    def by_boto3(_page: str) -> List[str]:
        return [
            client.generate_presigned_url(
                "get_object",
                Params={"Bucket": "acme-media", "Key": f"media/{name}"},
                ExpiresIn=300,
            )
            for name in names
        ]

    return names[:1], {
        "django-storages": lambda _page: [theirs.url(name, expire=300) for name in names],
        "boto3": by_boto3,
        "smart-storages": lambda _page: [file_url(file, expire=300) for file in files],
    }


def _make_contests() -> List[Contest]:
    from smart_storages.backends.s3.signing.presigned_urls import UrlSigner
    from smart_storages.storages import S3Boto3Storage, SmartS3Storage

    theirs, ours = S3Boto3Storage(**_CREDENTIALS), SmartS3Storage(**_CREDENTIALS)
    client = ours.client
    signer = UrlSigner(client, "acme-media")

    def contest(title: str, pattern: str, parameters: Optional[Dict[str, str]] = None) -> Contest:
        def botocore(name: str) -> str:
            params = {"Bucket": "acme-media", "Key": f"media/{name}", **(parameters or {})}
            url: str = client.generate_presigned_url("get_object", Params=params)
            return url

        contestants = {
            "django-storages": lambda name: theirs.url(name, parameters=parameters),
            "boto3": botocore,
            "smart-storages": lambda name: ours.url(name, parameters=parameters),
            "its signer alone": lambda name: signer.url("get_object", f"media/{name}", parameters),
        }
        return title, contestants, pattern

    return [
        contest("url() of a plain name", _PLAIN),
        contest("url() of a name with accents and spaces", _ACCENTED),
        contest("url() with a download file name", _PLAIN, _ATTACHMENT),
    ]


def _main() -> None:
    from django.conf import settings

    if not settings.configured:
        settings.configure(USE_TZ=True)
    print(TITLE)
    for row in run():
        print("  " + ", ".join(f"{name}: {value}" for name, value in row.items()))


if __name__ == "__main__":
    _main()
