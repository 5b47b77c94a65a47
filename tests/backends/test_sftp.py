"""Modules on a server of SFTP: OpenSSH's own, whose files this host sees too."""

from __future__ import annotations

import itertools
import os
import pickle
import stat
import subprocess
import threading
import time
from pathlib import Path

import paramiko
import pytest
from django.core.exceptions import SuspiciousFileOperation
from django.core.files.base import ContentFile
from django.views.debug import ExceptionReporter

from smart_storages.backends import sftp_connections
from smart_storages.backends.plain import temporary_name
from smart_storages.backends.store import Attributes, StoreReader
from smart_storages.checks.backends import check_accounts
from smart_storages.exceptions import (
    AccessDeniedError,
    ConfigurationError,
    ObjectNotFoundError,
    S3Error,
    UnreachableError,
)
from smart_storages.storages import MediaStorage, SmartS3Storage
from smart_storages.utils import get_storage
from tests.management.calls import call
from tests.servers.sshd import Sshd, sshd_program
from tests.servers.tcp import CuttingRelay

MEBIBYTE = 1024**2
#: Put together, so that the source on a debug page does not show it.
SECRET = "-".join(("hunter", "two"))


@pytest.fixture
def options(sshd):
    return sshd.options()


@pytest.fixture
def root(options):
    return Path(options["root_path"])


@pytest.fixture
def storage(options):
    return SmartS3Storage("media", location="in", file_overwrite=False, **options)


@pytest.fixture
def store(options):
    return SmartS3Storage("media", **options)._store()


@pytest.fixture
def relay(sshd, tmp_path):
    """A relay before the server, and the options that lead through it."""
    with CuttingRelay(sshd.port) as relay:
        known = tmp_path / "known_hosts"
        key = Path(sshd.directory, "host_key.pub").read_text("ascii")
        known.write_text(f"[127.0.0.1]:{relay.port} {key}", "ascii")
        params = {**sshd.params, "port": relay.port}
        relay.options = sshd.options(params=params, known_host_file=str(known))
        yield relay


def save(storage, name, content=b"x"):
    return storage.save(name, ContentFile(content))


def read(storage, name):
    with storage.open(name) as file:
        return file.read()


def put(store, key, content=b"x", *, overwrite=True):
    return store.put(key, iter([content]), Attributes(), overwrite=overwrite)


def files_below(root):
    return sorted(str(p.relative_to(root)) for p in Path(root).rglob("*") if p.is_file())


def in_threads(count, function):
    threads = [threading.Thread(target=function, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


# Files


def test_a_file_is_where_the_server_has_it(storage, root):
    assert save(storage, "docs/ä b.txt", b"hello") == "docs/ä b.txt"
    assert (root / "in" / "docs" / "ä b.txt").read_bytes() == b"hello"
    assert storage.stat("docs/ä b.txt").content_type == "text/plain"
    assert abs(storage.stat("docs/ä b.txt").modified_time.timestamp() - time.time()) < 60
    (root / "in" / "by-hand.txt").write_bytes(b"by hand")
    assert read(storage, "by-hand.txt") == b"by hand"


def test_a_missing_file_is_not_found(storage):
    save(storage, "a/b.txt")
    for name in ("missing", "a", "a/b.txt/c", "a/missing", "n" * 300):
        assert not storage.exists(name)
        for use in (storage.size, storage.open):
            with pytest.raises(ObjectNotFoundError, match="module 'media', bucket 'sftp'"):
                use(name)
        storage.delete(name)
    assert storage.listdir("missing") == ([], [])
    assert [name for name, _ in storage.iter_files()] == ["a/b.txt"]


def test_no_name_leads_out(storage, store, root):
    (root.parent / "secret.txt").write_bytes(b"secret")
    for name in ("../secret.txt", "a/../../../secret.txt"):
        for use in (storage.open, storage.exists, storage.delete, lambda n: save(storage, n)):
            with pytest.raises(SuspiciousFileOperation):
                use(name)
    hidden = f"a/{temporary_name()}"
    for key in ("../secret.txt", "/etc/passwd", "..", "", "a\0", "a//b", "a/", "a\\b", hidden):
        for use in (store.find, store.open, store.delete, lambda k: put(store, k)):
            with pytest.raises(PermissionError, match="cannot be that of a file"):
                use(key)
    assert list(store.entries("../")) == []
    assert (root.parent / "secret.txt").read_bytes() == b"secret"


def test_a_folder_without_files_does_not_exist(storage, root):
    save(storage, "a/b/c.txt")
    save(storage, "a/d.txt")
    storage.delete("a/b/c.txt")
    assert storage.listdir("a") == ([], ["d.txt"])
    storage.delete("a/d.txt")
    assert os.listdir(root) == []
    storage.delete("a/d.txt")


def test_a_file_above_a_name_is_told(storage):
    save(storage, "a")
    with pytest.raises(S3Error, match="kept on a server of SFTP: Not a directory"):
        save(storage, "a/b/c.txt")
    save(storage, "folder/b.txt")
    overwriting = SmartS3Storage("media", **{**storage._options, "file_overwrite": True})
    with pytest.raises(S3Error):
        overwriting._save_exactly("folder", ContentFile(b"x"), replace=True)
    assert [name for name, _ in storage.iter_files()] == ["a", "folder/b.txt"]


def test_keys_are_listed_in_the_order_of_s3(store, root):
    for name in ("a/b", "a.txt", "a/b.c/d", "a/ä", "a/z", "a-b", "A"):
        put(store, name)
    (root / "a" / temporary_name()).write_bytes(b"x")
    (root / "link").symlink_to(root / "A")
    (root / "circle").symlink_to(root)
    listed = [key for key, _ in store.entries("")]
    assert listed == ["A", "a-b", "a.txt", "a/b", "a/b.c/d", "a/z", "a/ä", "link"]
    assert [key for key, _ in store.entries("a/b")] == ["a/b", "a/b.c/d"]
    assert store.list_folder("a/") == (["b.c"], ["b", "z", "ä"])
    assert dict(store.entries(""))["link"].size == 1


def test_a_bucket_is_a_folder(sshd):
    options = sshd.options(bucket_name="acme")
    storage = SmartS3Storage("media", **options)
    save(storage, "a.txt")
    assert files_below(options["root_path"]) == ["acme/a.txt"]
    assert [name for name, _ in storage.iter_files()] == ["a.txt"]


def test_modes_are_those_that_were_asked_for(sshd):
    options = sshd.options(file_mode=0o640, dir_mode=0o750, uid=os.getuid(), gid=os.getgid())
    save(SmartS3Storage("media", **options), "docs/a.txt")
    docs = Path(options["root_path"]) / "docs"
    assert stat.S_IMODE(docs.stat().st_mode) == 0o750
    assert stat.S_IMODE((docs / "a.txt").stat().st_mode) == 0o640


def test_a_directory_that_cannot_be_written_is_told(sshd):
    options = sshd.options(root_path="/proc/no-such-directory")
    storage = SmartS3Storage("media", file_overwrite=False, **options)
    with pytest.raises(S3Error):
        save(storage, "a.txt")
    assert not storage.exists("a.txt")


# Whole or not at all, and never over another


def test_of_eight_savers_at_once_each_keeps_its_file(storage, root):
    names = {}
    start = threading.Barrier(8)

    def write(number):
        start.wait()
        names[save(storage, "one.txt", b"%d" % number * 1000)] = number

    for _ in range(5):
        names.clear()
        in_threads(8, write)
        assert len(names) == 8
        for name, number in names.items():
            assert (root / "in" / name).read_bytes() == b"%d" % number * 1000
    assert len(files_below(root)) == 40


def test_of_eight_writers_of_one_key_exactly_one_succeeds(store, root):
    for turn in range(10):
        start = threading.Barrier(8)
        taken = []

        def chunks(number, start=start):
            start.wait()  # all of them have found the key free
            yield b"%d" % number

        def write(number, chunks=chunks, key=f"{turn}.txt", taken=taken):
            try:
                store.put(key, chunks(number), Attributes(), overwrite=False)
            except FileExistsError:
                taken.append(number)

        in_threads(8, write)
        assert len(taken) == 7
        assert int((root / f"{turn}.txt").read_bytes()) not in taken
    assert len(files_below(root)) == 10


def test_content_that_fails_leaves_nothing(store, root):
    put(store, "a.txt", b"before")

    def chunks(size):
        yield b"x" * size
        raise ZeroDivisionError

    for size in (4, 3 * MEBIBYTE):
        for key, overwrite in (("a.txt", True), ("b.txt", False)):
            with pytest.raises(ZeroDivisionError):
                store.put(key, chunks(size), Attributes(), overwrite=overwrite)
    assert files_below(root) == ["a.txt"]
    assert (root / "a.txt").read_bytes() == b"before"


def test_a_file_is_whole_while_it_is_replaced(options):
    storage = SmartS3Storage("media", **options)
    save(storage, "a.bin", b"0" * 100_000)
    stop, seen = threading.Event(), []

    def look():
        while not stop.is_set():
            content = read(storage, "a.bin")
            seen.append(len(content) == 100_000 and len(set(content)) == 1)

    looker = threading.Thread(target=look)
    looker.start()
    for number in range(30):
        save(storage, "a.bin", b"%d" % (number % 10) * 100_000)
    stop.set()
    looker.join()
    assert seen
    assert all(seen)


def test_an_open_file_stays_one_version(store):
    first = os.urandom(6 * MEBIBYTE)
    put(store, "a.bin", first)
    with StoreReader(*store.open("a.bin")) as reader:
        assert reader.read(10) == first[:10]
        put(store, "a.bin", os.urandom(6 * MEBIBYTE))
        assert reader.readall() == first[10:]
        store.delete("a.bin")
        reader.seek(-5, os.SEEK_END)
        assert reader.read() == first[-5:]
        reader.seek(3 * MEBIBYTE)
        assert reader.read(7) == first[3 * MEBIBYTE : 3 * MEBIBYTE + 7]


def test_a_session_is_used_by_one_thread_and_everything_it_asked_for_is_answered(
    store, monkeypatch
):
    content = os.urandom(9 * MEBIBYTE)
    put(store, "a.bin", content)
    askers, send = set(), paramiko.SFTPClient._async_request

    def note(client, *args):
        askers.add(threading.get_ident())
        return send(client, *args)

    monkeypatch.setattr(paramiko.SFTPClient, "_async_request", note)
    file, _ = store.open("a.bin")
    with file:
        for start in (0, 5 * MEBIBYTE - 3, 8 * MEBIBYTE + 1, 10):
            file.seek(start)
            assert file.read(100_000) == content[start : start + 100_000]
            assert file._session.client._expecting == {}
    assert askers == {threading.get_ident()}


def test_a_server_that_sends_less_than_it_was_asked_for_is_asked_again(store, monkeypatch):
    content = os.urandom(3 * MEBIBYTE)
    put(store, "a.bin", content)
    send = paramiko.SFTPClient._async_request

    def ask_for_less(client, whose, kind, *args):
        if kind == paramiko.sftp.CMD_READ:
            args = (*args[:-1], min(args[-1], 20_000))
        return send(client, whose, kind, *args)

    monkeypatch.setattr(paramiko.SFTPClient, "_async_request", ask_for_less)
    with StoreReader(*store.open("a.bin")) as reader:
        assert reader.readall() == content


def test_a_file_that_is_shortened_while_it_is_read_is_told(store, root):
    put(store, "a.bin", bytes(9 * MEBIBYTE))
    with StoreReader(*store.open("a.bin")) as reader:
        os.truncate(root / "a.bin", 2 * MEBIBYTE)
        with pytest.raises(UnreachableError, match="shortened while it was read"):
            reader.readall()


@pytest.fixture(scope="module")
def poor():
    """A server without OpenSSH's extensions of the protocol."""
    if sshd_program() is None:
        pytest.skip("OpenSSH's server is not installed")
    with Sshd("-P posix-rename,hardlink") as server:
        yield server


def test_a_server_that_cannot_replace_a_file_in_one_step_replaces_it_in_two(poor):
    options = poor.options()
    storage = SmartS3Storage("media", **options)
    for content in (b"first", b"second"):
        assert save(storage, "docs/a.txt", content) == "docs/a.txt"
        assert read(storage, "docs/a.txt") == content
    assert files_below(options["root_path"]) == ["docs/a.txt"]
    with pytest.raises(S3Error, match="Is a directory"):
        storage._save_exactly("docs", ContentFile(b"x"), replace=True)
    assert files_below(options["root_path"]) == ["docs/a.txt"]


def lose_the_answer(monkeypatch, relay, method):
    """Let the server do what a method asks for, and cut the connection before it says so."""
    do = getattr(paramiko.SFTPClient, method)

    def lose(client, *args):
        monkeypatch.setattr(paramiko.SFTPClient, method, do)
        do(client, *args)
        relay.cut()
        raise EOFError

    monkeypatch.setattr(paramiko.SFTPClient, method, lose)


@pytest.mark.parametrize("file_overwrite", [False, True])
def test_a_file_is_saved_once_though_the_answer_is_lost(relay, monkeypatch, file_overwrite):
    storage = SmartS3Storage("media", file_overwrite=file_overwrite, **relay.options)
    assert storage._store().refuses_taken_keys
    lose_the_answer(monkeypatch, relay, "posix_rename" if file_overwrite else "rename")
    assert save(storage, "a.txt", b"hello") == "a.txt"
    assert files_below(relay.options["root_path"]) == ["a.txt"]
    assert read(storage, "a.txt") == b"hello"


def test_a_write_that_was_taken_back_is_not_taken_for_one_that_ended(relay, monkeypatch):
    storage = SmartS3Storage("media", **relay.options)

    def lose(client, *args):
        relay.cut()
        raise EOFError

    monkeypatch.setattr(paramiko.SFTPClient, "posix_rename", lose)
    lose_the_answer(monkeypatch, relay, "remove")  # of the unfinished file
    with pytest.raises(UnreachableError):
        save(storage, "a.txt", b"hello")
    assert files_below(relay.options["root_path"]) == []


def test_a_file_stays_if_the_connection_is_lost_while_it_is_replaced_in_two_steps(
    poor, tmp_path, monkeypatch
):
    with CuttingRelay(poor.port) as relay:
        known = tmp_path / "known_hosts"
        key = Path(poor.directory, "host_key.pub").read_text("ascii")
        known.write_text(f"[127.0.0.1]:{relay.port} {key}", "ascii")
        params = {**poor.params, "port": relay.port}
        options = poor.options(params=params, known_host_file=str(known))
        storage = SmartS3Storage("media", **options)
        save(storage, "a.txt", b"before")
        lose_the_answer(monkeypatch, relay, "rename")
        with pytest.raises(UnreachableError):
            save(storage, "a.txt", b"after")
        assert files_below(options["root_path"]) == ["a.txt"]
        assert read(storage, "a.txt") == b"before"


def test_a_server_that_overwrites_when_it_renames_is_found_out(storage, root, monkeypatch):
    assert storage._store().refuses_taken_keys
    monkeypatch.setattr(storage._store()._server, "learned", {})
    monkeypatch.setattr(paramiko.SFTPClient, "rename", paramiko.SFTPClient.posix_rename)
    assert not storage._store().refuses_taken_keys
    names = [save(storage, "a.txt", b"%d" % number) for number in range(3)]
    assert len({len(name) for name in names}) == 1
    assert [read(storage, name) for name in names] == [b"0", b"1", b"2"]
    assert len(files_below(root)) == 3
    # Under exactly one name: no two threads of this process, at least.
    start, taken = threading.Barrier(8), []

    def chunks(number):
        start.wait()
        yield b"%d" % number

    def write(number):
        try:
            storage._store().put("one.txt", chunks(number), Attributes(), overwrite=False)
        except FileExistsError:
            taken.append(number)

    in_threads(8, write)
    assert len(taken) == 7
    assert int((root / "one.txt").read_bytes()) not in taken


# The connection


def test_many_threads_and_modules_share_one_connection(relay):
    one = SmartS3Storage("media", **relay.options)
    other = SmartS3Storage("docs", location="docs", **relay.options)
    names = itertools.count()

    def work(_):
        for storage in (one, other):
            name = save(storage, f"{next(names)}.txt", b"hello")
            assert read(storage, name) == b"hello"
            storage.listdir("")

    in_threads(16, work)
    assert relay.connections == 1
    assert len(files_below(relay.options["root_path"])) == 32


def test_many_open_files_and_an_upload_do_not_wait_for_each_other(storage, root):
    content = os.urandom(3 * MEBIBYTE)
    (root / "in").mkdir(parents=True)
    for number in range(10):
        (root / "in" / f"{number}.bin").write_bytes(content)
    files = [storage.open(f"{number}.bin") for number in range(10)]
    save(storage, "another.bin", content)
    for file in reversed(files):
        assert file.read() == content
        file.close()


def test_a_lost_connection_is_made_again(relay):
    storage = SmartS3Storage("media", **relay.options)
    save(storage, "a.txt", b"hello")
    for use in (lambda: read(storage, "a.txt"), lambda: save(storage, "b.txt", b"x")):
        relay.cut()
        use()
    assert relay.connections == 3


def test_a_connection_cut_in_the_middle_of_an_upload_leaves_nothing(relay):
    root = relay.options["root_path"]
    storage = SmartS3Storage("media", file_overwrite=False, **relay.options)
    save(storage, "a.bin", b"before")
    for name in ("a.bin", "b.bin"):
        relay.cut_after(2 * MEBIBYTE)
        with pytest.raises(UnreachableError, match="The connection to 127"):
            save(storage, name, os.urandom(8 * MEBIBYTE))
    relay.cut_after(2 * MEBIBYTE)
    overwriting = SmartS3Storage("media", **relay.options)
    with pytest.raises(UnreachableError):
        save(overwriting, "a.bin", os.urandom(8 * MEBIBYTE))
    assert storage.listdir("") == ([], ["a.bin"])
    assert read(storage, "a.bin") == b"before"
    assert files_below(root) == ["a.bin"]  # what was begun is removed over the next connection


def test_a_file_cannot_be_read_on_over_another_connection(relay):
    storage = SmartS3Storage("media", **relay.options)
    save(storage, "a.bin", os.urandom(8 * MEBIBYTE))
    with storage.open("a.bin") as file:
        file.read(10)
        relay.cut()
        storage.listdir("")
        with pytest.raises(UnreachableError, match="was lost while a file was read"):
            file.read()


def test_a_server_that_does_not_answer_is_unreachable(relay):
    relay.refuses = True
    storage = SmartS3Storage("media", **relay.options)
    for use in (lambda: storage.exists("a.txt"), lambda: save(storage, "a.txt")):
        with pytest.raises(UnreachableError, match=r"module 'media', bucket 'sftp', key 'a\.txt'"):
            use()
    relay.refuses = False
    assert not storage.exists("a.txt")


def test_a_forked_child_makes_a_connection_of_its_own(relay):
    storage = SmartS3Storage("media", **relay.options)
    save(storage, "a.txt", b"hello")
    pid = os.fork()
    if pid == 0:
        fine = not sftp_connections._servers and read(storage, "a.txt") == b"hello"
        os._exit(0 if fine else 1)
    assert os.waitpid(pid, 0)[1] == 0
    assert read(storage, "a.txt") == b"hello"
    assert relay.connections == 2


def test_a_server_that_allows_few_sessions_is_asked_for_no_more(sshd, tmp_path):
    config = Path(sshd.directory, "sshd_config").read_text("ascii")
    assert "MaxSessions" not in config
    with Few() as few:
        storage = SmartS3Storage("media", **few.options())
        failed = []

        def work(number):
            try:
                for _ in range(3):
                    save(storage, f"{number}.txt", b"hello")
                    assert read(storage, f"{number}.txt") == b"hello"
            except Exception as error:
                failed.append(error)

        in_threads(8, work)
        assert failed == []


class Few(Sshd):
    """A server that allows two sessions for each connection."""

    def __init__(self):
        super().__init__("\nMaxSessions 2")


def test_a_session_of_which_nobody_heard_for_long_is_asked_first(storage, monkeypatch):
    save(storage, "a.txt", b"hello")
    server = storage._store()._server
    for session in server._idle:
        session.used_at = float("-inf")
        monkeypatch.setattr(session.client, "normalize", lambda path: 1 / 0)
    kept = list(server._idle)
    assert read(storage, "a.txt") == b"hello"
    assert not {*kept} & {*server._idle}


# Host keys and credentials


def test_an_unknown_host_is_refused_unless_it_is_accepted(sshd, tmp_path):
    known = tmp_path / "known_hosts"
    known.write_text("", "ascii")
    options = sshd.options(known_host_file=str(known))
    printed = subprocess.run(
        ["ssh-keygen", "-lf", f"{sshd.directory}/host_key.pub"], capture_output=True, check=True
    )
    fingerprint = printed.stdout.split()[1].decode()
    with pytest.raises(AccessDeniedError, match="is not known: ssh-ed25519 SHA256:") as caught:
        SmartS3Storage("media", **options).exists("a.txt")
    assert fingerprint in str(caught.value)
    assert not SmartS3Storage("media", verify_host_key=False, **options).exists("a.txt")
    assert known.read_text("ascii") == ""


def test_a_host_with_another_key_is_refused_even_if_none_is_needed(sshd, tmp_path):
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "other")], check=True
    )
    known = tmp_path / "known_hosts"
    sshd.write_known_hosts(str(known), (tmp_path / "other.pub").read_text("ascii"))
    options = sshd.options(known_host_file=str(known))
    for verify in (True, False):
        storage = SmartS3Storage("media", verify_host_key=verify, **options)
        with pytest.raises(AccessDeniedError, match="has another key than the known one"):
            storage.exists("a.txt")


def test_what_is_wrong_with_the_connection_is_told(sshd, tmp_path):
    def use(**changed):
        params = {**sshd.params, **changed.pop("params", {})}
        options = sshd.options(**{"params": params, **changed})
        SmartS3Storage("media", **options).exists("a.txt")

    with pytest.raises(AccessDeniedError, match="refused the user name, password or key"):
        use(params={"username": "nobody-there"})
    with pytest.raises(ConfigurationError, match=r"'media': The file of known hosts .* cannot be"):
        use(known_host_file=str(tmp_path / "missing"))
    with pytest.raises(ConfigurationError, match=r"these params \(there is no 'realm'\)") as caught:
        use(params={"realm": SECRET})
    assert SECRET not in str(caught.value)
    with pytest.raises(ConfigurationError, match=r"params \(No such file or directory: '.*gone'"):
        use(params={"key_filename": str(tmp_path / "gone")})
    with pytest.raises(ConfigurationError, match=r"'media': It names no server of SFTP\. Set host"):
        use(host=None)
    with pytest.raises(UnreachableError, match="did not answer"):
        use(params={"port": 9})


def test_no_secret_is_shown_deconstructed_or_pickled(sshd):
    params = {**sshd.params, "password": SECRET, "key_filename": None, "username": "nobody-there"}
    storage = SmartS3Storage("media", **sshd.options(params=params))
    with pytest.raises(AccessDeniedError) as caught:
        storage.exists("a.txt")
    trace = caught.value.__traceback__.tb_next
    page = ExceptionReporter(None, AccessDeniedError, caught.value, trace).get_traceback_html()
    shown = [
        page,
        repr(storage),
        str(vars(storage)),
        repr(storage.deconstruct()),
        repr(pickle.dumps(storage)),
        repr(storage._store()._server),
        str(storage.identify_server()),
        str(caught.value),
    ]
    for text in shown:
        assert SECRET not in text


def test_the_settings_of_django_storages_are_the_defaults(settings, sshd):
    options = sshd.options()
    settings.SFTP_STORAGE_HOST = options["host"]
    settings.SFTP_STORAGE_PARAMS = options["params"]
    settings.SFTP_STORAGE_ROOT = options["root_path"]
    settings.SFTP_KNOWN_HOST_FILE = options["known_host_file"]
    settings.SFTP_BASE_URL = "https://files.example.com/x/"
    settings.AWS_STORAGE_BUCKET_NAME = "a-bucket-of-s3"
    settings.SMART_STORAGE_BACKEND = "sftp"
    settings.SMART_STORAGE_BUCKETS = {"media": {}, "tenant_*": {"location": "{module}"}}
    save(MediaStorage(), "a.txt")
    save(get_storage("tenant_x"), "b.txt")
    assert files_below(options["root_path"]) == ["media/a.txt", "tenant_x/b.txt"]
    assert MediaStorage().url("ä b.txt") == "https://files.example.com/x/media/%C3%A4%20b.txt"


def test_no_server_gets_the_password_of_another(settings):
    settings.SFTP_STORAGE_HOST = "sftp.example.com"
    settings.SFTP_STORAGE_PARAMS = {"password": SECRET}
    settings.SMART_STORAGE_BUCKETS = {
        "own": {"backend": "sftp", "host": "other.example.com"},
        "theirs": {"backend": "sftp", "params": {"username": "ada"}},
        "none": {"backend": "sftp"},
    }
    assert get_storage("own").params is None
    assert get_storage("theirs").host == "sftp.example.com"
    assert get_storage("theirs").params == {"username": "ada"}
    assert get_storage("none").params == {"password": SECRET}
    settings.SMART_STORAGE_BUCKETS = {
        "own": {"backend": "sftp", "host": "other.example.com", "params": {"password": SECRET}}
    }
    assert SmartS3Storage("own", host="third.example.com").params is None


@pytest.mark.parametrize(
    ("entry", "match"),
    [
        ({"params": {1: "x"}}, "'params'.* has a key of the type int"),
        ({"params": "x"}, "'params'.* must be dict, not str"),
        ({"file_mode": "640"}, "'file_mode'.* must be int, not str"),
        ({"bucket_name": ".."}, "'bucket_name'.* cannot begin with a dot"),
        ({"root": "/srv"}, "'root'.* is an option of the backend 'filesystem'"),
        ({"gzip": True}, "'gzip'.* does not keep which files are compressed"),
        ({"backend": "memory", "host": "x"}, "'host'.* is an option of the backend 'sftp'"),
        ({"interactive": True}, "'interactive'.* is not an option"),
        ({"host": f"sftp://ada:{SECRET}@example.com"}, "'host'.* is not the name or the address"),
        ({"host": "example.com:2222"}, "'host'.* the port are 'username' and 'port' in params"),
        ({"params": {"pasword": SECRET}}, r"'params'.* has 'pasword'.* Did you mean 'password'\?"),
        ({"params": {"hostname": "x"}}, "'params'.* has a 'hostname'.* as the option 'host'"),
        ({"params": {"user": "ada"}}, "'params'.* has a 'user'.* Write it as 'username'"),
        ({"params": {"port": "22"}}, "'params'.* has a 'port' that is no number.* 'port': 22"),
        ({"root_path": "~/upload"}, "'root_path'.* knows no '~'"),
        ({"file_mode": 640}, r"'file_mode'.* is 640, which is 0o1200\. Write 0o640"),
        ({"dir_mode": -1}, "'dir_mode'.* is no mode of a file"),
        ({"uid": 2**32}, r"'uid'.* is 4294967296\. Write a number of 0 or more"),
        ({"base_url": "files.example.com/"}, "'base_url'.* which browsers would take for a path"),
    ],
)
def test_options_that_do_not_fit_are_refused(settings, entry, match):
    settings.SMART_STORAGE_BUCKETS = {"media": {"backend": "sftp", **entry}}
    match = rf"SMART_STORAGE_BUCKETS\['media'\].*{match}"
    with pytest.raises(ConfigurationError, match=match) as caught:
        MediaStorage().exists("a.txt")
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("host", ["::1", "127.0.0.1", "sftp.example.com", "sftp"])
def test_every_host_that_can_be_one_is_taken(settings, host):
    params = {"username": "a", "port": 22, "a_later_parameter": 1}
    settings.SMART_STORAGE_BUCKETS = {"media": {"backend": "sftp", "host": host, "params": params}}
    assert MediaStorage().configuration_problem is None
    modes = {"file_mode": 0o640, "dir_mode": 0o2750}
    settings.SMART_STORAGE_BUCKETS = {"media": {"backend": "sftp", "host": host, **modes}}
    assert MediaStorage().configuration_problem is None


def test_a_setting_of_the_wrong_type_is_told(settings):
    settings.SFTP_STORAGE_HOST = 5
    settings.SMART_STORAGE_BUCKETS = {"media": {"backend": "sftp"}}
    with pytest.raises(ConfigurationError, match="SFTP_STORAGE_HOST must be str, not int"):
        SmartS3Storage("media", backend="sftp").exists("a.txt")
    (message,) = check_accounts()
    assert message.msg == "SFTP_STORAGE_HOST must be str, not int."


def test_a_setting_that_leads_nowhere_is_told_before_the_first_use(settings):
    settings.SMART_STORAGE_BUCKETS = {"media": {"backend": "sftp"}, "own": {"backend": "sftp"}}
    assert [message.msg for message in check_accounts()] == [
        f"SMART_STORAGE_BUCKETS[{name!r}]['host'] is missing: the backend 'sftp' needs a server."
        for name in ("media", "own")
    ]
    settings.SFTP_STORAGE_HOST = "sftp.example.com:22"
    (message,) = check_accounts()
    assert message.msg == "SFTP_STORAGE_HOST is not the name or the address of a host."
    assert message.id == "smart_storages.E022"
    with pytest.raises(ConfigurationError, match=r"module 'media'.*'host' is not the name"):
        MediaStorage().exists("a.txt")
    settings.SFTP_STORAGE_HOST = "sftp.example.com"
    assert check_accounts() == []


def test_those_who_wait_for_a_connection_do_not_wait_for_each_other(relay, monkeypatch):
    storage = SmartS3Storage("media", **relay.options)
    server = storage._store()._server
    tried, failed, go = [], [], threading.Event()

    def fail(*args, **kwargs):
        tried.append(threading.get_ident())
        go.wait()
        return None, UnreachableError("It did not answer.")

    def use(_):
        try:
            storage.exists("a.txt")
        except UnreachableError as error:
            failed.append(str(error))

    monkeypatch.setattr(sftp_connections, "make_client", fail)
    threads = [threading.Thread(target=use, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    while server._count < 6 or not tried:
        threads[0].join(0.01)
    threads[0].join(0.2)  # all wait for the one that connects
    go.set()
    for thread in threads:
        thread.join()
    assert len(failed) == 6
    assert len(tried) == 1
    assert all("It did not answer. (module 'media'" in text for text in failed)


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_url_leads_to_the_folder_of_the_bucket(settings, sshd, slash):
    settings.SFTP_BASE_URL = f"https://files.example.com/x{slash}"
    one = SmartS3Storage("one", **sshd.options())
    other = SmartS3Storage("other", **sshd.options(bucket_name="acme"))
    assert one.url("a.txt") == "https://files.example.com/x/a.txt"
    assert other.url("a.txt") == "https://files.example.com/x/acme/a.txt"


def test_a_failure_that_the_server_does_not_explain_says_where_to_look(storage, monkeypatch):
    def fail(*args):
        raise OSError("Failure")  # as paramiko, for instance if the disk is full

    monkeypatch.setattr(paramiko.SFTPFile, "write", fail)
    with pytest.raises(S3Error, match=r"Failure .* whether its disk or a quota is full"):
        save(storage, "a.txt")
    assert storage.listdir("") == ([], [])


def test_without_a_base_url_a_file_has_none(storage):
    with pytest.raises(ConfigurationError, match=r"has no URL\. Set base_url, or SFTP_BASE_URL"):
        storage.url("a.txt")


# Between modules


def test_a_file_moved_onto_itself_stays(options):
    root = options["root_path"]
    one = SmartS3Storage("m", **options)
    same = SmartS3Storage("n", location="b", **{**options, "root_path": f"{root}/../{root[-32:]}"})
    save(one, "b/a.txt", b"hello")
    assert one.move("b/a.txt", "a.txt", to=same) == "a.txt"
    assert read(one, "b/a.txt") == b"hello"


def test_files_of_two_modules_that_were_written_at_once_are_two(options):
    one = SmartS3Storage("m", location="one", **options)
    other = SmartS3Storage("m", location="two", **options)
    for storage, content in ((one, b"1"), (other, b"2")):
        save(storage, "a.txt", content)
        os.utime(Path(options["root_path"], storage.location, "a.txt"), (5, 5))
    assert one.stat("a.txt").etag != other.stat("a.txt").etag


@pytest.mark.parametrize("backend", ["sftp", "class"])
def test_the_commands_work_on_such_a_module(settings, sshd, tmp_path, backend):
    entry = sshd.options(params={**sshd.params, "password": SECRET})
    if backend == "class":
        options = {"account": str(tmp_path), "token": SECRET, "url": "https://example.com/"}
        entry = {"backend": "tests.backends.projects_storages.Remote", "options": options}
    else:
        entry["base_url"] = "https://example.com/"
    settings.SMART_STORAGE_BUCKETS = {"media": {**entry, "file_overwrite": True}}
    local = tmp_path / "a.txt"
    local.write_bytes(b"hello")
    said = [
        call(*command)
        for command in (
            ("cp", str(local), "media:docs/a.txt"),
            ("ls", "media:docs/"),
            ("cat", "media:docs/a.txt"),
            ("usage", "media"),
            ("url", "media:docs/a.txt"),
            ("list",),
            ("explain", "media"),
            ("rm", "media:docs/a.txt"),
        )
    ]
    assert [each.code for each in said] == [0] * 8, said
    assert "a.txt" in str(said[1])
    assert "hello" in str(said[2])
    assert "https://example.com/" in str(said[4])
    assert SECRET not in str(said)
    assert not MediaStorage().exists("docs/a.txt")
