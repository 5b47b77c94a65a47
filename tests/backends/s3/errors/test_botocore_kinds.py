"""What botocore raised can still be caught as that, where it is told as an error of ours."""

import inspect
import pickle

import botocore.exceptions
import pytest
import urllib3.exceptions
from botocore.exceptions import BotoCoreError, ClientError

from smart_storages import exceptions
from smart_storages.backends.s3.errors.translation import translate_error
from smart_storages.storages import SmartS3Storage
from tests.leaks import TOKEN, find_in_errors

PLACES = {"module": "media", "bucket": "acme", "key": "media/a.txt"}


def client_error(status, code, **more):
    about = {"HTTPStatusCode": status, "RequestId": "R1", "HTTPHeaders": {"server": "S3"}}
    answer = {"ResponseMetadata": about, "Error": {"Code": code, "Message": "No.", **more}}
    return ClientError(answer, "GetObject")


def botocore_errors():
    for _, kind in inspect.getmembers(botocore.exceptions, inspect.isclass):
        if issubclass(kind, BotoCoreError):
            error = kind.__new__(kind)
            Exception.__init__(error, "what botocore said")
            error.kwargs = {"error": OSError("why"), "request": object()}
            yield error


def test_each_error_of_botocore_is_caught_as_itself_and_as_ours_after_a_pickle_too():
    for error in botocore_errors():
        ours = translate_error(error, **PLACES)
        twin = pickle.loads(pickle.dumps(ours))  # noqa: S301 - our own
        for each in (ours, twin):
            assert isinstance(each, type(error))
            assert isinstance(each, exceptions.SmartStorageError)
            assert str(each) == str(ours)
            assert set(each.kwargs) == {"error", "request"}
        assert type(twin) is type(ours)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (urllib3.exceptions.SSLError("bad"), botocore.exceptions.SSLError),
        (
            urllib3.exceptions.NewConnectionError(None, "refused"),
            botocore.exceptions.EndpointConnectionError,
        ),
        (
            urllib3.exceptions.ConnectTimeoutError("slow"),
            botocore.exceptions.ConnectTimeoutError,
        ),
        (
            urllib3.exceptions.ReadTimeoutError(None, "http://localhost", "slow"),
            botocore.exceptions.ReadTimeoutError,
        ),
        (urllib3.exceptions.ProtocolError("cut"), botocore.exceptions.ConnectionClosedError),
        (urllib3.exceptions.DecodeError("odd"), botocore.exceptions.HTTPClientError),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_an_error_of_urllib3_is_the_one_that_botocore_makes_of_it(error, expected):
    ours = translate_error(error, **PLACES)
    assert isinstance(ours, expected)
    assert isinstance(ours, exceptions.UnreachableError)
    assert ours.request is None
    assert isinstance(pickle.loads(pickle.dumps(ours)), expected)  # noqa: S301 - our own


def test_a_refusal_is_a_client_error_with_its_answer_and_nothing_secret():
    canonical = {"CanonicalRequest": f"x-amz-security-token:{TOKEN}", "Token-0": TOKEN}
    ours = translate_error(client_error(403, "AccessDenied", **canonical), **PLACES)
    assert isinstance(ours, ClientError)
    assert isinstance(ours, PermissionError)
    twin = pickle.loads(pickle.dumps(ours))  # noqa: S301 - our own
    for each in (ours, twin):
        assert each.operation_name == "GetObject"
        assert each.response["Error"] == {"Code": "AccessDenied", "Message": "No."}
        assert each.response["ResponseMetadata"]["HTTPStatusCode"] == 403
        assert (each.status, each.code, each.key) == (403, "AccessDenied", "media/a.txt")
    assert not find_in_errors([ours])


def test_a_class_of_the_clients_own_is_caught_and_pickled_as_a_client_error():
    no_such_key = type("NoSuchKey", (ClientError,), {})
    error = no_such_key(client_error(404, "NoSuchKey").response, "GetObject")
    ours = translate_error(error, **PLACES)
    assert isinstance(ours, no_such_key)
    twin = pickle.loads(pickle.dumps(ours))  # noqa: S301 - our own
    assert isinstance(twin, ClientError)
    assert isinstance(twin, FileNotFoundError)


def test_an_error_reads_and_prints_as_ours():
    ours = translate_error(client_error(404, "NoSuchKey"), **PLACES)
    assert type(ours).__name__ == "ObjectNotFoundError"
    assert type(ours).__module__ == "smart_storages.exceptions"
    assert repr(ours) == "ObjectNotFoundError('There is no such file.')"


def test_an_error_of_ours_is_not_translated_again():
    ours = translate_error(client_error(404, "NoSuchKey"), **PLACES)
    assert translate_error(ours, key="other") is ours


def test_code_written_for_django_storages_catches_what_it_caught(moto_bucket, settings):
    options = moto_bucket.server.django_settings()
    for name, value in {**options, "AWS_STORAGE_BUCKET_NAME": "no-such-bucket"}.items():
        setattr(settings, name, value)
    storage = SmartS3Storage("media")
    for act in (
        lambda: storage.delete("a"),
        lambda: storage.listdir(""),
        lambda: storage.open("a"),
    ):
        with pytest.raises(ClientError) as raised:
            act()
        assert raised.value.response["Error"]["Code"] in ("NoSuchBucket", "NoSuchKey", "404")
    settings.AWS_S3_ENDPOINT_URL = "http://127.0.0.1:9"
    with pytest.raises(botocore.exceptions.EndpointConnectionError):
        SmartS3Storage("media").open("a")
    with pytest.raises(botocore.exceptions.EndpointConnectionError):
        SmartS3Storage("media").delete("a")
