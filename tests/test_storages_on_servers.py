"""What django-storages does on a server, SmartS3Storage does too; both run side by side."""

import urllib.error
import urllib.request
from datetime import datetime

import pytest
from django.core.files.base import ContentFile, File
from django.core.files.uploadedfile import SimpleUploadedFile
from storages.backends.s3boto3 import S3Boto3Storage

from smart_storages.common.compat import KEEPS_OVERWRITTEN_NAMES
from smart_storages.storages import DocumentStorage, MediaStorage, PublicStorage, SmartS3Storage
from tests.conftest import lead_to

CONTENT = bytes(range(256)) * 40


def fetch(url):
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read()


def status_of(url):
    try:
        fetch(url)
    except urllib.error.HTTPError as error:
        return error.code
    return 200


@pytest.fixture
def pair(s3_settings):
    """Ours and upstream's, in two locations of one bucket."""
    return SmartS3Storage("m", location="ours"), S3Boto3Storage(location="theirs")


def both(pair, action):
    ours, theirs = (action(storage) for storage in pair)
    assert ours == theirs
    return ours


class TestSideBySide:
    def test_what_is_saved_is_read_listed_and_deleted(self, pair):
        both(pair, lambda storage: storage.save("a/b.bin", ContentFile(CONTENT)))
        both(pair, lambda storage: storage.save("c.txt", ContentFile(b"")))
        assert both(pair, lambda storage: storage.open("a/b.bin").read()) == CONTENT
        assert both(pair, lambda storage: storage.open("c.txt").read()) == b""
        assert both(pair, lambda storage: storage.size("a/b.bin")) == len(CONTENT)
        assert both(pair, lambda storage: storage.listdir("")) == (["a"], ["c.txt"])
        assert both(pair, lambda storage: storage.listdir("a")) == ([], ["b.bin"])
        if KEEPS_OVERWRITTEN_NAMES:  # before, upstream's said no, whatever is there
            assert both(pair, lambda storage: storage.exists("a/b.bin")) is True
        assert pair[0].exists("a/b.bin") is True
        both(pair, lambda storage: storage.delete("a/b.bin"))
        assert both(pair, lambda storage: storage.exists("a/b.bin")) is False
        both(pair, lambda storage: storage.delete("a/b.bin"))

    def test_a_missing_file_raises_file_not_found(self, pair):
        for storage in pair:
            for use in (storage.open, storage.size):
                with pytest.raises(FileNotFoundError):
                    use("missing.txt")

    def test_saving_overwrites_unless_told_otherwise(self, pair):
        for content in (b"one", b"two"):
            both(pair, lambda storage, c=content: storage.save("a.txt", ContentFile(c)))
        assert both(pair, lambda storage: storage.open("a.txt").read()) == b"two"

    def test_without_overwriting_the_second_file_gets_a_name_of_its_own(
        self, s3_settings, s3_bucket
    ):
        storage = SmartS3Storage("m", file_overwrite=False, provider=s3_bucket.server.name)
        names = [storage.save("a.txt", ContentFile(text)) for text in (b"one", b"two")]
        assert names[0] == "a.txt"
        assert names[1] != "a.txt"
        assert [storage.open(name).read() for name in names] == [b"one", b"two"]

    @pytest.mark.parametrize("name", ["ü ñ+%~.txt", "日本語.txt", "a'b(c)!.txt", "a=b&c;d,e.txt"])
    def test_unusual_names_come_back_as_they_went(self, pair, name):
        both(pair, lambda storage: storage.save(name, ContentFile(b"x")))
        assert both(pair, lambda storage: storage.listdir("")) == ([], [name])
        assert both(pair, lambda storage: fetch(storage.url(name))) == b"x"

    def test_the_content_type_is_guessed_or_taken_from_the_upload(self, pair, s3_bucket):
        for storage in pair:
            storage.save("a.css", ContentFile(b"x"))
            storage.save("b", SimpleUploadedFile("b", b"x", content_type="text/x-odd"))
            types = [
                s3_bucket.client.head_object(Bucket=s3_bucket.name, Key=f"{storage.location}/{n}")
                for n in ("a.css", "b")
            ]
            assert [answer["ContentType"] for answer in types] == ["text/css", "text/x-odd"]

    def test_the_modified_time_follows_use_tz(self, pair, settings):
        for storage in pair:
            storage.save("a.txt", ContentFile(b"x"))
        for aware in (True, False):
            settings.USE_TZ = aware
            for storage in pair:
                modified = storage.get_modified_time("a.txt")
                assert isinstance(modified, datetime)
                assert (modified.tzinfo is not None) is aware

    def test_writing_through_open_and_text_mode_work(self, pair):
        for storage in pair:
            with storage.open("a.txt", "w") as file:
                file.write("grüße")
        assert both(pair, lambda storage: storage.open("a.txt", "r").read()) == "grüße"

    def test_gzip_is_written_and_read(self, s3_settings, s3_bucket):
        for storage_class in (SmartS3Storage, S3Boto3Storage):
            storage = storage_class(gzip=True, location=storage_class.__name__)
            storage.save("a.css", ContentFile(b"body {}" * 100))
            assert storage.open("a.css").read() == b"body {}" * 100
            key = f"{storage_class.__name__}/a.css"
            head = s3_bucket.client.head_object(Bucket=s3_bucket.name, Key=key)
            assert head["ContentEncoding"] == "gzip"

    def test_saving_leaves_the_callers_file_open_and_saves_it_from_the_start(self, pair, tmp_path):
        path = tmp_path / "a.bin"
        path.write_bytes(CONTENT)
        for storage in pair:
            with path.open("rb") as handle:
                handle.read(100)
                storage.save("a.bin", File(handle))
                assert not handle.closed
        assert both(pair, lambda storage: storage.open("a.bin").read()) == CONTENT


class TestAccess:
    """moto lets anybody read; only Ceph can judge this."""

    @pytest.fixture
    def bucket(self, ceph, settings):
        lead_to(settings, ceph, ceph.create_bucket())

    @pytest.mark.real_s3
    def test_a_public_file_is_read_by_anybody_and_a_private_one_by_nobody(self, bucket):
        public, private = PublicStorage(), DocumentStorage()
        names = [storage.save("a.txt", ContentFile(b"x")) for storage in (public, private)]
        assert fetch(public.url(names[0])) == b"x"
        signed = private.url(names[1])
        assert fetch(signed) == b"x"
        assert status_of(signed.split("?")[0]) == 403

    @pytest.mark.real_s3
    def test_a_signed_url_that_is_changed_is_refused(self, bucket):
        storage = MediaStorage()
        names = [storage.save(name, ContentFile(b"x")) for name in ("a.txt", "b.txt")]
        assert status_of(storage.url(names[0]).replace(*names)) == 403

    @pytest.mark.real_s3
    def test_a_module_uses_its_own_credentials_and_only_those(self, bucket, ceph_gateway, settings):
        other = ceph_gateway.create_user()
        settings.SMART_STORAGE_BUCKETS = {
            "pii": {"access_key": other.access_key, "secret_key": other.secret_key}
        }
        with pytest.raises(Exception, match=r"403|denied") as raised:
            SmartS3Storage("pii").open("a.txt")
        assert other.secret_key not in str(raised.value)
        own = other.create_bucket()
        settings.SMART_STORAGE_BUCKETS["pii"]["bucket_name"] = own
        storage = SmartS3Storage("pii")
        storage.save("a.txt", ContentFile(b"secret"))
        assert storage.open("a.txt").read() == b"secret"
        with pytest.raises(Exception, match=r"403|denied"):
            SmartS3Storage("media", bucket_name=own).open("a.txt").read()
