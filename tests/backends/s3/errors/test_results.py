"""An answer without a result is no success: what was not seen is not believed, nothing is lost."""

import itertools

import pytest
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from django.core.files.base import ContentFile

from smart_storages.backends.s3 import copying
from smart_storages.backends.s3.errors.results import MISSING_RESULT
from smart_storages.exceptions import S3Error, UnreachableError

IN_PARTS = TransferConfig(multipart_threshold=1000, use_threads=False)

#: What arrives in the place of an answer; the connection then ends.
ANSWERS = {
    "headers only": b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n",
    "cut within the headers": b"HTTP/1.1 200 OK\r\nDate: Wed, 25 Nov 2026 20:00:0",
    "cut within the ETag": b'HTTP/1.1 200 OK\r\nETag: "cb8d77892',
    "of no length": b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    "cut within the body": b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n<CopyObjectResult><ETa",
    "an error in its body": b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
    b"<Error><Code>InternalError</Code><Message>no</Message></Error>",
}


@pytest.fixture
def storages(make_storage, monkeypatch):
    """Makes storages that try each request twice, and send 1,000 bytes and more in parts."""

    monkeypatch.setattr("botocore.retryhandler.random.random", lambda: 0)  # no wait between them

    def make(mode="legacy", **options):
        config = Config(retries={"max_attempts": 1, "mode": mode})
        return make_storage(client_config=config, transfer_config=IN_PARTS, **options)

    return make


#: Whether files are overwritten, and whether the server never sees the request.
CASES = list(itertools.product((True, False), (True, False)))

#: The requests of an upload in parts.
STEPS = [
    {"method": "POST", "query": "uploads"},
    {"method": "PUT", "query": "partNumber"},
    {"method": "POST", "query": "uploadId"},
]


def answers_to(step):
    # What stands in a header botocore takes from there, and does not read the body.
    of_body = step["method"] == "POST"
    return [answer for name, answer in ANSWERS.items() if of_body or "body" not in name]


class TestOnce:
    """The server did what was asked, or nothing, and one answer does not say so."""

    def test_a_save_is_repeated_and_there_once(self, s3_bucket, s3_proxy, storages):
        for overwrite, unasked in CASES:
            storage = storages(file_overwrite=overwrite, location=f"{overwrite}-{unasked}")
            for number, answer in enumerate(answers_to({"method": "PUT"})):
                fault = s3_proxy.inject(method="PUT", answer=answer, unasked=unasked)
                assert storage.save(f"{number}.txt", ContentFile(b"small")) == f"{number}.txt"
                assert fault.fired == 1
        assert list(map(s3_bucket.get, s3_bucket.keys())) == [b"small"] * 16

    @pytest.mark.parametrize("step", STEPS, ids=str)
    def test_an_upload_in_parts_is_there_once(self, s3_bucket, s3_proxy, storages, step):
        answers = answers_to(step)
        for overwrite, unasked in CASES:
            storage = storages(file_overwrite=overwrite, location=f"{overwrite}-{unasked}")
            for number, answer in enumerate(answers):
                fault = s3_proxy.inject(**step, answer=answer, unasked=unasked)
                assert storage.save(f"{number}.bin", ContentFile(bytes(2000))) == f"{number}.bin"
                assert fault.fired == 1
        found = list(map(s3_bucket.get, s3_bucket.keys()))
        assert found == [bytes(2000)] * len(answers) * len(CASES)
        if s3_bucket.server.name != "moto":  # which says that every upload began in 2010
            assert s3_bucket.open_uploads() == []

    def test_a_move_ends_with_the_file_in_its_new_place(self, s3_bucket, s3_proxy, storages):
        for overwrite, unasked in CASES:
            storage = storages(file_overwrite=overwrite, location=f"{overwrite}-{unasked}")
            for number, answer in enumerate(ANSWERS.values()):
                storage.save(f"from/{number}", ContentFile(b"content"))
                # Where a copy may not overwrite, the PUT before it claims the name.
                for skip in (0,) if overwrite else (0, 1):
                    fault = s3_proxy.inject(method="PUT", skip=skip, answer=answer, unasked=unasked)
                    where = storage.move(f"from/{number}", f"to/{number}-{skip}")
                    assert where == f"to/{number}-{skip}"
                    assert fault.fired == 1 or answer not in answers_to({"method": "PUT"})
                    storage.move(where, f"from/{number}")
            names = storage.listdir("from")[1]
            assert len(names) == len(ANSWERS)
            assert [storage.open(f"from/{name}").read() for name in names] == [b"content"] * 6
        assert all("/from/" in key for key in s3_bucket.keys(""))

    @pytest.mark.parametrize("mode", ["standard", "adaptive"])
    def test_botocores_other_ways_to_retry_do_it_too(self, s3_bucket, s3_proxy, storages, mode):
        storage = storages(mode, file_overwrite=False)
        fault = s3_proxy.inject(method="PUT", answer=ANSWERS["headers only"])
        assert storage.save("a.txt", ContentFile(b"small")) == "a.txt"
        assert fault.fired == 1
        assert s3_bucket.keys() == ["a.txt"]

    def test_a_delete_of_many_is_repeated(self, s3_bucket, s3_proxy, storages):
        storage = storages()
        for name, answer in ANSWERS.items():
            s3_bucket.put("a.txt", b"x")
            fault = s3_proxy.inject(method="POST", query="delete", answer=answer, unasked=True)
            assert storage.delete_many(["a.txt"]) == {}, name
            assert fault.fired == 1
            assert s3_bucket.keys() == []


class TestAlways:
    """No answer ever has a result, and the server does nothing."""

    def test_a_save_is_an_error_and_nothing_is_there(self, s3_bucket, s3_proxy, storages):
        for overwrite, answer in itertools.product((True, False), answers_to({"method": "PUT"})):
            s3_proxy.reset()
            s3_proxy.inject(method="PUT", answer=answer, unasked=True, times=None)
            with pytest.raises(UnreachableError) as raised:
                storages(file_overwrite=overwrite).save("a.txt", ContentFile(b"small"))
            # Without the end of its headers, it is no answer at all.
            expected = MISSING_RESULT if b"\r\n\r\n" in answer else None
            assert raised.value.code == expected
            assert ("without a result" if expected else "did not answer") in str(raised.value)
        assert s3_bucket.keys() == []

    def test_an_upload_in_parts_is_an_error_and_leaves_nothing(self, s3_bucket, s3_proxy, storages):
        for overwrite, step in itertools.product((True, False), STEPS):
            for answer in answers_to(step)[::2]:
                s3_proxy.reset()
                s3_proxy.inject(**step, answer=answer, unasked=True, times=None)
                with pytest.raises(S3Error):
                    storages(file_overwrite=overwrite).save("a.bin", ContentFile(bytes(2000)))
        assert s3_bucket.keys() == []
        assert s3_bucket.open_uploads() == []

    @pytest.mark.parametrize("query", [None, "uploads", "partNumber", "uploadId"])
    def test_a_move_keeps_its_source(self, s3_bucket, s3_proxy, storages, monkeypatch, query):
        if query is not None:
            monkeypatch.setattr(copying, "MAX_COPY", 1)
        s3_bucket.put("from", b"content", ContentType="text/x-odd")
        for overwrite, answer in itertools.product((True, False), ANSWERS.values()):
            s3_proxy.reset()
            fault = s3_proxy.inject(
                method="POST" if query in ("uploads", "uploadId") else "PUT",
                query=query,
                answer=answer,
                unasked=True,
                times=None,
            )
            with pytest.raises(S3Error):
                # A parameter of its own has the object looked at first, so that its size is known.
                storages(
                    file_overwrite=overwrite, object_parameters={"CacheControl": "no-cache"}
                ).move("from", "to")
            assert fault.fired
        assert s3_bucket.keys() == ["from"]
        assert s3_bucket.open_uploads() == []

    def test_a_delete_of_many_says_so_of_every_name(self, s3_bucket, s3_proxy, storages):
        names = ["a.txt", "b.txt"]
        for name in names:
            s3_bucket.put(name, b"x")
        for answer in ANSWERS.values():
            s3_proxy.reset()
            s3_proxy.inject(method="POST", query="delete", answer=answer, unasked=True, times=None)
            assert sorted(storages().delete_many(names)) == names
        assert s3_bucket.keys() == names


def test_a_name_that_the_answer_to_a_delete_leaves_out_is_not_deleted(
    s3_bucket, s3_proxy, storages
):
    for name in ("a.txt", "b.txt"):
        s3_bucket.put(name, b"x")
    body = b"<DeleteResult><Deleted><Key>a.txt</Key></Deleted></DeleteResult>"
    s3_proxy.inject(
        method="POST", answer=b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + body, unasked=True
    )
    failed = storages().delete_many(["a.txt", "b.txt"])
    assert list(failed) == ["b.txt"]
    assert failed["b.txt"].code == MISSING_RESULT
