"""A copy that is interrupted, killed, refused; and files that change while it runs."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from functools import partial
from pathlib import Path
from typing import Any, Callable, Iterator, List

import pytest

from smart_storages.management.moving import checkpoints, copying
from smart_storages.management.moving.checkpoints import Checkpoint
from smart_storages.management.moving.copying import Copier, Plan
from smart_storages.management.moving.ends import end_of
from smart_storages.storages.lookup import resolve_storage
from tests.disks import files_limited
from tests.management.calls import call
from tests.management.conftest import Ends
from tests.servers import S3Proxy


def plan_of(source: str, target: str, **options: Any) -> Plan:
    ends = [end_of(resolve_storage(name), name) for name in (source, target)]
    return Plan(*ends, **options)


def checkpoint_at(path: Path) -> Checkpoint:
    return Checkpoint(path / "checkpoint.json", ["a copy"])


@pytest.fixture
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """Checkpoints are written after each file."""
    monkeypatch.setattr(checkpoints, "_INTERVAL", 0)


# Killed

ON_CEPH = [pytest.param("ceph", marks=pytest.mark.real_s3)]


def killed(proxy: S3Proxy, requests: int, *arguments: str) -> bool:
    """Copy in another process, killed once it has sent so many requests; whether it came to it."""
    proxy.reset()
    child = os.fork()
    if child == 0:
        code = 70
        try:
            code = call("copy", *arguments).code
        finally:
            os._exit(code)
    while len(proxy.requests) < requests:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            assert os.waitstatus_to_exitcode(status) == 0
            return False
        time.sleep(0.001)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return True


def kill_repeatedly(
    ends: Ends, proxy: S3Proxy, *, kills: int, files: int, target: str, **delay: float
) -> int:
    """Copy ``files`` files, killed again and again; return how often it was."""
    chance = random.Random(7)  # noqa: S311
    bodies = {f"{n % 7}/{n:05}.txt": b"%d" % n * (n % 50) for n in range(files)}
    bodies["3/large.bin"] = os.urandom(12 * 1024**2)
    for name, body in bodies.items():
        ends.put(name, body, ContentType="text/x-mine")
    proxy.inject(times=None, latency=0.001)
    count = 0
    for _ in range(kills):
        count += killed(proxy, chance.randint(1, 2 * files // kills), "photos", target)
    assert killed(proxy, 10**9, "photos", target) is False
    found = ends.of_disk() if target == "disk" else ends.of_archive()
    assert found == bodies
    return count


@pytest.mark.skipif(not hasattr(os, "waitstatus_to_exitcode"), reason="needs Python 3.9")
class TestKilled:
    @pytest.mark.slow
    @pytest.mark.parametrize("s3_server", ON_CEPH, indirect=True)
    def test_a_copy_on_the_server_ends_complete(self, ends: Ends, s3_proxy: S3Proxy) -> None:
        assert kill_repeatedly(ends, s3_proxy, kills=4, files=60, target="archive") >= 2
        head = ends.archive.client.head_object(Bucket=ends.archive.name, Key="out/0/00007.txt")
        assert head["ContentType"] == "text/x-mine"

    # moto says of every upload that it was begun in 2010.
    @pytest.mark.slow
    @pytest.mark.parametrize("s3_server", ON_CEPH, indirect=True)
    def test_a_copy_through_this_process_leaves_no_parts_behind(
        self, ends: Ends, s3_proxy: S3Proxy
    ) -> None:
        # The same server by another name: nothing is copied by the server.
        ends.module("photos", endpoint_url=ends.photos.endpoint_url)
        assert kill_repeatedly(ends, s3_proxy, kills=2, files=30, target="archive") >= 1
        # Killed while parts are on their way.
        ends.put("3/large.bin", os.urandom(12 * 1024**2))
        s3_proxy.inject(method="PUT", query="partNumber", latency=0.5, times=None)
        assert killed(s3_proxy, 4, "photos", "archive")
        assert ends.archive.open_uploads() == ["out/3/large.bin"]
        s3_proxy.reset()
        assert call("copy", "photos", "archive").code == 0
        assert ends.archive.open_uploads() == []
        assert ends.of_archive() == ends.of_photos()

    @pytest.mark.slow
    def test_a_copy_to_a_disk_leaves_no_unfinished_file(
        self, moto_ends: Ends, settings: Any
    ) -> None:
        with S3Proxy(moto_ends.photos.endpoint_url) as proxy:
            settings.AWS_S3_ENDPOINT_URL = proxy.endpoint_url
            assert kill_repeatedly(moto_ends, proxy, kills=2, files=30, target="disk") >= 1

    @pytest.mark.slow
    @pytest.mark.parametrize("s3_server", ON_CEPH, indirect=True)
    def test_killed_twenty_times_at_random_it_ends_complete(
        self, ends: Ends, s3_proxy: S3Proxy
    ) -> None:
        assert kill_repeatedly(ends, s3_proxy, kills=20, files=2_000, target="archive") >= 15


def test_an_unfinished_file_of_a_running_copy_is_left_alone(moto_ends: Ends) -> None:
    plan = plan_of("photos", "disk")
    leftover = ".smart-storages-0123456789abcdef.part"
    moto_ends.write(leftover, b"half")
    moto_ends.put("a", b"1")

    class Slow:
        """Copies once more while the first piece is read."""

        pieces: List[bytes] = [b"", b"new"]

        def read(self, size: int) -> bytes:
            if len(self.pieces) == 2:
                assert call("copy", "photos", "disk").code == 0
            return self.pieces.pop()

    plan.target.write("b", Slow())
    assert moto_ends.of_disk() == {"a": b"1", "b": b"new"}


# Interrupted


@pytest.mark.usefixtures("eager")
class TestInterrupted:
    def test_it_goes_on_where_everything_before_was_copied(
        self, moto_ends: Ends, tmp_path: Path
    ) -> None:
        names = [f"{number:03}" for number in range(60)]
        for name in names:
            moto_ends.put(name, b"x")
        copied: List[str] = []

        def tell(what: str, name: str, error: Any) -> None:
            copied.append(name)
            if len(copied) == 40:
                raise KeyboardInterrupt

        with checkpoint_at(tmp_path) as checkpoint, pytest.raises(KeyboardInterrupt):
            Copier(plan_of("photos", "archive", workers=3), checkpoint, tell).run()
        there = [key[len("out/") :] for key in moto_ends.archive.keys("out/")]
        with checkpoint_at(tmp_path) as checkpoint:
            after = checkpoint.state.after
            assert after > "020"
            assert there[: names.index(after) + 1] == names[: names.index(after) + 1]
            report = Copier(plan_of("photos", "archive"), checkpoint).run()
        assert report.resumed_after == after
        assert report.copied + len(there) == 60
        assert report.same + report.copied == 60 - names.index(after) - 1
        assert moto_ends.archive.keys() == [f"out/{name}" for name in names]
        with checkpoint_at(tmp_path) as checkpoint:
            assert not checkpoint.is_resumed

    def test_a_failure_is_never_passed(self, moto_ends: Ends, tmp_path: Path) -> None:
        for name in ("a", "b", "c", "d"):
            moto_ends.put(name, b"x")
        moto_ends.write("b/in-the-way", b"x")

        def tell(what: str, name: str, error: Any) -> None:
            if name == "d":
                raise KeyboardInterrupt

        with checkpoint_at(tmp_path) as checkpoint, pytest.raises(KeyboardInterrupt):
            Copier(plan_of("photos", "disk", workers=1), checkpoint, tell).run()
        (moto_ends.directory / "disk/b/in-the-way").unlink()
        (moto_ends.directory / "disk/b").rmdir()
        with checkpoint_at(tmp_path) as checkpoint:
            assert checkpoint.state.after == "a"
            Copier(plan_of("photos", "disk"), checkpoint).run()
        assert sorted(moto_ends.of_disk()) == ["a", "b", "c", "d"]

    def test_what_is_extra_before_the_checkpoint_is_deleted_too(
        self, moto_ends: Ends, tmp_path: Path
    ) -> None:
        for name in ("b", "c"):
            moto_ends.put(name, b"x")
        moto_ends.archive.put("out/a", b"extra")
        with checkpoint_at(tmp_path) as checkpoint:
            checkpoint.state.after = "b"
            checkpoint.save(now=True)
        with checkpoint_at(tmp_path) as checkpoint:
            plan = plan_of("photos", "archive", delete=True)
            assert Copier(plan, checkpoint).run().resumed_after == "b"
        assert sorted(moto_ends.of_archive()) == ["c"]

    def test_ctrl_c_ends_a_large_copy_and_says_what_was(
        self, moto_ends: Ends, monkeypatch: pytest.MonkeyPatch, capsys: Any
    ) -> None:
        moto_ends.put("large", b"x" * 20 * 1024**2)
        moto_ends.put("small", b"y")
        other = moto_ends.photos.endpoint_url.replace("127.0.0.1", "localhost")
        moto_ends.module("archive", endpoint_url=other)

        def interrupt(*_: Any) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(copying.Copier, "_count", interrupt)
        answer = call("copy", "photos", "archive", "--json")
        assert answer.code == 130
        assert answer.json["interrupted"] is True
        assert moto_ends.archive.open_uploads() == []


class TestCheckpoint:
    def test_it_is_of_one_copy_and_one_process(self, tmp_path: Path) -> None:
        with checkpoint_at(tmp_path) as checkpoint:
            checkpoint.state.after = "m"
            checkpoint.save(now=True)
            with pytest.raises(checkpoints.CommandError, match="Another process"):
                checkpoint_at(tmp_path).__enter__()
        with Checkpoint(tmp_path / "checkpoint.json", ["another copy"]) as other:
            assert other.state.after == ""
        with checkpoint_at(tmp_path) as checkpoint:
            assert checkpoint.state.after == "m"

    def test_an_old_or_damaged_one_is_not_used(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with checkpoint_at(tmp_path) as checkpoint:
            checkpoint.state.after = "m"
            checkpoint.save(now=True)
        path = tmp_path / "checkpoint.json"
        whole = json.loads(path.read_text())
        for text in ("", "[]", '{"version": 1}', json.dumps({**whole, "updated": 1.0})):
            path.write_text(text)
            with checkpoint_at(tmp_path) as checkpoint:
                assert (checkpoint.state.after, checkpoint.is_resumed) == ("", False)

    def test_on_a_full_disk_the_copy_ends_and_deletes_nothing(
        self, moto_ends: Ends, tmp_path: Path, eager: None
    ) -> None:
        moto_ends.put("a", b"x")
        moto_ends.archive.put("out/extra", b"y")
        path = tmp_path / "checkpoint"
        with files_limited(16):
            answer = call("copy", "photos", "archive", "--delete", "--checkpoint", str(path))
        assert answer.code == 1
        assert f"The checkpoint {str(path)!r} cannot be written" in answer.err
        assert "extra" in moto_ends.of_archive()
        assert not Path(f"{path}.new").exists()
        assert call("copy", "photos", "archive", "--delete", "--checkpoint", str(path)).code == 0
        assert moto_ends.of_archive() == {"a": b"x"}

    def test_where_none_can_be_kept_the_command_says_so(
        self, moto_ends: Ends, tmp_path: Path
    ) -> None:
        (tmp_path / "file").write_text("")
        path = str(tmp_path / "file" / "checkpoint.json")
        answer = call("copy", "photos", "archive", "--checkpoint", path)
        assert answer.code == 2
        assert "--checkpoint" in answer.err


# Files that change


class TestChanges:
    @pytest.fixture
    def before_each(self, monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], Any]], None]:
        def plan(action: Callable[[], Any]) -> None:
            copy = Copier._copy

            def changed(self: Copier, entry: Any) -> None:
                action()
                copy(self, entry)

            monkeypatch.setattr(Copier, "_copy", changed)

        return plan

    def test_a_file_that_is_replaced_while_it_is_copied(self, ends: Ends, before_each: Any) -> None:
        ends.put("a", b"old")
        before_each(lambda: ends.put("a", b"newer"))
        assert call("copy", "photos", "archive").code == 0
        assert ends.of_archive() == {"a": b"newer"}

    def test_a_copy_that_is_deleted_while_the_two_are_compared(
        self, moto_ends: Ends, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        moto_ends.put("a", b"new")
        moto_ends.archive.put("out/a", b"old")
        original = copying.is_same

        def compared(*arguments: Any) -> Any:
            moto_ends.archive.client.delete_object(Bucket=moto_ends.archive.name, Key="out/a")
            return original(*arguments)

        monkeypatch.setattr(copying, "is_same", compared)
        assert call("copy", "photos", "archive", "--json").json["copied"] == 1
        assert moto_ends.of_archive() == {"a": b"new"}

    def test_a_file_that_is_deleted_while_it_is_copied(self, ends: Ends, before_each: Any) -> None:
        ends.put("a", b"old")
        client = ends.photos.client
        before_each(lambda: client.delete_object(Bucket=ends.photos.name, Key="in/a"))
        answer = call("copy", "photos", "archive", "--json")
        assert (answer.code, answer.json["gone"]) == (0, 1)
        assert ends.of_archive() == {}

    @pytest.mark.parametrize("source", ["photos", "default"])
    def test_a_file_that_comes_after_the_listing_is_not_deleted(
        self, moto_ends: Ends, monkeypatch: pytest.MonkeyPatch, source: str
    ) -> None:
        save = moto_ends.put if source == "photos" else partial(moto_ends.write, to="media")
        for name in ("a", "b"):
            save(name, b"1")
        for name in ("extra", "late"):
            moto_ends.archive.put(f"out/{name}", b"2")
        plan = plan_of(source, "archive", delete=True)
        listed, entries = [], plan.source.entries

        def entries_then_late(*arguments: str) -> Iterator[Any]:
            found = list(entries(*arguments))
            listed.append([entry.name for entry in found])
            if len(listed) == 2:
                save("late", b"2")
            yield from found

        monkeypatch.setattr(plan.source, "entries", entries_then_late)
        report = Copier(plan._replace(allow_empty=True)).run()
        assert listed == [["a", "b"], ["a", "b"]]
        assert (report.extra, report.deleted) == (1, 1)
        assert sorted(moto_ends.of_archive()) == ["a", "b", "late"]


def test_a_listing_that_fails_fails_the_copy(ends: Ends, s3_proxy: S3Proxy) -> None:
    ends.put("a", b"x")
    s3_proxy.inject(query="list-type", status=403, times=None)
    answer = call("copy", "photos", "archive")
    assert answer.code == 1
    assert "S3 denied the request" in answer.err
