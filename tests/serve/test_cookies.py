"""Signed cookies, verified as CloudFront documents that it verifies them."""

from __future__ import annotations

import base64
import json
import time
from fnmatch import fnmatchcase
from typing import Any, Dict

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from django.core.exceptions import SuspiciousFileOperation
from django.http import HttpResponse

from smart_storages.exceptions import ConfigurationError
from smart_storages.serve import delete_signed_cookies, set_signed_cookies
from smart_storages.storages import SmartS3Storage

_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
_PEM = _KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
_NAMES = {"CloudFront-Policy", "CloudFront-Signature", "CloudFront-Key-Pair-Id"}


def make(**options: Any) -> SmartS3Storage:
    given = {
        "bucket_name": "acme-films",
        "custom_domain": "files.example.com",
        "cloudfront_key_id": "K2JCJMDEHXQW5F",
        "cloudfront_key": _PEM,
        **options,
    }
    return SmartS3Storage("films", **{k: v for k, v in given.items() if v is not None})


def decode(text: str) -> bytes:
    return base64.b64decode(text.translate(str.maketrans("-_~", "+=/")), validate=True)


def allows(cookies: Dict[str, str], url: str, *, now: float) -> bool:
    """Whether CloudFront gives a file: RSA over SHA-1 of the policy, its resource and its end.

    https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/private-content-setting-signed-cookie-custom-policy.html
    """
    assert set(cookies) == _NAMES
    assert cookies["CloudFront-Key-Pair-Id"] == "K2JCJMDEHXQW5F"
    policy = decode(cookies["CloudFront-Policy"])
    sha1 = hashes.SHA1()  # noqa: S303 - CloudFront's own
    try:
        _KEY.public_key().verify(
            decode(cookies["CloudFront-Signature"]), policy, padding.PKCS1v15(), sha1
        )
    except InvalidSignature:
        return False
    [statement] = json.loads(policy)["Statement"]
    assert set(statement) == {"Resource", "Condition"}
    ends = statement["Condition"]["DateLessThan"]["AWS:EpochTime"]
    return fnmatchcase(url, statement["Resource"]) and now < ends


def test_cookies_open_the_files_below_their_prefix_until_they_expire() -> None:
    storage = make(location="media")
    cookies = storage.signed_cookies("films/7/", expire=600)
    now = time.time()
    for name in ("films/7/part 1 é.ts", "films/7/hd/part2.ts"):
        url = make(location="media", querystring_auth=False).url(name)
        assert allows(cookies, url, now=now)
        assert allows(cookies, url, now=now + 590)
        assert not allows(cookies, url, now=now + 601)
    for name in ("films/77/part1.ts", "films/8/part1.ts", "films/7"):
        assert not allows(
            cookies, make(location="media", querystring_auth=False).url(name), now=now
        )
    assert not allows(cookies, "https://files.example.com/films/7/part1.ts", now=now)


def test_an_altered_policy_is_not_signed() -> None:
    cookies = make().signed_cookies("films/7/")
    policy = decode(cookies["CloudFront-Policy"]).replace(b"films/7/", b"films/8/")
    altered = base64.b64encode(policy).decode().translate(str.maketrans("+=/", "-_~"))
    url = "https://files.example.com/films/8/a.ts"
    assert not allows({**cookies, "CloudFront-Policy": altered}, url, now=time.time())
    assert allows(make().signed_cookies("films/8/"), url, now=time.time())


def test_a_policy_has_no_space_and_a_cookie_no_character_that_it_may_not_have() -> None:
    for number in range(20):
        cookies = make().signed_cookies(f"ä{number}/")
        assert b" " not in decode(cookies["CloudFront-Policy"])
        for value in cookies.values():
            assert not set("+=/ ;,") & set(value)


def test_the_whole_location_may_be_opened() -> None:
    assert make(location="media").signed_cookies_resource("") == (
        "https://files.example.com/media/*"
    )
    assert make().signed_cookies_resource("") == "https://files.example.com/*"
    # The life is that of the storage's URLs.
    policy = json.loads(decode(make(querystring_expire=60).signed_cookies("")["CloudFront-Policy"]))
    ends = policy["Statement"][0]["Condition"]["DateLessThan"]["AWS:EpochTime"]
    assert 55 <= ends - time.time() <= 60


def test_a_prefix_that_would_open_more_is_refused() -> None:
    for prefix in ("films/7", "films/*/", "films/?/", "*/", "films/7/a*/"):
        with pytest.raises(ValueError, match="must end with a slash"):
            make().signed_cookies(prefix)
    for prefix in ("./", "acme/../", "acme/../globex/", "acme/./", "a//b/", "acme\\..\\globex/"):
        with pytest.raises(ValueError, match="must be a folder without empty parts"):
            make(location="media").signed_cookies(prefix)
    for prefix in ("../", "films/../../", "/etc/../../"):
        with pytest.raises(SuspiciousFileOperation):
            make(location="media").signed_cookies(prefix)
    for life in (0, -1, True, "60"):
        with pytest.raises(ValueError, match="expire must be a number of seconds"):
            make().signed_cookies("films/7/", life)  # type: ignore[arg-type]


def test_what_is_missing_is_named() -> None:
    with pytest.raises(ConfigurationError, match="'films' has no 'custom_domain'"):
        make(custom_domain=None).signed_cookies("7/")
    with pytest.raises(ConfigurationError, match="Set 'cloudfront_key_id'"):
        make(cloudfront_key=None, cloudfront_key_id=None).signed_cookies("7/")


def test_a_response_sets_them_for_their_prefix_alone() -> None:
    storage, response = make(location="media"), HttpResponse()
    set_signed_cookies(response, storage, "ä b/7/", domain="example.com")
    assert set(response.cookies) == _NAMES
    for morsel in response.cookies.values():
        assert morsel["domain"] == "example.com"
        assert morsel["path"] == "/media/%C3%A4%20b/7/"
        assert morsel["secure"]
        assert morsel["httponly"]
        assert morsel["samesite"] == "Lax"
        assert morsel["max-age"] == ""
        assert morsel["expires"] == ""
    values = {name: morsel.value for name, morsel in response.cookies.items()}
    url = "https://files.example.com/media/%C3%A4%20b/7/a.ts"
    assert allows(values, url, now=time.time())
    kept = HttpResponse()
    set_signed_cookies(kept, storage, "7/", domain="files.example.com", max_age=60, samesite="None")
    assert kept.cookies["CloudFront-Policy"]["max-age"] == 60
    assert kept.cookies["CloudFront-Policy"]["samesite"] == "None"


def test_they_are_deleted_where_they_were_set() -> None:
    response = HttpResponse()
    delete_signed_cookies(response, make(location="media"), "7/", domain="example.com")
    assert set(response.cookies) == _NAMES
    for morsel in response.cookies.values():
        assert (morsel.value, morsel["max-age"]) == ("", 0)
        assert (morsel["path"], morsel["domain"]) == ("/media/7/", "example.com")


@pytest.mark.parametrize("domain", ["example.org", "ample.com", "www.example.com", "x"])
def test_a_domain_to_which_no_file_belongs_is_refused(domain: str) -> None:
    with pytest.raises(ValueError, match=r"is not sent to 'files\.example\.com'"):
        set_signed_cookies(HttpResponse(), make(), "7/", domain=domain)


def test_no_key_is_shown() -> None:
    storage = make()
    storage.signed_cookies("7/")
    line = _PEM.splitlines()[3]
    for text in (repr(storage), repr(storage.deconstruct()), repr(vars(storage))):
        assert line not in text


@pytest.mark.parametrize(
    "wrong",
    [{"domain": "example.org"}, {"samesite": "no"}, {"max_age": "soon"}, {"expire": 0}],
    ids=str,
)
def test_an_error_leaves_no_cookie_in_the_frames_that_a_debug_page_shows(wrong: Any) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - of each its own
        set_signed_cookies(HttpResponse(), make(), "7/", **{"domain": "example.com", **wrong})
    frame, texts = caught.value.__traceback__, []
    while frame is not None:
        texts.append((frame.tb_frame.f_code.co_name, repr(frame.tb_frame.f_locals)))
        frame = frame.tb_next
    assert len(texts) > 1
    assert [name for name, text in texts[1:] if "CloudFront-Signature" in text] == []
