"""The query signer by itself: the order of parameters, and what it warns of and refuses."""

from __future__ import annotations

import datetime
import logging
from typing import Any, Dict, Optional, Tuple
from urllib.parse import quote, urlsplit

import pytest
from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials, RefreshableCredentials
from botocore.exceptions import CredentialRetrievalError

from smart_storages.backends.s3.signing import sigv4
from smart_storages.backends.s3.signing.sigv4 import (
    MAX_EXPIRES,
    METHODS,
    QuerySigner,
    Route,
    check_life,
    check_method,
    read_credentials,
    remaining_life,
)
from tests.backends.s3.botocore_clock import botocore_clock_at

NOW = 1_790_000_000
ROUTE = Route("http://localhost:9000", "/acme/", "localhost:9000", "us-east-1")
CREDENTIALS = Credentials("AKIAEXAMPLE", "secret-text", "token-text")


def parts_of(url: str) -> Tuple[str, Dict[str, str]]:
    parts = urlsplit(url)
    pairs = (pair.partition("=") for pair in parts.query.split("&"))
    return parts.path, {name: value for name, _, value in pairs}


@pytest.mark.parametrize(
    "params",
    [
        {"A": "x"},
        {"x": "A"},
        {"X-Aa": "1"},
        {"X-B": "1"},
        {"X-B": "1", "A": "2"},
        {"z": "1", "A": "2", "X-Aa": "3", "X-B": "4", "versionId": "5"},
        {"b": "1", "a": "2"},
        {"a b": "c d"},
    ],
    ids=str,
)
@pytest.mark.parametrize("headers", [{}, {"X-Amz-Acl": "  private  acl ", "Content-Type": "a/b"}])
def test_parameters_are_signed_in_the_order_of_their_names(
    params: Dict[str, str], headers: Dict[str, str]
) -> None:
    query = "&".join(f"{quote(name)}={quote(value)}" for name, value in params.items())
    request = AWSRequest("PUT", f"http://localhost:9000/acme/k?{query}", headers=headers)
    with botocore_clock_at(NOW):
        S3SigV4QueryAuth(CREDENTIALS, "s3", ROUTE.region, expires=60).add_auth(request)
    signer = QuerySigner(ROUTE, CREDENTIALS)
    ours = signer.sign_query("PUT", "k", params=params, headers=headers, expires=60, now=NOW)
    assert parts_of(ours) == parts_of(request.url)


@pytest.mark.parametrize("token", [None, "a+/=~ é"], ids=["no token", "token"])
@pytest.mark.parametrize("key", ["a.txt", "dir/a b~é", "a//../b"], ids=["plain", "quoted", "dots"])
def test_a_url_is_that_of_botocore(
    monkeypatch: pytest.MonkeyPatch, token: Optional[str], key: str
) -> None:
    credentials = Credentials("AKIA/EXAMPLE", "secret-text", token)
    request = AWSRequest("GET", f"http://localhost:9000/acme/{quote(key, safe='/~')}")
    with botocore_clock_at(NOW):
        S3SigV4QueryAuth(credentials, "s3", ROUTE.region, expires=60).add_auth(request)
    monkeypatch.setattr(sigv4, "time", lambda: NOW + 0.9)
    for now in (None, NOW):
        ours = QuerySigner(ROUTE, credentials).sign_query("GET", key, expires=60, now=now)
        assert parts_of(ours) == parts_of(request.url)
        assert ours.startswith("http://localhost:9000/acme/")


def moment(seconds: int) -> datetime.datetime:
    """The time so many seconds after `NOW`."""
    return datetime.datetime.fromtimestamp(NOW + seconds, datetime.timezone.utc)


def temporary(seconds: int) -> RefreshableCredentials:
    """Credentials that expire so many seconds after `NOW`, and cannot be refreshed before."""
    return RefreshableCredentials(
        *("AKIAEXAMPLE", "secret-text", "token-text", moment(seconds), dict, "test"),
        time_fetcher=lambda: moment(0),
    )


def test_the_remaining_life_is_that_of_temporary_credentials() -> None:
    assert remaining_life(temporary(4000), NOW + 1) == 3999
    assert remaining_life(CREDENTIALS, NOW) is None


def test_credentials_that_are_renewed_too_late_are_an_error_of_botocore() -> None:
    class Late:
        def get_frozen_credentials(self) -> Any:
            raise RuntimeError("Credentials were refreshed, but are still expired.")

    with pytest.raises(CredentialRetrievalError, match=r"from refresh: .* still expired"):
        read_credentials(Late())


class Renewed:
    """Credentials of which botocore fetches new ones while they are read, so many times."""

    def __init__(self, times: int) -> None:
        self.times = times
        self.asked = 0
        self._expiry_time = moment(100)

    def get_frozen_credentials(self) -> int:
        self.asked += 1
        if self.asked <= self.times:
            self._expiry_time = moment(100 + self.asked)
        return self.asked


@pytest.mark.parametrize(("times", "asked", "end"), [(0, 1, 100), (1, 2, 101), (9, 2, 101)])
def test_credentials_and_their_end_belong_together(times: int, asked: int, end: int) -> None:
    credentials = Renewed(times)
    # Where they are renewed each time, the earlier end is taken: no URL promises too much.
    assert read_credentials(credentials) == (asked, NOW + end)
    assert credentials.asked == asked


def test_a_url_that_lives_as_long_as_asked_is_no_warning(caplog: Any) -> None:
    signer = QuerySigner(ROUTE, temporary(4000))
    with caplog.at_level(logging.WARNING, logger="smart_storages.backends.s3"):
        # The window began 400 seconds ago, and 3,600 of the 4,000 seconds are left.
        assert NOW % 1000 == 0
        signer.sign_query("GET", "a", expires=3600, stable_for=1000, now=NOW + 400)
    assert caplog.records == []


def test_a_url_that_lives_shorter_is_one_warning_that_says_where(caplog: Any) -> None:
    signer = QuerySigner(ROUTE, temporary(4000))
    with caplog.at_level(logging.WARNING, logger="smart_storages.backends.s3"):
        for _ in range(3):
            signer.sign_query("GET", "a", expires=5000, now=NOW)
    (record,) = caplog.records
    assert record.getMessage().startswith("URLs of http://localhost:9000/acme/ are valid for 4000 ")


def test_time_that_passed_in_a_window_is_not_promised(caplog: Any) -> None:
    signer = QuerySigner(ROUTE, temporary(4000))
    with caplog.at_level(logging.WARNING, logger="smart_storages.backends.s3"):
        url = signer.sign_query("GET", "a", expires=3600, stable_for=1000, now=NOW + 500)
    assert parts_of(url)[1]["X-Amz-Expires"] == "4000"
    assert "valid for 3500 seconds instead of 3600" in caplog.text


@pytest.mark.parametrize(("left", "life"), [(1, "1"), (0, "1"), (2, "2")])
def test_credentials_at_their_end_sign_for_a_second(left: int, life: str) -> None:
    url = QuerySigner(ROUTE, Lasting(left)).sign_query("GET", "a", expires=60, now=NOW)
    assert parts_of(url)[1]["X-Amz-Expires"] == life


class Lasting:
    """Credentials that end so many seconds after `NOW`, and count how often they are read."""

    def __init__(self, left: int) -> None:
        self.asked = 0
        self._expiry_time = moment(left)

    def get_frozen_credentials(self) -> Any:
        self.asked += 1
        return CREDENTIALS.get_frozen_credentials()


def test_credentials_are_read_once_a_second_for_each_window() -> None:
    credentials = Lasting(4000)
    signer = QuerySigner(ROUTE, credentials)
    for asked, stable_for, now in ((1, 0, 0), (1, 0, 0.9), (2, 600, 0), (2, 0, 0), (3, 0, 1)):
        signer.sign_query("GET", "a", stable_for=stable_for, now=NOW + now)
        assert credentials.asked == asked
    for window in range(1, 20):
        signer.sign_query("GET", "a", stable_for=window, now=NOW)
    assert credentials.asked == 3 + 19


@pytest.mark.parametrize(
    ("expires", "stable_for"), [(1, 0), (MAX_EXPIRES, 0), (1, MAX_EXPIRES - 1)]
)
def test_a_life_that_s3_takes_is_returned(expires: int, stable_for: int) -> None:
    assert check_life(expires, stable_for) == expires + stable_for


@pytest.mark.parametrize(
    ("expires", "stable_for", "told"),
    [
        (0, 0, "expire=0 does"),
        (0, 60, "expire=0 plus url_stable_for=60 does"),
        (60, -1, "expire=60 plus url_stable_for=-1 does"),
        (MAX_EXPIRES, 1, f"expire={MAX_EXPIRES} plus url_stable_for=1 does"),
        (MAX_EXPIRES + 1, 0, f"expire={MAX_EXPIRES + 1} does"),
    ],
)
def test_a_life_that_s3_refuses_is_refused_here(expires: int, stable_for: int, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        check_life(expires, stable_for)
    with pytest.raises(ValueError, match=told):
        QuerySigner(ROUTE, CREDENTIALS).sign_query(
            "GET", "a", expires=expires, stable_for=stable_for, now=NOW
        )


def test_a_url_lives_an_hour_unless_told_otherwise() -> None:
    url = QuerySigner(ROUTE, CREDENTIALS).sign_query("GET", "a", now=NOW)
    assert parts_of(url)[1]["X-Amz-Expires"] == "3600"


def test_a_method_is_one_of_five_in_any_case() -> None:
    assert [check_method(each.lower()) for each in METHODS] == list(METHODS)
    for wrong in ("PATCH", "", 3, b"GET"):
        with pytest.raises(ValueError, match="DELETE, GET, HEAD, POST, PUT, not "):
            check_method(wrong)  # type: ignore[arg-type]
