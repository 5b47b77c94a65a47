"""FallbackStorage: the documented result of every mix of answers, and who may be written to."""

from __future__ import annotations

import errno
import io
import logging
import threading

import pytest
from asgiref.sync import async_to_sync
from django.core.exceptions import SuspiciousFileOperation
from django.core.files.base import ContentFile, File
from django.core.files.storage import FileSystemStorage
from django.core.files.uploadedfile import TemporaryUploadedFile
from hypothesis import given
from hypothesis import strategies as st

from smart_storages.exceptions import (
    BackendsFailedError,
    BackendsUnreachableError,
    ConfigurationError,
    NoBackendMethodError,
    NotFoundInBackendsError,
)
from smart_storages.fallback import FallbackStorage
from smart_storages.signals import backend_answered
from smart_storages.wrappers import ReadOnlyStorage
from tests.conftest import examples
from tests.routing_models import Broken, RecordingStorage, put

# The first success


def test_the_first_that_has_the_file_answers(two):
    first, second = two
    put(second, "a.txt", b"second")
    storage = FallbackStorage([first, second])
    assert storage.open("a.txt").read() == b"second"
    assert storage.size("a.txt") == 6
    assert storage.path("a.txt") == second.path("a.txt")
    assert storage.url("a.txt") == "/second/a.txt"
    assert storage.get_modified_time("a.txt") == second.get_modified_time("a.txt")
    put(first, "a.txt", b"first")
    assert storage.open("a.txt").read() == b"first"
    assert storage.path("a.txt") == first.path("a.txt")
    assert storage.url("a.txt") == "/first/a.txt"


def test_each_backend_is_asked_once_a_call(two):
    for first in (Broken(), Broken(FileNotFoundError())):
        put_once = RecordingStorage()
        storage = FallbackStorage([first, put_once])
        assert storage.open("a.txt").read() == b"recorded"
        assert len(first.calls) == len(put_once.calls) == 1
    absent = RecordingStorage()
    absent.exists = lambda name: absent.calls.append(name) or False
    assert FallbackStorage([absent, two[0]]).exists("a.txt") is False
    assert absent.calls == ["a.txt"]


def test_a_url_of_no_file_is_the_last_ones(two):
    assert FallbackStorage(two).url("a.txt") == "/second/a.txt"


def test_exists_is_an_error_when_one_could_not_answer(two):
    first, _ = two
    storage = FallbackStorage([first, Broken()])
    put(first, "a.txt")
    assert storage.exists("a.txt") is True
    with pytest.raises(BackendsUnreachableError) as caught:
        storage.exists("b.txt")
    assert isinstance(caught.value, ConnectionError)
    assert "down" in str(caught.value)


@pytest.mark.parametrize("no", [None, 0, ""])
def test_an_exists_that_answers_anything_but_yes_means_no(two, disk, no):
    class Silent(FileSystemStorage):
        def exists(self, name):
            return super().exists(name) or no

    put(two[0], "a.txt", b"further down")
    silent = Silent(disk("silent").location)
    storage = FallbackStorage([silent, two[0]], copy_on_read=True)
    assert storage.exists("a.txt") is True
    assert storage.exists("b.txt") is False
    assert async_to_sync(storage.aexists)("a.txt") is True
    assert storage.get_available_name("a.txt") != "a.txt"
    assert storage.get_available_name("b.txt") == "b.txt"
    storage.open("a.txt").close()
    assert silent.exists("a.txt") is True
    storage.delete("a.txt")
    assert storage.exists("a.txt") is False


def test_an_outage_does_not_read_as_a_missing_file(two):
    with pytest.raises(ConnectionError) as caught:
        FallbackStorage([two[0], Broken()]).open("a.txt")
    assert not isinstance(caught.value, FileNotFoundError)


def test_a_file_that_none_has_is_a_file_not_found(two):
    with pytest.raises(NotFoundInBackendsError) as caught:
        FallbackStorage({"near": two[0], "far": two[1]}).open("a.txt")
    assert isinstance(caught.value, FileNotFoundError)
    assert [label for label, _ in caught.value.errors] == ["near", "far"]
    assert all(isinstance(error, FileNotFoundError) for _, error in caught.value.errors)
    assert caught.value.__cause__ is caught.value.errors[-1][1]


def test_listdir_is_the_union_sorted_without_doubles(two):
    first, second = two
    for storage, names in ((first, "d/b.txt d/a.txt d/x/1"), (second, "d/b.txt d/c.txt d/y/1")):
        for name in names.split():
            put(storage, name)
    assert FallbackStorage(two).listdir("d") == (["x", "y"], ["a.txt", "b.txt", "c.txt"])
    assert FallbackStorage([first, second]).listdir("d/x") == ([], ["1"])
    with pytest.raises(FileNotFoundError):
        FallbackStorage(two).listdir("z")


def test_a_list_that_lacks_a_backend_is_an_error(two):
    put(two[0], "d/a.txt")
    with pytest.raises(ConnectionError):
        FallbackStorage([two[0], Broken()]).listdir("d")


def test_an_available_name_is_free_in_all(two):
    put(two[0], "a.txt")
    put(two[1], "b.txt")
    storage = FallbackStorage(two)
    for name in ("a.txt", "b.txt"):
        free = storage.get_available_name(name)
        assert free != name
        assert not two[0].exists(free)
        assert not two[1].exists(free)
    assert storage.get_available_name("c.txt") == "c.txt"
    assert len(storage.get_available_name("b.txt", max_length=13)) <= 13


def test_a_delete_takes_the_first_that_has_it(two):
    first, second = two
    put(first, "a.txt")
    put(second, "a.txt")
    storage = FallbackStorage(two)
    storage.delete("a.txt")
    assert not first.exists("a.txt")
    assert second.exists("a.txt")
    storage.delete("a.txt")
    assert not second.exists("a.txt")
    storage.delete("a.txt")


class WithoutPath(RecordingStorage):
    path = None

    def __getattribute__(self, name):
        if name in ("path", "accessed_time"):
            raise AttributeError(name)
        return super().__getattribute__(name)


def test_a_backend_without_the_method_is_skipped(two):
    put(two[1], "a.txt")
    assert FallbackStorage([WithoutPath(), two[1]]).path("a.txt") == two[1].path("a.txt")


def test_a_method_that_none_has_is_an_attribute_error():
    for method in ("path", "accessed_time"):
        with pytest.raises(NoBackendMethodError) as caught:
            getattr(FallbackStorage([WithoutPath(), WithoutPath()]), method)("a.txt")
        assert isinstance(caught.value, AttributeError)
        assert isinstance(caught.value, NotImplementedError)  # which FieldFile.path expects


def test_a_composed_backend_whose_storage_lacks_the_method_is_skipped(two):
    storage = FallbackStorage([ReadOnlyStorage(two[0]), RecordingStorage("has it")])
    assert storage.accessed_time("a.txt") == "has it"
    with pytest.raises(NoBackendMethodError):
        FallbackStorage([ReadOnlyStorage(two[0])]).accessed_time("a.txt")


def test_if_all_fail_the_error_carries_each(two):
    storage = FallbackStorage({"a": Broken(), "b": Broken(TimeoutError("slow"))})
    for method, args in (("open", ("a",)), ("size", ("a",)), ("save", ("a", ContentFile(b"")))):
        with pytest.raises(BackendsFailedError) as caught:
            getattr(storage, method)(*args)
        assert [label for label, _ in caught.value.errors] == ["a", "b"]


# Saving


class Greedy(RecordingStorage):
    """Reads what it is given, closes it, and fails."""

    def __init__(self, error):
        super().__init__()
        self.error = error

    def exists(self, name):
        return False

    def save(self, name, content, max_length=None):
        self.calls.append(("save", name, content.read()))
        content.close()
        raise self.error


def test_the_content_is_rewound_for_each_attempt(two):
    greedy = [Greedy(ConnectionError()), Greedy(TimeoutError())]
    storage = FallbackStorage([*greedy, two[0]])
    content = ContentFile(b"hello")
    assert storage.save("a.txt", content) == "a.txt"
    assert [each.calls[0][2] for each in greedy] == [b"hello", b"hello"]
    assert two[0].open("a.txt").read() == b"hello"
    assert not content.closed


class Stream:
    """Can be read once."""

    def __init__(self, data):
        self.data = data

    def read(self, size=-1):
        data, self.data = self.data, b""
        return data

    def seekable(self):
        return False

    def seek(self, *args):
        raise io.UnsupportedOperation("seek")

    tell = seek


def test_a_stream_is_kept_for_the_next_attempt(two):
    storage = FallbackStorage([Greedy(ConnectionError()), two[0]])
    storage.save("a.txt", File(Stream(b"hello"), "a.txt"))
    assert two[0].open("a.txt").read() == b"hello"


def test_a_temporary_upload_is_not_moved_away_from_the_next(two, disk):
    class FullAfterMoving(FileSystemStorage):
        def _save(self, name, content):
            super()._save(name, content)
            raise OSError(errno.ENOSPC, "full")

    full = FullAfterMoving(disk("full").location)
    upload = TemporaryUploadedFile("big.bin", "application/octet-stream", 5, None)
    upload.write(b"hello")
    upload.seek(0)
    storage = FallbackStorage([full, two[0]])
    assert storage.save("a.bin", upload) == "a.bin"
    assert two[0].open("a.bin").read() == b"hello"
    # The piece on the full disk would answer every read with too few bytes.
    assert not full.exists("a.bin")
    upload.close()


def test_a_denied_save_does_not_fall_through(two):
    storage = FallbackStorage([Greedy(PermissionError("no")), two[0]])
    with pytest.raises(PermissionError):
        storage.save("a.txt", ContentFile(b"x"))
    assert not two[0].exists("a.txt")


def test_a_save_beside_an_unreachable_backend_takes_a_name_of_its_own(two):
    storage = FallbackStorage([Broken(), two[0]])
    name = storage.save("a.txt", ContentFile(b"x"))
    assert name != "a.txt"  # it may be taken where nobody can look
    assert storage.open(name).read() == b"x"


# Which errors fall through


def test_fall_through_chooses_the_errors(two):
    put(two[0], "a.txt", b"reached")

    def first(error, **options):
        return FallbackStorage([Broken(error), two[0]], **options).open("a.txt").read()

    assert first(FileNotFoundError()) == b"reached"
    assert first(ConnectionError()) == b"reached"
    for error in (PermissionError("no"), ValueError("bug")):
        with pytest.raises(type(error)):
            first(error)
    assert first(PermissionError(), fall_through=["denied"]) == b"reached"
    assert first(ValueError(), fall_through=[ValueError]) == b"reached"
    assert first(KeyError(), fall_through="builtins.LookupError") == b"reached"
    assert first(ValueError(), fall_through=["other"]) == b"reached"
    with pytest.raises(FileNotFoundError):
        first(FileNotFoundError(), fall_through=["unreachable"])
    with pytest.raises(ConfigurationError, match="fall_through"):
        first(FileNotFoundError(), fall_through=["missing"])


def test_a_hostile_name_reaches_no_backend():
    inner = RecordingStorage()
    with pytest.raises(SuspiciousFileOperation):
        FallbackStorage([inner]).open("../a.txt")
    assert inner.calls == []


# The development case: production is read-only behind a local disk

CHANGES = ("save", "delete", "asave", "adelete")


def test_no_change_reaches_a_backend_outside_of_write_to(two):
    local = two[0]
    production = RecordingStorage("production")
    production.exists = lambda name: name.startswith("old")
    storage = FallbackStorage(
        {"local": local, "production": production}, write_to=["local"], copy_on_read=True
    )

    def use():
        name = storage.save("new.txt", ContentFile(b"x"))
        storage.open("old.txt").read()
        with storage.open("written.txt", "wb") as file:
            file.write(b"x")
        for each in (name, "old.txt", "written.txt"):
            storage.delete(each)
        storage.generate_filename("x.txt")
        storage.get_available_name("x.txt")

    async def ause():
        name = await storage.asave("new.txt", ContentFile(b"x"))
        await storage.aopen("old.txt")
        await storage.adelete(name)
        await storage.adelete("old.txt")

    use()
    async_to_sync(ause)()
    assert production.calls
    for call in production.calls:
        assert call[0] not in CHANGES
        assert call[0] != "open" or call[2] == "rb"
    assert storage.open("old.txt").read() == b"recorded"


def test_delete_from_can_be_wider_or_narrower_than_write_to(two):
    first, second = two
    put(second, "a.txt")
    FallbackStorage(two, write_to=[0], delete_from=[0, 1]).delete("a.txt")
    assert not second.exists("a.txt")
    put(first, "b.txt")
    FallbackStorage(two, delete_from=[]).delete("b.txt")
    assert first.exists("b.txt")


def test_a_backend_that_is_not_there_cannot_be_written_to(two):
    for chosen in (["nowhere"], [2], ["FileSystemStorage"]):
        with pytest.raises(ConfigurationError, match="write_to"):
            FallbackStorage(two, write_to=chosen).exists("a.txt")


def test_the_setting_names_the_backends(settings, tmp_path):
    backend = "django.core.files.storage.FileSystemStorage"
    settings.FALLBACK_STORAGES = (
        {"BACKEND": backend, "OPTIONS": {"location": str(tmp_path / "one")}},
        {"BACKEND": backend, "OPTIONS": {"location": str(tmp_path / "two")}},
    )
    storage = FallbackStorage()
    name = storage.save("a.txt", ContentFile(b"x"))
    assert (tmp_path / "one" / name).exists()
    settings.FALLBACK_STORAGES = settings.FALLBACK_STORAGES[1:]
    assert not storage.exists(name)
    settings.FALLBACK_STORAGES = ()
    with pytest.raises(ConfigurationError, match="FALLBACK_STORAGES"):
        storage.exists(name)


# Timeout


class Hanging(RecordingStorage):
    """Does not answer before it is let go."""

    def __init__(self):
        super().__init__()
        self.let_go = threading.Event()

    def open(self, name, mode="rb"):
        self.calls.append(("open", name))
        self.let_go.wait(30)
        raise ConnectionError("too late")

    def exists(self, name):
        return False

    def save(self, name, content, max_length=None):
        first = content.read(1)
        self.let_go.wait(30)
        try:
            self.calls.append(first + content.read())
        except ValueError as error:
            self.calls.append(error)
            raise


def test_a_hanging_backend_costs_one_timeout(two):
    put(two[0], "a.txt", b"reached")
    hanging = Hanging()
    storage = FallbackStorage([hanging, two[0]], timeout=0.05)
    for _ in range(20):
        with storage.open("a.txt") as file:
            assert file.read() == b"reached"
    assert len(hanging.calls) == 1

    async def use():
        other = FallbackStorage([hanging, two[0]], timeout=0.05)
        for _ in range(5):
            file = await other.aopen("a.txt")
            file.close()

    async_to_sync(use)()
    hanging.let_go.set()
    assert len(hanging.calls) == 2


def test_a_save_that_took_too_long_reads_no_more_of_the_content(two):
    hanging = Hanging()
    storage = FallbackStorage([hanging, two[0]], timeout=0.2)
    name = storage.save("a.txt", ContentFile(b"hello"))
    assert two[0].open(name).read() == b"hello"
    hanging.let_go.set()
    for thread in threading.enumerate():
        if thread.name == "smart-storages-call":
            thread.join(10)
    assert isinstance(hanging.calls[0], ValueError)


# Telling


def test_a_signal_and_a_log_line_say_who_answered(two, caplog):
    put(two[1], "a.txt")
    heard = []

    def hear(sender, **told):
        heard.append((told["method"], told["name"], told["backend"], len(told["failures"])))

    backend_answered.connect(hear)
    try:
        with caplog.at_level(logging.INFO, "smart_storages.fallback"):
            FallbackStorage({"near": two[0], "far": two[1]}).open("a.txt").close()
        FallbackStorage({"near": two[0], "far": two[1]}, signals=False).open("a.txt").close()
    finally:
        backend_answered.disconnect(hear)
    assert heard == [("open", "a.txt", "far", 1)]
    assert "open('a.txt') answered by far" in caplog.text


# Any mix of answers gives the documented result

ANSWERS = {
    "has it": None,
    "not found": FileNotFoundError,
    "unreachable": ConnectionError,
    "denied": PermissionError,
    "bug": ZeroDivisionError,
    "no method": NotImplementedError,
}


class Answering(RecordingStorage):
    """Gives one kind of answer to everything."""

    def __init__(self, number, answer):
        super().__init__(str(number))
        self.answer = answer

    def _reply(self, value):
        if ANSWERS[self.answer] is not None:
            raise ANSWERS[self.answer](self.label)
        return value

    def open(self, name, mode="rb"):
        return self._reply(ContentFile(self.label.encode()))

    def size(self, name):
        return self._reply(int(self.label))

    def exists(self, name):
        return False if self.answer == "not found" else self._reply(True)

    def delete(self, name):
        super().delete(name)
        return self._reply(None)

    def listdir(self, path):
        return self._reply(([], [self.label]))

    def save(self, name, content, max_length=None):
        assert content.read() == b"content"
        return self._reply(f"saved by {self.label}")


mixes = st.lists(st.sampled_from(sorted(ANSWERS)), min_size=1, max_size=5)


def documented(mix, ends=("has it", "denied", "bug")):
    """Position of the backend that ends the search, ``None`` if all fall through."""
    return next((i for i, answer in enumerate(mix) if answer in ends), None)


def expected_failure(mix):
    kinds = set(mix)
    if kinds == {"no method"}:
        return NoBackendMethodError
    return BackendsUnreachableError if "unreachable" in kinds else NotFoundInBackendsError


@given(mixes)
@examples(300)
def test_any_mix_of_answers_gives_the_documented_result(mix):
    def storage():
        return FallbackStorage([Answering(i, answer) for i, answer in enumerate(mix)])

    end = documented(mix)
    for ask, wanted in (
        (lambda: storage().open("a").read(), lambda i: str(i).encode()),
        (lambda: storage().size("a"), lambda i: i),
    ):
        if end is None:
            with pytest.raises(expected_failure(mix)) as caught:
                ask()
            assert len(caught.value.errors) == len(mix)
        elif mix[end] == "has it":
            assert ask() == wanted(end)
        else:
            with pytest.raises(ANSWERS[mix[end]]) as raised:
                ask()
            assert str(raised.value) == str(end)


@given(mixes)
@examples(300)
def test_any_mix_gives_the_documented_exists_and_delete(mix):
    backends = [Answering(i, answer) for i, answer in enumerate(mix)]
    end = documented(mix)
    unsure = "unreachable" in mix
    if end is not None and mix[end] == "has it":
        assert FallbackStorage(backends).exists("a") is True
        FallbackStorage(backends).delete("a")
        assert [i for i, each in enumerate(backends) if each.calls] == [end]
    elif end is not None:
        for method in ("exists", "delete"):
            with pytest.raises(ANSWERS[mix[end]]):
                getattr(FallbackStorage(backends), method)("a")
    elif unsure or set(mix) == {"no method"}:
        for method in ("exists", "delete"):
            with pytest.raises(BackendsUnreachableError if unsure else NoBackendMethodError):
                getattr(FallbackStorage(backends), method)("a")
    else:
        assert FallbackStorage(backends).exists("a") is False
        FallbackStorage(backends).delete("a")
        assert not any(each.calls for each in backends)


@given(mixes)
@examples(300)
def test_any_mix_gives_the_documented_list(mix):
    storage = FallbackStorage([Answering(i, answer) for i, answer in enumerate(mix)])
    bad = documented(mix, ends=("denied", "bug"))
    if bad is not None:
        with pytest.raises(ANSWERS[mix[bad]]):
            storage.listdir("")
    elif "unreachable" in mix or "has it" not in mix:
        with pytest.raises(expected_failure([each for each in mix if each != "has it"])):
            storage.listdir("")
    else:
        wanted = sorted(str(i) for i, answer in enumerate(mix) if answer == "has it")
        assert storage.listdir("") == ([], wanted)


@given(mixes)
@examples(300)
def test_any_mix_gives_the_documented_save(mix):
    class Free(Answering):
        def exists(self, name):
            return False

    storage = FallbackStorage([Free(i, answer) for i, answer in enumerate(mix)])
    end = documented(mix)
    if end is None:
        with pytest.raises(expected_failure(mix)):
            storage.save("a", ContentFile(b"content"))
    elif mix[end] == "has it":
        assert storage.save("a", ContentFile(b"content")) == f"saved by {end}"
    else:
        with pytest.raises(ANSWERS[mix[end]]):
            storage.save("a", ContentFile(b"content"))


@given(mixes)
@examples(300)
def test_any_mix_gives_the_documented_url(mix):
    class Linked(Answering):
        def url(self, name, *args, **kwargs):
            # Making one asks no server: only what cannot make any fails.
            if self.answer in ("bug", "no method"):
                raise ANSWERS[self.answer](self.label)
            return f"/{self.label}/{name}"

    backends = [Linked(i, answer) for i, answer in enumerate(mix)]
    last = len(mix) - 1
    end = documented(mix[:last], ends=("has it", "denied", "bug"))
    end = last if end is None else end
    asked = FallbackStorage(backends)
    if mix[end] in ("bug", "no method") or (mix[end] == "denied" and end != last):
        with pytest.raises(ANSWERS[mix[end]]):
            asked.url("a")
    else:
        assert asked.url("a") == f"/{end}/a"


@given(mixes, st.sets(st.sampled_from(["a", "a_1", "a_2"])))
@examples(300)
def test_any_mix_gives_the_documented_available_name(mix, taken):
    class Holding(Answering):
        def exists(self, name):
            return name in taken if self.answer == "not found" else self._reply(name in taken)

        def get_alternative_name(self, root, extension):
            tried.append(root)
            return f"{root}_{len(tried)}{extension}"

    tried = []
    storage = FallbackStorage([Holding(i, answer) for i, answer in enumerate(mix)])
    bad = documented(mix, ends=("denied", "bug"))
    answering = documented(mix, ends=("has it", "not found"))
    if bad is not None:
        with pytest.raises(ANSWERS[mix[bad]]):
            storage.get_available_name("a")
    elif answering is None:
        with pytest.raises(expected_failure(mix)):
            storage.get_available_name("a")
    else:
        name = storage.get_available_name("a")
        assert name not in taken
        # Beside one that does not answer, only a name that nobody else would take is free.
        assert (name == "a") is ("a" not in taken and "unreachable" not in mix)
