"""Our URLs beside botocore's: equal byte for byte, or botocore's own."""

from __future__ import annotations

import datetime
import logging
import string
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Dict, Optional
from urllib.parse import parse_qs, urlsplit

import boto3
import botocore
import botocore.auth
import botocore.awsrequest
import botocore.exceptions
import pytest
from botocore.config import Config
from botocore.credentials import RefreshableCredentials
from hypothesis import given
from hypothesis import strategies as st

from smart_storages.backends.s3.signing.presigned_urls import OPERATIONS, UrlSigner
from smart_storages.backends.s3.signing.sigv4 import MAX_EXPIRES, QuerySigner, Route
from tests.backends.s3.botocore_clock import botocore_clock_at
from tests.conftest import examples, shown

SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
NOW = 1_790_000_000

SESSION = boto3.session.Session()
_clients: Dict[Any, Any] = {}


def make_client(
    *,
    endpoint_url: Optional[str] = None,
    region: Optional[str] = "eu-central-1",
    token: Optional[str] = None,
    access_key: Optional[str] = "AKIAIOSFODNN7EXAMPLE",
    **config: Any,
) -> Any:
    return SESSION.client(
        "s3",
        endpoint_url=endpoint_url,
        region_name=region,
        aws_access_key_id=access_key,
        aws_secret_access_key=SECRET if access_key else None,
        aws_session_token=token,
        config=Config(**config),
    )


def kept_client(**options: Any) -> Any:
    """One client per set of options: botocore needs some milliseconds for each."""
    key = repr(sorted(options.items()))
    if key not in _clients:
        _clients[key] = make_client(**options)
    return _clients[key]


def assert_equal_to_botocore(
    signer: UrlSigner,
    operation: str,
    key: str,
    params: Optional[Dict[str, Any]] = None,
    *,
    expires: int = 3600,
    http_method: Optional[str] = None,
    now: int = NOW,
) -> str:
    with botocore_clock_at(now):
        theirs = signer.client.generate_presigned_url(
            operation,
            Params={**(params or {}), "Bucket": signer.bucket, "Key": key},
            ExpiresIn=expires,
            HttpMethod=http_method,
        )
        ours = signer.url(operation, key, params, expires=expires, http_method=http_method, now=now)
    assert ours == theirs
    return ours


awkward = st.text(alphabet=" +%~/.'\"()*!@&=;:?#[]{}|\\^`<>,$_-aZ0éß漢😀\u0301\x7f\n\t", min_size=1)
keys = st.one_of(
    awkward,
    st.text(alphabet=st.characters(blacklist_categories=["Cs"]), min_size=1),
    st.text(alphabet=string.ascii_letters + string.digits + "-_.~/", min_size=1),
    st.sampled_from(["//a", "a//b", "a/", "/", "a/../b", "./a", "..", "a%2Fb", "a+b c", "😀.png"]),
)
texts = st.one_of(
    st.text(alphabet=st.characters(blacklist_categories=["Cs"])),
    st.sampled_from(["", 'attachment; filename="r é.pdf"', "a=b&c=d", "text/plain; charset=utf-8"]),
)
read_params = st.fixed_dictionaries(
    {},
    optional={
        "VersionId": texts,
        "PartNumber": st.integers(1, 10_000),
        "ResponseCacheControl": texts,
        "ResponseContentDisposition": texts,
        "ResponseContentEncoding": texts,
        "ResponseContentLanguage": texts,
        "ResponseContentType": texts,
        "Range": texts,
        "IfMatch": texts,
        "IfNoneMatch": texts,
        "ChecksumMode": st.just("ENABLED"),
        # these three are left to botocore
        "ResponseExpires": st.just(datetime.datetime(2030, 1, 2)),
        "RequestPayer": st.just("requester"),
        "ExpectedBucketOwner": st.just("123456789012"),
    },
)
write_params = st.fixed_dictionaries(
    {},
    optional={
        "ACL": st.sampled_from(["private", "public-read"]),
        "CacheControl": texts,
        "ContentDisposition": texts,
        "ContentEncoding": st.just("gzip"),
        "ContentLanguage": st.just("de"),
        "ContentLength": st.integers(0, 10**13),
        "ContentType": texts,
        "IfNoneMatch": st.just("*"),
        "StorageClass": st.just("STANDARD_IA"),
        "Tagging": st.sampled_from(["a=b", "a=b&c=d%20e"]),
        # these two are left to botocore
        "Metadata": st.just({"a": "b"}),
        "ServerSideEncryption": st.just("AES256"),
    },
)
calls = st.one_of(
    st.tuples(st.sampled_from(["get_object", "head_object"]), read_params),
    st.tuples(st.just("put_object"), write_params),
    st.tuples(st.just("delete_object"), st.fixed_dictionaries({}, optional={"VersionId": texts})),
)
routes = st.fixed_dictionaries(
    {
        "endpoint_url": st.sampled_from(
            [
                None,
                "http://localhost:9000",
                "https://s3.example.com",
                "https://S3.Example.com:443",
                "http://s3.example.com:80",
                "https://example.com/prefix",
                "https://example.com/prefix/",
                "http://127.0.0.1:7480",
                "http://[::1]:9000",
            ]
        ),
        "region": st.sampled_from(
            [
                "us-east-1",
                "us-west-2",
                "eu-central-1",
                "eu-west-1",
                "cn-north-1",
                "aws-global",
                "auto",
                "us-gov-west-1",
                "nowhere-9",
            ]
        ),
        "token": st.sampled_from([None, "FwoGZXIvYXdzE+/=token~ ü"]),
        "s3": st.one_of(
            st.fixed_dictionaries(
                {},
                optional={
                    "addressing_style": st.sampled_from(["path", "virtual", "auto", None]),
                    "us_east_1_regional_endpoint": st.sampled_from(["legacy", "regional"]),
                },
            ),
            st.just({"use_dualstack_endpoint": True}),
            st.just({"use_accelerate_endpoint": True}),
        ),
        "signature_version": st.sampled_from([None, "s3v4", "s3v4", "s3v4", "s3", "v4"]),
    }
)
buckets = st.sampled_from(["acme-media", "with.dots.example", "Under_Score", "a" * 63])


@examples(300)
@given(
    key=keys,
    call=calls,
    route=routes,
    bucket=buckets,
    expires=st.integers(1, MAX_EXPIRES),
    method=st.sampled_from([None, "GET", "HEAD", "PUT", "get", "DELETE", "POST"]),
    now=st.integers(1_600_000_000, 2_500_000_000),
)
def test_every_url_equals_that_of_botocore(  # noqa: PLR0917
    key: str, call: Any, route: Any, bucket: str, expires: int, method: Optional[str], now: int
) -> None:
    operation, params = call
    if route["endpoint_url"] and "addressing_style" not in route["s3"]:
        route["s3"] = {}  # botocore refuses dualstack and accelerate with an endpoint of one's own
    signer = UrlSigner(kept_client(**route), bucket)
    try:
        with botocore_clock_at(now):
            signer.client.generate_presigned_url(
                operation, Params={"Bucket": bucket, "Key": key, **params}, ExpiresIn=expires
            )
    except botocore.exceptions.BotoCoreError as error:
        with pytest.raises(type(error)):
            signer.url(operation, key, params, expires=expires)
        return
    assert_equal_to_botocore(
        signer, operation, key, params, expires=expires, http_method=method, now=now
    )


@examples(300)
@given(key=keys, call=calls, expires=st.integers(1, MAX_EXPIRES))
def test_many_keys_of_one_signer_equal_those_of_botocore(key: str, call: Any, expires: int) -> None:
    signer = kept_signer(signature_version="s3v4", endpoint_url="https://s3.example.com")
    operation, params = call
    assert_equal_to_botocore(signer, operation, key, params, expires=expires)


_signers: Dict[str, UrlSigner] = {}


def kept_signer(**options: Any) -> UrlSigner:
    key = repr(sorted(options.items()))
    if key not in _signers:
        _signers[key] = UrlSigner(kept_client(**options), "acme-media")
    return _signers[key]


@examples(100)
@given(key=keys, params=read_params, expires=st.integers(1, MAX_EXPIRES))
def test_urls_without_a_signature_equal_those_of_botocore(
    key: str, params: Any, expires: int
) -> None:
    signer = kept_signer(signature_version=botocore.UNSIGNED)
    url = assert_equal_to_botocore(signer, "get_object", key, params, expires=expires)
    assert "Signature" not in url


FAST = [
    {"signature_version": "s3v4"},
    {"signature_version": "s3v4", "region": "us-east-1"},
    {
        "signature_version": "s3v4",
        "region": "us-east-1",
        "s3": {"us_east_1_regional_endpoint": "regional"},
    },
    {
        "signature_version": "s3v4",
        "endpoint_url": "http://localhost:9000",
        "s3": {"addressing_style": "path"},
    },
    {
        "signature_version": "s3v4",
        "endpoint_url": "https://minio.example",
        "s3": {"addressing_style": "virtual"},
    },
    {"signature_version": "s3v4", "s3": {"use_dualstack_endpoint": True}},
    {"signature_version": "s3v4", "s3": {"use_accelerate_endpoint": True}},
    {"signature_version": "s3v4", "token": "token"},
    {"signature_version": "s3v4", "endpoint_url": "https://S3.Example.com:443"},
    {"signature_version": "s3v4", "endpoint_url": "http://s3.example.com:80"},
    {"signature_version": "s3v4", "endpoint_url": "http://[::1]:9000"},
    {"signature_version": "s3v4", "endpoint_url": "https://example.com/prefix/"},
    {"signature_version": botocore.UNSIGNED},
    {"region": "eu-central-1"},  # a region without SigV2: botocore's default is SigV4 there
]


@pytest.mark.parametrize("options", FAST, ids=shown)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_ordinary_urls_are_signed_here(options: Any, operation: str) -> None:
    signer = UrlSigner(kept_client(**options), "acme-media")
    assert signer.can_sign(operation, "a é.txt")
    assert_equal_to_botocore(signer, operation, "a é.txt")


@pytest.mark.parametrize("bucket", ["backup-s3", "my-s3-bucket", "x--s3", "s3alias"])
def test_a_name_that_only_looks_special_is_ordinary(bucket: str) -> None:
    signer = UrlSigner(kept_client(signature_version="s3v4"), bucket)
    assert signer.can_sign("get_object", "a")
    assert_equal_to_botocore(signer, "get_object", "a")


@pytest.mark.parametrize(
    ("options", "bucket", "params"),
    [
        ({"signature_version": "s3"}, "acme", {}),
        ({"region": "us-east-1"}, "acme", {}),
        ({"region": "us-east-1", "endpoint_url": "http://localhost:9000"}, "acme", {}),
        ({}, "arn:aws:s3:eu-central-1:123456789012:accesspoint/mine", {}),
        ({}, "acme--euc1-az1--x-s3", {}),
        ({}, "mine-abcdefgh-s3alias", {}),
        ({}, "acme", {"RequestPayer": "requester"}),
        ({}, "acme", {"ResponseExpires": datetime.datetime(2030, 1, 2)}),
        ({}, "acme", {"SSECustomerKey": "k" * 32, "SSECustomerAlgorithm": "AES256"}),
        ({}, "acme", {"VersionId": 3}),
        ({}, "acme", {"PartNumber": True}),
        ({}, "acme", {"PartNumber": "3"}),
        ({}, "acme", {"Range": " bytes=0-1"}),
        ({}, "acme", {"Range": "bytes=0-1\r\nX-Evil: 1"}),
        ({}, "acme", {"Unheard": "of"}),
    ],
    ids=str,
)
def test_unusual_urls_are_left_to_botocore(options: Any, bucket: str, params: Any) -> None:
    signer = UrlSigner(kept_client(**options), bucket)
    assert not signer.can_sign("get_object", "a.txt", params)


def test_other_operations_are_left_to_botocore() -> None:
    signer = UrlSigner(kept_client(), "acme")
    assert not signer.can_sign("list_parts", "a.txt")
    with botocore_clock_at(NOW):
        ours = signer.url("get_object_tagging", "a.txt")
        theirs = signer.client.generate_presigned_url(
            "get_object_tagging", Params={"Bucket": "acme", "Key": "a.txt"}
        )
    assert ours == theirs


def test_the_users_bucket_and_key_parameters_do_not_count() -> None:
    signer = UrlSigner(kept_client(), "acme")
    url = signer.url("get_object", "a.txt", {"Bucket": "other", "Key": "other"})
    assert urlsplit(url).hostname == "acme.s3.amazonaws.com"
    assert urlsplit(url).path == "/a.txt"


def test_wrong_parameters_raise_what_botocore_raises() -> None:
    signer = UrlSigner(kept_client(), "acme")
    for key, params in (("", {}), ("a", {"VersionId": None}), ("a", {"Unheard": "of"})):
        with pytest.raises(botocore.exceptions.ParamValidationError):
            signer.url("get_object", key, params)
    with pytest.raises(botocore.exceptions.ParamValidationError):
        UrlSigner(kept_client(), "no such bucket!").url("get_object", "a")


def test_a_client_without_credentials_raises_what_botocore_raises(monkeypatch: Any) -> None:
    session = boto3.session.Session()
    client = session.client("s3", region_name="eu-central-1")
    client._request_signer._credentials = None
    with pytest.raises(botocore.exceptions.NoCredentialsError):
        UrlSigner(client, "acme").url("get_object", "a")


@pytest.mark.parametrize(
    "event",
    [
        "provide-client-params.s3.GetObject",
        "before-parameter-build.s3.GetObject",
        "before-endpoint-resolution.s3",
        "choose-signer.s3.GetObject",
        "before-sign.s3",
        "before-sign",
    ],
)
def test_a_handler_of_the_users_own_is_seen_when_it_comes_and_when_it_goes(event: str) -> None:
    client = make_client()
    signer = UrlSigner(client, "acme")
    assert signer.can_sign("get_object", "a")

    def handler(**_kwargs: Any) -> None: ...

    client.meta.events.register(event, handler)
    assert not signer.can_sign("get_object", "a")
    client.meta.events.unregister(event, handler)
    assert signer.can_sign("get_object", "a")


def test_a_client_whose_urls_are_not_ours_makes_them_itself(monkeypatch: Any) -> None:
    client = make_client(signature_version="s3v4")
    sign = client.generate_presigned_url
    monkeypatch.setattr(client, "generate_presigned_url", lambda *a, **k: sign(*a, **k) + "&x=1")
    signer = UrlSigner(client, "acme")
    assert not signer.can_sign("get_object", "a")
    assert signer.url("get_object", "a").endswith("&x=1")


def test_a_handler_that_changes_the_url_has_its_way() -> None:
    client = make_client()
    signer = UrlSigner(client, "acme")
    signer.url("get_object", "a.txt")

    def add_owner(params: Dict[str, Any], **_kwargs: Any) -> None:
        params["ExpectedBucketOwner"] = "123456789012"

    client.meta.events.register("before-parameter-build.s3.GetObject", add_owner)
    assert "x-amz-expected-bucket-owner" in assert_equal_to_botocore(signer, "get_object", "a.txt")


def test_a_region_learned_from_a_redirect_is_followed() -> None:
    client = make_client(region="us-east-1", signature_version="s3v4")
    signer = UrlSigner(client, "acme")
    before = assert_equal_to_botocore(signer, "get_object", "a.txt")
    handlers = client.meta.events._emitter._handlers.prefix_search("before-endpoint-resolution.s3")
    redirector = next(h.__self__ for h in handlers if h.__name__ == "redirect_from_cache")
    redirector._cache["acme"] = "eu-west-3"
    after = assert_equal_to_botocore(signer, "get_object", "a.txt")
    assert after != before
    assert signer.can_sign("get_object", "a.txt")


def test_a_botocore_that_hides_its_handlers_signs_itself() -> None:
    client = make_client()
    signer = UrlSigner(client, "acme")
    signer._emitter = None
    assert not signer.can_sign("get_object", "a")
    assert_equal_to_botocore(signer, "get_object", "a")


def test_a_whole_float_or_text_counts_as_seconds() -> None:
    signer = kept_signer(signature_version="s3v4")
    assert signer.url("get_object", "a", expires="60", now=NOW) == signer.url(  # type: ignore[arg-type]
        "get_object", "a", expires=60, now=NOW
    )


@pytest.mark.parametrize(
    ("expires", "stable_for"),
    [(0, 0), (-1, 0), (MAX_EXPIRES + 1, 0), (MAX_EXPIRES, 1), (0, 60), (60, -1)],
)
@pytest.mark.parametrize("params", [{}, {"RequestPayer": "requester"}], ids=str)
def test_a_life_that_s3_would_refuse_is_refused_with_the_limit(
    expires: int, stable_for: int, params: Any
) -> None:
    signer = kept_signer(signature_version="s3v4")
    with pytest.raises(ValueError, match=r"7 days \(604800 seconds\); expire="):
        signer.url("get_object", "a", params, expires=expires, stable_for=stable_for)


def test_sigv2_urls_may_live_longer_as_botocore_lets_them() -> None:
    signer = kept_signer(signature_version="s3")
    url = assert_equal_to_botocore(signer, "get_object", "a", expires=10 * MAX_EXPIRES)
    assert parse_qs(urlsplit(url).query)["Expires"] == [str(NOW + 10 * MAX_EXPIRES)]


def fields_of(url: str) -> Dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


def ends_at(url: str) -> int:
    fields = fields_of(url)
    started = datetime.datetime.strptime(fields["X-Amz-Date"] + "+0000", "%Y%m%dT%H%M%SZ%z")
    return int(started.timestamp()) + int(fields["X-Amz-Expires"])


@examples(200)
@given(
    now=st.integers(1_600_000_000, 2_500_000_000),
    window=st.integers(1, 300_000),
    expires=st.integers(1, 300_000),
    later=st.floats(0, 1, exclude_max=True),
)
def test_a_stable_url_is_the_same_within_its_window_and_lives_long_enough(
    now: int, window: int, expires: int, later: float
) -> None:
    signer = kept_signer(signature_version="s3v4", token="t")
    start = now - now % window
    moment = start + int(later * window)
    url, again, next_window = (
        signer.url("get_object", "a b", expires=expires, stable_for=window, now=when)
        for when in (now, moment, start + window)
    )
    assert url == again != next_window
    assert moment + expires <= ends_at(url) <= moment + expires + window


@examples(50)
@given(now=st.integers(1_600_000_000, 2_500_000_000), window=st.integers(1, 300_000))
def test_a_stable_url_is_the_url_botocore_makes_at_the_start_of_the_window(
    now: int, window: int
) -> None:
    signer = kept_signer(signature_version="s3v4")
    with botocore_clock_at(now - now % window):
        theirs = signer.client.generate_presigned_url(
            "get_object", Params={"Bucket": signer.bucket, "Key": "a"}, ExpiresIn=60 + window
        )
    assert signer.url("get_object", "a", expires=60, stable_for=window, now=now) == theirs


def test_stable_and_ordinary_urls_of_one_signer_do_not_mix() -> None:
    signer = kept_signer(signature_version="s3v4")
    for _ in range(2):
        for window in [0, *range(1, 20)]:
            url = signer.url("get_object", "a", expires=60, stable_for=window, now=NOW)
            assert ends_at(url) == NOW - (NOW % window if window else 0) + 60 + window


def test_urls_that_botocore_must_make_cannot_be_stable_and_say_so_once(caplog: Any) -> None:
    signer = UrlSigner(kept_client(signature_version="s3"), "acme")
    with caplog.at_level(logging.WARNING, logger="smart_storages.backends.s3"):
        for _ in range(3):
            signer.url("get_object", "a", expires=60, stable_for=3600)
    assert [record.getMessage().count("url_stable_for") for record in caplog.records] == [1]


class Clock:
    """Time as the credentials see it."""

    def __init__(self, now: int) -> None:
        self.now = now

    def __call__(self) -> datetime.datetime:
        return datetime.datetime.fromtimestamp(self.now, datetime.timezone.utc)


def make_temporary(clock: Clock, life: int, *, later_life: int = 3600) -> RefreshableCredentials:
    def refresh() -> Dict[str, str]:
        end = clock.now + later_life
        stamp = datetime.datetime.fromtimestamp(end, datetime.timezone.utc).isoformat()
        return {
            "access_key": f"AKIA{clock.now}",
            "secret_key": SECRET,
            "token": "fresh",
            "expiry_time": stamp,
        }

    return RefreshableCredentials(
        "AKIAFIRST",
        SECRET,
        "first",
        expiry_time=datetime.datetime.fromtimestamp(clock.now + life, datetime.timezone.utc),
        refresh_using=refresh,
        method="test",
        time_fetcher=clock,
    )


ROUTE = Route("http://localhost:9000", "/acme/", "localhost:9000", "us-east-1")


@pytest.mark.parametrize("stable_for", [0, 7, 600])
def test_a_url_ends_with_the_temporary_credentials_and_says_so_once(
    stable_for: int, caplog: Any
) -> None:
    signer = QuerySigner(ROUTE, make_temporary(Clock(NOW), 2000))
    with caplog.at_level(logging.WARNING, logger="smart_storages.backends.s3"):
        urls = {
            signer.sign_query("GET", key, expires=3600, stable_for=stable_for, now=NOW)
            for key in ("a", "b", "b")
        }
    assert [ends_at(url) for url in urls] == [NOW + 2000] * 2
    assert len(caplog.records) == 1
    message = caplog.records[0].getMessage()
    assert "temporary credentials" in message
    assert SECRET not in message
    assert "first" not in message


def test_a_stable_url_that_is_cut_below_its_life_says_so(caplog: Any) -> None:
    now = NOW - NOW % 600 + 500
    signer = QuerySigner(ROUTE, make_temporary(Clock(now), 1000))
    with caplog.at_level(logging.WARNING, logger="smart_storages.backends.s3"):
        # 1,500 seconds from the start of the window, but only 1,000 from now
        url = signer.sign_query("GET", "a", expires=1200, stable_for=600, now=now)
    assert ends_at(url) == now + 1000
    assert "valid for 1000 seconds instead of 1200" in caplog.text


def test_a_short_url_is_not_touched_by_temporary_credentials(caplog: Any) -> None:
    signer = QuerySigner(ROUTE, make_temporary(Clock(NOW), 2000))
    assert ends_at(signer.sign_query("GET", "a", expires=60, now=NOW)) == NOW + 60
    stable = signer.sign_query("GET", "a", expires=60, stable_for=86400, now=NOW)
    assert ends_at(stable) == NOW + 2000
    assert not caplog.records


def test_temporary_credentials_close_to_their_end_are_refreshed_first(caplog: Any) -> None:
    clock = Clock(NOW)
    signer = QuerySigner(ROUTE, make_temporary(clock, 2000, later_life=7200))
    first = signer.sign_query("GET", "a", expires=60, stable_for=86400, now=clock.now)
    clock.now += 1900
    url = signer.sign_query("GET", "a", expires=3600, now=clock.now)
    assert fields_of(url)["X-Amz-Credential"].startswith(f"AKIA{clock.now}/")
    assert ends_at(url) == clock.now + 3600
    stable = signer.sign_query("GET", "a", expires=60, stable_for=86400, now=clock.now)
    assert fields_of(first)["X-Amz-Security-Token"] == "first"
    assert fields_of(stable)["X-Amz-Security-Token"] == "fresh"
    assert not caplog.records


def test_urls_made_by_botocore_end_with_the_temporary_credentials_too(caplog: Any) -> None:
    client = make_client(signature_version="s3v4")
    life = datetime.timedelta(seconds=2000)
    credentials = make_temporary(Clock(NOW), 2000)
    credentials._time_fetcher = lambda: datetime.datetime.now(datetime.timezone.utc)
    credentials._expiry_time = credentials._time_fetcher() + life
    client._request_signer._credentials = credentials
    signer = UrlSigner(client, "acme")
    with caplog.at_level(logging.WARNING, logger="smart_storages.backends.s3"):
        for _ in range(3):
            url = signer.url("get_object", "a", {"RequestPayer": "requester"}, expires=3600)
    assert int(fields_of(url)["X-Amz-Expires"]) in (1999, 2000)
    assert sum("temporary credentials" in r.getMessage() for r in caplog.records) == 1
    assert signer.can_sign("get_object", "a")


def test_new_keys_of_the_same_credentials_object_are_used_a_second_later() -> None:
    client = make_client(signature_version="s3v4")
    signer = UrlSigner(client, "acme")
    assert_equal_to_botocore(signer, "get_object", "a", now=NOW)
    client._request_signer._credentials.access_key = "AKIAOTHER"
    assert_equal_to_botocore(signer, "get_object", "a", now=NOW + 1)


def test_no_repr_shows_a_secret() -> None:
    token = "FwoGZXIvYXdzEtokentoken"
    signer = UrlSigner(kept_client(signature_version="s3v4", token=token), "acme")
    signer.url("get_object", "a", stable_for=60)
    bare = signer.query_signer()
    assert bare is not None
    shown = " ".join(map(repr, (signer, bare, signer._learned, bare._prepared, vars(signer))))
    assert SECRET not in shown
    assert token not in shown


def test_wire_names_are_sorted_and_headers_trimmed_as_s3_wants() -> None:
    # S3's rule: sorted by encoded name. "Z" and "a" come after X-Amz-, "A" before it.
    signer = QuerySigner(ROUTE, kept_client()._request_signer._credentials)
    headers = {"Content-Type": " text/plain;  charset=utf-8 ", "X-Amz-Meta-A": "a  b"}
    params = {"partNumber": "2", "Z": "1", "A": "é", "uploadId": "x/y", "a-b": "1", "a": "2"}
    request = botocore.awsrequest.AWSRequest(
        "PUT", "http://localhost:9000/acme/a%20b", headers=headers, params=params
    )
    auth = botocore.auth.S3SigV4QueryAuth(
        kept_client()._request_signer._credentials, "s3", "us-east-1", 60
    )
    with botocore_clock_at(NOW):
        auth.add_auth(request)
    ours = signer.sign_query("PUT", "a b", params=params, headers=headers, expires=60, now=NOW)
    assert ours == request.url


def test_the_query_signer_of_an_unusual_bucket_is_none() -> None:
    assert UrlSigner(kept_client(signature_version="s3"), "acme").query_signer() is None


def test_threads_that_share_a_signer_get_their_own_urls() -> None:
    signer = UrlSigner(kept_client(signature_version="s3v4", token="t"), "acme")

    def sign(number: int) -> str:
        window = (0, 60, 3600)[number % 3]
        moment = NOW + number % 7 * 40_000
        return signer.url("get_object", f"{number % 50}", stable_for=window, now=moment)

    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(sign, range(2000)))
    assert together == [sign(number) for number in range(2000)]


def test_making_a_signer_asks_nobody() -> None:
    client = make_client(signature_version="s3v4")
    client._request_signer._credentials = None
    assert "acme" in repr(UrlSigner(client, "acme"))
