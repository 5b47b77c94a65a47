import re
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from smart_storages.config.providers import CAUTIOUS, PROVIDERS, get_provider


@pytest.mark.documentation
def test_every_provider_of_the_documentation_has_a_row():
    assert set(PROVIDERS) == {
        "aws", "b2", "ceph", "gcs", "minio", "moto", "r2", "spaces", "wasabi",
    }  # fmt: skip


@pytest.mark.parametrize("name", sorted(PROVIDERS))
def test_a_named_provider_wins_over_the_endpoint(name):
    assert get_provider(name, "https://s3.example.com").name == name


def test_no_endpoint_means_aws():
    assert get_provider(None, None).name == "aws"


@pytest.mark.parametrize(
    "endpoint",
    ["https://s3.eu-west-1.amazonaws.com", "https://s3.cn-north-1.amazonaws.com.cn"],
)
def test_an_endpoint_of_aws_means_aws(endpoint):
    assert get_provider(None, endpoint).name == "aws"


@pytest.mark.parametrize(
    "endpoint",
    ["http://localhost:9000", "https://amazonaws.com.example.org", "https://notamazonaws.com"],
)
def test_any_other_endpoint_gets_the_cautious_row(endpoint):
    assert get_provider(None, endpoint) is CAUTIOUS


def test_the_cautious_row_promises_nothing_that_a_row_lacks():
    for row in PROVIDERS.values():
        assert row.conditional_put >= CAUTIOUS.conditional_put
        assert row.conditional_complete >= CAUTIOUS.conditional_complete


def test_an_unknown_provider_is_an_error():
    with pytest.raises(KeyError):
        get_provider("azure", None)


@pytest.mark.documentation
def test_the_documentation_holds_the_table_as_it_is():
    page = Path(__file__).parents[2] / "docs" / "providers.md"
    written = [line for line in page.read_text(encoding="utf-8").splitlines() if "| `" in line]
    words = {True: "yes", False: "no", None: "-"}
    for row in PROVIDERS.values():
        cells = [
            f"`{row.name}`",
            row.checksum,
            row.addressing_style or "-",
            *(
                words[value]
                for value in (
                    row.conditional_put,
                    row.conditional_complete,
                    row.acls,
                    row.bulk_delete,
                    row.md5_etags,
                )
            ),
        ]
        assert f"| {' | '.join(cells)} |" in written
    assert len(written) == len(PROVIDERS)


@pytest.mark.documentation
def test_the_page_on_never_overwriting_says_the_means_of_each_row():
    page = Path(__file__).parents[2] / "docs" / "never-overwrite.md"
    rows = re.findall(
        r"^\| (`\w+`|none named, not AWS) \| (\w+) \| (\w+) \| (\w+) \|$",
        page.read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    expected = []
    for row in (*PROVIDERS.values(), CAUTIOUS):
        otherwise = "claim" if row.conditional_put else "suffix"
        expected.append(
            (
                "none named, not AWS" if row is CAUTIOUS else f"`{row.name}`",
                "condition" if row.conditional_put else "suffix",
                "condition" if row.conditional_complete else otherwise,
                "condition" if row.name == "aws" else otherwise,
            )
        )
    assert rows == expected


class TestRowsOnTheirServers:
    """What a row says of a server we can start is what that server does."""

    @pytest.fixture
    def row(self, s3_bucket):
        return PROVIDERS[s3_bucket.server.name]

    @staticmethod
    def is_refused(call, **arguments):
        try:
            call(**arguments)
        except ClientError:
            return True
        return False

    def test_conditional_put(self, s3_bucket, row):
        s3_bucket.put("a", b"first")
        name = {"Bucket": s3_bucket.name, "Key": "a"}
        put = s3_bucket.client.put_object
        assert self.is_refused(put, **name, Body=b"x", IfNoneMatch="*") is row.conditional_put

    def test_conditional_complete(self, s3_bucket, row):
        s3_bucket.put("a", b"first")
        client, name = s3_bucket.client, {"Bucket": s3_bucket.name, "Key": "a"}
        name["UploadId"] = client.create_multipart_upload(**name)["UploadId"]
        part = client.upload_part(**name, PartNumber=1, Body=b"x")
        refused = self.is_refused(
            client.complete_multipart_upload,
            **name,
            MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]},
            IfNoneMatch="*",
        )
        assert refused is row.conditional_complete

    def test_acls(self, s3_bucket, row):
        s3_bucket.put("a", b"", ACL="public-read")
        grants = s3_bucket.client.get_object_acl(Bucket=s3_bucket.name, Key="a")["Grants"]
        is_public = any("AllUsers" in grant["Grantee"].get("URI", "") for grant in grants)
        assert is_public is row.acls

    def test_checksum(self, s3_bucket, row):
        wrong = {
            "md5": {"ContentMD5": "1B2M2Y8AsgTpgAmY7PhCfg=="},
            "crc32": {"ChecksumCRC32": "AAAAAA=="},
        }[row.checksum]
        if s3_bucket.server.name == "moto":
            pytest.skip("moto takes any checksum: that it is sent is tested with the writer")
        name = {"Bucket": s3_bucket.name, "Key": "a"}
        assert self.is_refused(s3_bucket.client.put_object, **name, Body=b"x", **wrong)
