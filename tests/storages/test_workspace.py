"""Work on local disk: what is sent, what is not, and that the disk is clean afterwards."""

import os
import tempfile

import pytest
from django.core.exceptions import SuspiciousFileOperation

from smart_storages.exceptions import (
    AccessDeniedError,
    ObjectChangedError,
    ObjectNotFoundError,
)
from smart_storages.storages import SmartS3Storage
from tests.conftest import methods


@pytest.fixture
def make_storage(s3_bucket, s3_settings, tmp_path):
    s3_settings.FILE_UPLOAD_TEMP_DIR = str(tmp_path)

    def make(**options):
        options.setdefault("provider", s3_bucket.server.name)
        return SmartS3Storage(module_name="media", **options)

    yield make
    assert os.listdir(tmp_path) == []


class TestLocalCopy:
    def test_it_is_a_real_path_and_one_request(
        self, s3_bucket, s3_proxy, make_storage, count_requests, tmp_path
    ):
        s3_bucket.put("docs/a.tar.gz", b"hello")
        with count_requests() as requests, make_storage().local_copy("docs/a.tar.gz") as path:
            assert path.name == "a.tar.gz"
            assert tmp_path in path.parents
            assert path.read_bytes() == b"hello"
            path.write_bytes(b"changed")
        assert methods(requests) == ["GET"]
        assert not path.exists()
        assert s3_bucket.get("docs/a.tar.gz") == b"hello"

    def test_what_changed_is_written_back_under_the_same_name(self, s3_bucket, make_storage):
        s3_bucket.put("a.txt", b"hello", ContentType="text/x-odd")
        storage = make_storage(file_overwrite=False)
        with storage.local_copy("a.txt", write_back=True) as path:
            path.write_bytes(b"olleh")
        assert s3_bucket.keys() == ["a.txt"]
        answer = s3_bucket.client.get_object(Bucket=s3_bucket.name, Key="a.txt")
        assert answer["Body"].read() == b"olleh"
        assert answer["ContentType"] == "text/x-odd"

    def test_what_did_not_change_is_not_sent(
        self, s3_bucket, s3_proxy, make_storage, count_requests
    ):
        s3_bucket.put("a.txt", b"hello")
        with count_requests() as requests:
            with make_storage().local_copy("a.txt", write_back=True) as path:
                path.write_bytes(b"hello")
        assert methods(requests) == ["GET"]

    def test_after_an_exception_nothing_is_written_back(self, s3_bucket, make_storage):
        s3_bucket.put("a.txt", b"hello")
        with pytest.raises(ZeroDivisionError):  # noqa: PT012
            with make_storage().local_copy("a.txt", write_back=True) as path:
                path.write_bytes(b"half")
                1 / 0  # noqa: B018
        assert s3_bucket.get("a.txt") == b"hello"
        assert not path.exists()

    def test_somebody_elses_save_is_not_overwritten(self, s3_bucket, make_storage):
        s3_bucket.put("a.txt", b"hello")
        with pytest.raises(ObjectChangedError, match=r"a\.txt"):  # noqa: PT012
            with make_storage().local_copy("a.txt", write_back=True) as path:
                path.write_bytes(b"ours")
                s3_bucket.put("a.txt", b"theirs")
        assert s3_bucket.get("a.txt") == b"theirs"

    def test_a_link_in_the_place_of_the_file_is_not_followed(self, s3_bucket, make_storage):
        s3_bucket.put("a.txt", b"hello")
        with pytest.raises(OSError):  # noqa: PT011, PT012
            with make_storage().local_copy("a.txt", write_back=True) as path:
                path.unlink()
                path.symlink_to("/etc/hostname")
        assert s3_bucket.get("a.txt") == b"hello"

    def test_a_missing_file_has_no_copy(self, make_storage):
        with pytest.raises(ObjectNotFoundError), make_storage().local_copy("a.txt"):
            pass

    def test_a_name_that_climbs_is_refused(self, s3_proxy, make_storage):
        with pytest.raises(SuspiciousFileOperation), make_storage().local_copy("../a.txt"):
            pass
        with pytest.raises(SuspiciousFileOperation), make_storage().workspace("../a"):
            pass
        assert s3_proxy.requests == []

    def test_a_compressed_file_is_worked_on_unpacked(self, s3_bucket, make_storage):
        import gzip

        s3_bucket.put("a.css", gzip.compress(b"p"), ContentEncoding="gzip", ContentType="text/css")
        storage = make_storage(gzip=True)
        with storage.local_copy("a.css", write_back=True) as path:
            assert path.read_bytes() == b"p"
            path.write_bytes(b"q")
        answer = s3_bucket.client.get_object(Bucket=s3_bucket.name, Key="a.css")
        assert answer["ContentEncoding"] == "gzip"
        assert gzip.decompress(answer["Body"].read()) == b"q"


class TestWorkspace:
    def test_what_was_made_there_is_sent(self, s3_bucket, s3_proxy, make_storage):
        storage = make_storage(location="in")
        with storage.workspace("reports/2024") as folder:
            (folder / "a.csv").write_text("1")
            (folder / "deep/er").mkdir(parents=True)
            (folder / "deep/er/b & ä.csv").write_text("2")
            (folder / "empty").mkdir()
            assert s3_proxy.requests == []
        assert s3_bucket.keys() == ["in/reports/2024/a.csv", "in/reports/2024/deep/er/b & ä.csv"]
        assert s3_bucket.get("in/reports/2024/a.csv") == b"1"
        assert not folder.exists()

    def test_without_a_prefix_it_is_the_root(self, s3_bucket, make_storage):
        with make_storage().workspace() as folder:
            (folder / "a.txt").write_text("1")
        assert s3_bucket.keys() == ["a.txt"]

    def test_after_an_exception_nothing_is_sent(self, s3_proxy, make_storage):
        with pytest.raises(ZeroDivisionError):  # noqa: PT012
            with make_storage().workspace("x") as folder:
                (folder / "a.txt").write_text("1")
                1 / 0  # noqa: B018
        assert s3_proxy.requests == []
        assert not folder.exists()

    @pytest.mark.parametrize("kind", ["file", "folder", "relative", "dangling", "chain", "pipe"])
    def test_what_leads_out_of_it_is_refused_and_nothing_sent(self, s3_proxy, make_storage, kind):
        outside = tempfile.mkdtemp()
        with pytest.raises(SuspiciousFileOperation, match="trap"):  # noqa: PT012
            with make_storage().workspace("x") as folder:
                (folder / "a.txt").write_text("1")
                trap = folder / "sub" / "trap"
                trap.parent.mkdir()
                if kind == "file":
                    trap.symlink_to("/etc/hostname")
                elif kind == "folder":
                    trap.symlink_to(outside)
                elif kind == "relative":
                    trap.symlink_to("../../..")
                elif kind == "dangling":
                    trap.symlink_to(folder / "nothing")
                elif kind == "chain":
                    trap.symlink_to("trap-too")
                    (folder / "sub/trap-too").symlink_to("/etc/hostname")
                else:
                    os.mkfifo(trap)
        os.rmdir(outside)
        assert s3_proxy.requests == []

    def test_a_link_within_it_is_sent_as_a_file(self, s3_bucket, make_storage):
        with make_storage().workspace() as folder:
            (folder / "a.txt").write_text("1")
            (folder / "b.txt").symlink_to("a.txt")
        assert s3_bucket.get("b.txt") == b"1"

    def test_a_refused_file_is_an_error_and_the_disk_is_clean(
        self, s3_bucket, s3_proxy, make_storage
    ):
        s3_proxy.inject(method="PUT", status=403)
        with pytest.raises(AccessDeniedError):  # noqa: PT012
            with make_storage().workspace() as folder:
                (folder / "a.txt").write_text("1")
                (folder / "b.txt").write_text("1")
        assert len(s3_bucket.keys()) == 1
