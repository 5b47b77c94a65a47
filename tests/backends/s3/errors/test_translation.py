import inspect

import botocore.exceptions
import pytest
import urllib3.exceptions
from botocore.exceptions import ClientError

from smart_storages import exceptions
from smart_storages.backends.s3.errors.translation import translate_answer, translate_error
from smart_storages.backends.s3.target import Target

PLACES = {"module": "media", "bucket": "acme", "key": "media/a.txt"}


def answer(status, code):
    response = {"ResponseMetadata": {"HTTPStatusCode": status}, "Error": {"Code": code}}
    return ClientError(response, "GetObject")


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (404, "NoSuchKey", FileNotFoundError),
        (404, "404", FileNotFoundError),
        (403, "AccessDenied", PermissionError),
        (403, "403", PermissionError),
        (403, "SignatureDoesNotMatch", PermissionError),
        (400, "AccessControlListNotSupported", exceptions.AclNotSupportedError),
        (404, "NoSuchBucket", exceptions.BucketNotFoundError),
        (412, "PreconditionFailed", exceptions.PreconditionFailedError),
        (412, "412", exceptions.PreconditionFailedError),
        (409, "ConditionalRequestConflict", exceptions.PreconditionFailedError),
        (503, "SlowDown", exceptions.ThrottledError),
        (429, None, exceptions.ThrottledError),
        (400, "BadDigest", exceptions.ContentMismatchError),
        (500, "InternalError", exceptions.UnreachableError),
        (501, "NotImplemented", exceptions.S3Error),
        (418, "Teapot", exceptions.S3Error),
    ],
)
def test_every_answer_of_s3_is_one_of_our_errors_and_names_the_place(status, code, expected):
    error = translate_error(answer(status, code), **PLACES)
    assert isinstance(error, expected)
    assert isinstance(error, exceptions.S3Error)
    for value in PLACES.values():
        assert repr(value) in str(error)
    assert error.status == status


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (500, "500", "S3 answered with the status 500. The server failed"),
        (502, "BadGateway", "S3 answered with the status 502 and the code BadGateway. The server"),
        (418, None, "S3 answered with the status 418."),
    ],
)
def test_an_answer_of_no_known_kind_is_told_once_and_in_words(status, code, expected):
    assert str(translate_answer(status, code)).startswith(expected)


def test_a_missing_bucket_is_not_a_missing_file():
    assert not isinstance(translate_answer(404, "NoSuchBucket"), FileNotFoundError)


def test_a_403_to_a_head_says_what_right_may_be_missing():
    assert "s3:ListBucket" in str(translate_answer(403, "403", head=True))
    assert "s3:ListBucket" not in str(translate_answer(403, "AccessDenied"))


def _botocore_errors():
    for _, kind in inspect.getmembers(botocore.exceptions, inspect.isclass):
        if issubclass(kind, botocore.exceptions.BotoCoreError):
            yield kind


@pytest.mark.parametrize("kind", list(_botocore_errors()), ids=lambda kind: kind.__name__)
def test_every_error_of_botocore_is_translated(kind):
    error = kind.__new__(kind)
    Exception.__init__(error, "what botocore said")
    ours = translate_error(error, **PLACES)
    assert isinstance(ours, exceptions.SmartStorageError)
    assert "media" in str(ours)


@pytest.mark.parametrize(
    "error",
    [
        botocore.exceptions.EndpointConnectionError(endpoint_url="http://localhost:1"),
        botocore.exceptions.ReadTimeoutError(endpoint_url="http://localhost:1"),
        botocore.exceptions.ConnectTimeoutError(endpoint_url="http://localhost:1"),
        urllib3.exceptions.ProtocolError("cut"),
        urllib3.exceptions.ReadTimeoutError(None, "http://localhost:1", "slow"),
    ],
)
def test_no_answer_means_unreachable(error):
    ours = translate_error(error, **PLACES)
    assert isinstance(ours, exceptions.UnreachableError)
    assert isinstance(ours, ConnectionError)


def test_an_error_that_is_not_of_s3_is_left_as_it_is():
    error = KeyError("other")
    assert translate_error(error, **PLACES) is error
    with pytest.raises(KeyError):
        Target("acme", lambda: None).fail(error)


def test_the_original_is_kept_as_the_cause():
    original = answer(404, "NoSuchKey")
    with pytest.raises(FileNotFoundError) as raised:
        Target("acme", lambda: None, module="media").fail(original, "a.txt")
    assert raised.value.__cause__ is original
    assert "'acme'" in str(raised.value)
