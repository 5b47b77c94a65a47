"""Answers from Django's cache: how many requests they save, and that they are never stale."""

import threading

import pytest
from django.core.cache import caches
from django.core.files.base import ContentFile

from smart_storages.backends.s3.writing import writer
from smart_storages.exceptions import ConfigurationError, ObjectNotFoundError
from smart_storages.storages import SmartS3Storage
from tests.conftest import methods


@pytest.fixture
def make_storage(s3_bucket, s3_settings, tmp_path):
    s3_settings.CACHES = {
        "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "one"},
        "other": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "two"},
        "broken": {"BACKEND": "tests.storages.test_metadata_cache.BrokenCache"},
        "none": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"},
        "files": {
            "BACKEND": "django.core.cache.backends.filebased.FileBasedCache",
            "LOCATION": str(tmp_path),
        },
    }
    for alias in ("default", "other"):
        caches[alias].clear()

    def make(**options):
        options.setdefault("provider", s3_bucket.server.name)
        options.setdefault("metadata_cache_seconds", 300)
        return SmartS3Storage(module_name="media", **options)

    return make


class BrokenCache:
    """A cache server that is down."""

    def __init__(self, *args):
        pass

    def __getattr__(self, name):
        if name.startswith("_") or name == "close":
            raise AttributeError(name)
        raise ConnectionError("no cache")

    def close(self, **kwargs):
        pass


def ask(storage, name):
    there = storage.exists(name)
    if not there:
        for call in (storage.size, storage.get_modified_time, storage.stat):
            with pytest.raises(FileNotFoundError, match=name):
                call(name)
        return None
    stat = storage.stat(name)
    assert storage.get_modified_time(name).timestamp() == stat.modified_time.timestamp()
    assert storage.size(name) == stat.size
    return stat.size


def test_a_file_is_asked_for_once(s3_bucket, s3_proxy, make_storage, count_requests):
    s3_bucket.put("a.txt", b"hello")
    with count_requests() as requests:
        for _ in range(3):
            assert ask(make_storage(), "a.txt") == 5
    assert methods(requests) == ["HEAD"]


def test_a_missing_file_is_asked_for_once(s3_proxy, make_storage, count_requests):
    storage = make_storage()
    with count_requests() as requests:
        for _ in range(3):
            assert ask(storage, "a.txt") is None
    assert methods(requests) == ["HEAD"]


def test_it_is_off_unless_asked_for(s3_bucket, s3_proxy, make_storage, count_requests):
    s3_bucket.put("a.txt", b"hello")
    storage = make_storage(metadata_cache_seconds=0)
    with count_requests() as requests:
        for _ in range(3):
            storage.exists("a.txt")
    assert methods(requests) == ["HEAD"] * 3
    assert not caches["default"]._cache


def test_what_is_written_is_known_without_a_request(s3_proxy, make_storage, count_requests):
    storage = make_storage()
    assert not storage.exists("a.txt")
    storage.save("a.txt", ContentFile(b"hello"))
    with count_requests() as requests:
        assert storage.exists("a.txt")
        assert storage.size("a.txt") == 5
    assert methods(requests) == []
    with count_requests() as requests:
        assert ask(storage, "a.txt") == 5
    assert methods(requests) == ["HEAD"]  # for the time, which the answer to a PUT does not hold
    storage.delete("a.txt")
    with count_requests() as requests:
        assert ask(storage, "a.txt") is None
    assert methods(requests) == []


def write(storage, content):
    with storage.open("a.txt", "wb") as file:
        file.write(content)


def edit(storage):
    with storage.local_copy("a.txt", write_back=True) as path:
        path.write_bytes(b"longer")


CHANGES = {
    "save": lambda storage: storage.save("a.txt", ContentFile(b"longer")),
    "open": lambda storage: write(storage, b"longer"),
    "copy": lambda storage: storage.copy("six.txt", "a.txt"),
    "move": lambda storage: storage.move("six.txt", "a.txt"),
    "save_many": lambda storage: storage.save_many([("a.txt", ContentFile(b"longer"))]),
    "local_copy": edit,
}
REMOVALS = {
    "delete": lambda storage: storage.delete("a.txt"),
    "delete_many": lambda storage: storage.delete_many(["a.txt"]),
    "move away": lambda storage: storage.move("a.txt", "b.txt"),
}


@pytest.mark.parametrize("change", list(CHANGES))
@pytest.mark.parametrize("warm", [True, False])
def test_a_change_through_the_package_is_seen_at_once(s3_bucket, make_storage, change, warm):
    s3_bucket.put("six.txt", b"longer")
    s3_bucket.put("a.txt", b"first")
    storage, other = make_storage(), make_storage()
    if warm:
        assert ask(other, "a.txt") == 5
    CHANGES[change](storage)
    assert ask(other, "a.txt") == 6
    assert ask(storage, "six.txt") == (None if change == "move" else 6)


@pytest.mark.parametrize("removal", list(REMOVALS))
def test_a_removal_through_the_package_is_seen_at_once(s3_bucket, make_storage, removal):
    s3_bucket.put("a.txt", b"first")
    storage, other = make_storage(), make_storage()
    assert ask(other, "a.txt") == 5
    REMOVALS[removal](storage)
    assert ask(other, "a.txt") is None


def test_a_creation_is_seen_by_who_knew_it_to_be_missing(make_storage):
    storage, other = make_storage(file_overwrite=False), make_storage()
    assert ask(other, "a.txt") is None
    storage.save("a.txt", ContentFile(b"hello"))
    assert ask(other, "a.txt") == 5


def test_an_answer_that_was_on_its_way_during_a_save_is_not_believed(
    s3_bucket, s3_proxy, make_storage
):
    # The HEAD answers "missing", and its answer arrives after the save.
    storage, other = make_storage(), make_storage(endpoint_url=s3_proxy.endpoint_url)
    answered, go_on = threading.Event(), threading.Event()
    cache = caches["default"]
    results = []

    def slow_question():
        original = type(cache).set

        def late_set(self, key, value, *args, **kwargs):
            if ":answer:" in key and value[1] == "missing":
                answered.set()
                go_on.wait(30)
            return original(self, key, value, *args, **kwargs)

        type(cache).set = late_set
        try:
            results.append(other.exists("a.txt"))
        finally:
            type(cache).set = original

    asking = threading.Thread(target=slow_question)
    asking.start()
    assert answered.wait(30)
    storage.save("a.txt", ContentFile(b"hello"))
    go_on.set()
    asking.join()
    assert results == [False]  # true when it was asked
    assert ask(other, "a.txt") == 5


def test_two_writers_at_once_leave_no_guess_behind(s3_bucket, make_storage, monkeypatch):
    # One writer's object is replaced before it comes to say what it wrote.
    storage, other = make_storage(), make_storage()
    original = writer.put

    def put_and_be_overtaken(target, key, *args, **kwargs):
        written = original(target, key, *args, **kwargs)
        monkeypatch.setattr(writer, "put", original)
        other.save("a.txt", ContentFile(b"longer"))
        return written

    monkeypatch.setattr(writer, "put", put_and_be_overtaken)
    storage.save("a.txt", ContentFile(b"first"))
    assert s3_bucket.get("a.txt") == b"longer"
    assert ask(storage, "a.txt") == 6


def test_a_save_whose_answer_was_lost_is_not_forgotten(s3_bucket, s3_proxy, make_storage):
    from botocore.config import Config

    storage = make_storage(client_config=Config(retries={"max_attempts": 0}))
    assert ask(storage, "a.txt") is None
    s3_proxy.inject(method="PUT", lose_answer=True)
    with pytest.raises(ConnectionError):
        storage.save("a.txt", ContentFile(b"hello"))
    assert ask(storage, "a.txt") == 5


@pytest.mark.parametrize("lost", ["stamp", "answer"])
def test_a_cache_that_forgets_costs_a_request_and_no_more(
    s3_bucket, s3_proxy, make_storage, count_requests, lost
):
    s3_bucket.put("a.txt", b"first")
    storage = make_storage()
    assert ask(storage, "a.txt") == 5
    cache = caches["default"]
    for key in list(cache._cache):
        if f":{lost}:" in key:
            cache.delete(key.split(":", 2)[2])
    s3_bucket.put("a.txt", b"longer")
    with count_requests() as requests:
        assert ask(storage, "a.txt") == 6
    assert methods(requests) == ["HEAD"]


def test_a_cache_that_is_down_fails_no_file(s3_bucket, s3_settings, make_storage, caplog):
    s3_settings.SMART_STORAGE_METADATA_CACHE = "broken"
    storage = make_storage()
    storage.save("a.txt", ContentFile(b"hello"))
    assert ask(storage, "a.txt") == 5
    storage.delete("a.txt")
    assert ask(storage, "a.txt") is None
    assert "does not work" in caplog.text


@pytest.mark.parametrize("alias", ["other", "none", "files"])
def test_another_cache_may_be_named(s3_bucket, s3_settings, make_storage, alias):
    s3_settings.SMART_STORAGE_METADATA_CACHE = alias
    storage = make_storage()
    assert ask(storage, "a.txt") is None
    storage.save("a.txt", ContentFile(b"hello"))
    assert ask(storage, "a.txt") == 5
    storage.save("a.txt", ContentFile(b"longer"))
    assert ask(storage, "a.txt") == 6
    storage.delete("a.txt")
    assert ask(storage, "a.txt") is None
    assert not caches["default"]._cache


def test_a_cache_that_is_not_there_is_an_error_that_names_it(s3_settings, make_storage):
    s3_settings.SMART_STORAGE_METADATA_CACHE = "fast"
    with pytest.raises(ConfigurationError, match="fast"):
        make_storage().exists("a.txt")


def test_answers_are_kept_apart_by_bucket_and_key(s3_bucket, make_storage):
    s3_bucket.put("a.txt", b"hello")
    second = s3_bucket.server.create_bucket()
    assert ask(make_storage(), "a.txt") == 5
    assert ask(make_storage(bucket_name=second), "a.txt") is None
    assert ask(make_storage(location="b"), "a.txt") is None
    s3_bucket.put("b/a.txt", b"longer")
    assert make_storage().exists("b/a.txt") is False  # of a writer nobody told us about


def test_the_cache_holds_no_secret_and_no_name(s3_bucket, make_storage):
    s3_bucket.put("private-name.txt", b"hello")
    make_storage().exists("private-name.txt")
    held = repr({**caches["default"]._cache}) + repr(list(caches["default"]._cache))
    for word in (s3_bucket.secret_key, s3_bucket.access_key, "private-name"):
        assert word not in held


def test_the_option_is_a_number(make_storage):
    with pytest.raises(ConfigurationError, match="metadata_cache_seconds"):
        make_storage(metadata_cache_seconds="300")


def test_a_missing_file_from_the_cache_says_where(s3_bucket, make_storage):
    storage = make_storage(location="docs")
    assert not storage.exists("a.txt")
    with pytest.raises(ObjectNotFoundError, match=r"docs/a\.txt") as caught:
        storage.size("a.txt")
    assert caught.value.bucket == s3_bucket.name
