"""What pages that say how to do one thing promise, compared with what happens."""

from __future__ import annotations

import io
import json
import os
import re
import uuid
from typing import Any, Callable, Dict, Iterator, List, Tuple

import boto3
import pytest
import urllib3
from botocore.config import Config
from django.core.files.base import ContentFile
from django.test import override_settings

from smart_storages.exceptions import AccessDeniedError
from smart_storages.storages import SmartS3Storage
from smart_storages.utils import get_storage
from tests import documentation
from tests.management.calls import call
from tests.management.checking.broken import User
from tests.servers import CephGateway, S3Server

pytestmark = pytest.mark.documentation


def rows(page: str, columns: int) -> List[Tuple[str, ...]]:
    """The rows of the tables of a page that have so many columns, without their heads."""
    prose = documentation.without_blocks(page)
    tables = re.findall(r"(?:^\|.*\|\n)+", prose, re.MULTILINE)
    found = []
    for table in tables:
        lines = [line.strip("|\n ") for line in table.splitlines()][2:]
        found += [tuple(cell.strip() for cell in line.split(" | ")) for line in lines]
    return [row for row in found if len(row) == columns]


# docs/regions.md


def test_the_host_of_a_url_follows_from_the_region_as_the_page_says(settings: Any) -> None:
    for name in ("AWS_S3_ENDPOINT_URL", "AWS_S3_REGION_NAME", "SMART_STORAGE_PROVIDER"):
        setattr(settings, name, None)
    wrong, seen = [], 0
    for module, shown in rows("docs/regions.md", 2):
        host, _, bucket = shown.strip("`").partition("/")  # of a name with a dot, it is behind
        option = re.match(r"`(\".+?\": .+?)`", module)
        if ".amazonaws.com" not in host:
            continue
        options = {"region_name": "eu-central-1"}
        if option:
            options.update(eval(f"{{{option[1]}}}", {"Config": Config}))  # noqa: S307 - our page
        for given in [options, {}] if "none at all" in module else [options]:
            seen += 1
            url = url_of(bucket or host.split(".")[0], given)
            if not url.startswith(f"https://{shown.strip('`')}/a.txt?"):
                wrong.append((module, url))
    assert wrong == []
    assert seen == 6


def url_of(bucket: str, options: Dict[str, Any]) -> str:
    keys = {"access_key": "a", "secret_key": "b"}
    return str(SmartS3Storage("m", bucket_name=bucket, **keys, **options).url("a.txt"))


# docs/servers.md


def test_each_recipe_leads_to_its_server_with_the_provider_of_its_heading() -> None:
    names: Dict[str, Any] = {}
    found = []
    for block in documentation.blocks("docs/servers.md"):
        if block.language != "python":
            continue
        exec(compile(block.text, block.place, "exec"), names)  # noqa: S102 - our page
        for module, entry in names.get("SMART_STORAGE_BUCKETS", {}).items():
            keys = {each: "k" for each in ("access_key", "secret_key") if each in entry}
            if entry.get("backend") == "azure":
                keys = {"account_key": "aGVsbG8="}
            with override_settings(
                SMART_STORAGE_BUCKETS={module: {**entry, **keys}}, AWS_S3_ENDPOINT_URL=None
            ):
                storage = get_storage(module)
                provider = storage.s3_provider.name if storage.is_in_s3 else storage.backend
                host = urllib3.util.parse_url(storage.url("a.txt")).host if keys else ""
                found.append((provider, host))
    assert found == [
        ("minio", "files.example.com"),
        ("ceph", "rgw.example.com"),
        ("r2", "0123456789abcdef.r2.cloudflarestorage.com"),
        ("r2", "media.example.com"),
        ("b2", "s3.eu-central-003.backblazeb2.com"),
        ("spaces", "acme-media.fra1.cdn.digitaloceanspaces.com"),
        ("wasabi", "s3.eu-central-1.wasabisys.com"),
        ("gcs", ""),
        ("gcs", "storage.googleapis.com"),
        ("azure", "acmefiles.blob.core.windows.net"),
    ]


# docs/roles.md


@pytest.fixture(scope="module")
def user(ceph_gateway: CephGateway) -> User:
    name = f"page-{uuid.uuid4().hex[:8]}"
    return User(name, ceph_gateway.create_user(name))


class Calls:
    """The calls of the table, made by a user who has only the rights that are granted."""

    def __init__(self, owner: S3Server, user: User) -> None:
        self._client, self._user = owner.client(), user
        self.bucket = owner.create_bucket()
        self.entry = {
            "bucket_name": self.bucket,
            "endpoint_url": user.server.endpoint_url,
            "access_key": user.server.access_key,
            "secret_key": user.server.secret_key,
            "provider": "ceph",
        }
        self._storage = SmartS3Storage("m", **self.entry)

    def grant(self, rights: List[str], *denied: str) -> None:
        arn = f"arn:aws:s3:::{self.bucket}"
        common = {"Principal": self._user.principal, "Resource": [arn, f"{arn}/*"]}
        statements = [{"Effect": "Allow", "Action": rights, **common}]
        if denied:
            # Who saved a file is its owner, and may do with it what nothing allows.
            statements.append({"Effect": "Deny", "Action": list(denied), **common})
        policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
        self._client.put_bucket_policy(Bucket=self.bucket, Policy=policy)

    def _file(self) -> str:
        name = uuid.uuid4().hex
        self._client.put_object(Bucket=self.bucket, Key=name, Body=b"x")
        return name

    def _started(self) -> Tuple[str, str]:
        name = uuid.uuid4().hex
        answer = self._client.create_multipart_upload(Bucket=self.bucket, Key=name)
        return name, answer["UploadId"]

    def save(self) -> None:
        self._storage.save(uuid.uuid4().hex, ContentFile(b"x"))

    def write(self) -> None:
        with self._storage.open(uuid.uuid4().hex, "wb") as file:
            file.write(os.urandom(9 * 1024 * 1024))

    def read(self) -> None:
        with self._storage.open(self._file()) as file:
            assert file.read() == b"x"

    def ask(self) -> None:
        assert self._storage.size(self._file()) == 1
        assert self._storage.get_modified_time(self._file())
        assert self._storage.stat(self._file()).size == 1

    def exists(self) -> None:
        assert not self._storage.exists("missing")

    def listdir(self) -> None:
        self._storage.listdir("")

    def iter_files(self) -> None:
        list(self._storage.iter_files())

    def delete(self) -> None:
        self._storage.delete(self._file())

    def delete_many(self) -> None:
        for error in self._storage.delete_many([self._file(), self._file()]).values():
            raise error

    def copy(self) -> None:
        self._storage.copy(self._file(), uuid.uuid4().hex)

    def move(self) -> None:
        self._storage.move(self._file(), uuid.uuid4().hex)

    def url(self) -> None:
        _ask("GET", self._storage.url(self._file()))

    def presigned_put(self) -> None:
        put = self._storage.presigned_put(uuid.uuid4().hex, size=1, content_type="text/plain")
        _ask(put["method"], put["url"], headers=put["headers"], body=b"x")

    def presigned_post(self) -> None:
        form = self._storage.presigned_post(uuid.uuid4().hex, max_size=1, content_type="text/plain")
        _ask("POST", form["url"], fields={**form["fields"], "file": ("a", b"x", "text/plain")})

    def list_parts(self) -> None:
        self._storage.list_parts(*self._started())

    def abort(self) -> None:
        self._storage.abort_multipart_upload(*self._started())

    def iter_uploads(self) -> None:
        list(self._storage.iter_multipart_uploads())

    def usage(self) -> None:
        with override_settings(SMART_STORAGE_BUCKETS={"m": self.entry}, STORAGES={}):
            # Files are listed as well, which is another row.
            if "could not be listed" in call("usage", "m").out:
                raise AccessDeniedError


def _ask(method: str, url: str, **more: Any) -> None:
    if urllib3.request(method, url, **more).status == 403:
        raise AccessDeniedError


#: The rows of the table, by their first cell.
_ROWS: Dict[str, List[Callable[[Calls], None]]] = {
    '`save`, a write with `open(name, "wb")`': [Calls.save, Calls.write],
    "`open`, `size`, `get_modified_time`, `stat`": [Calls.read, Calls.ask],
    "`exists` of a file that is missing": [Calls.exists],
    "`listdir`, `iter_files`": [Calls.listdir, Calls.iter_files],
    "`delete`, `delete_many`": [Calls.delete, Calls.delete_many],
    "`copy`": [Calls.copy],
    "`move`": [Calls.move],
    "`url`, when somebody uses it": [Calls.url],
    "`presigned_put`, `presigned_post`, when somebody uses it": [
        Calls.presigned_put,
        Calls.presigned_post,
    ],
    "`list_parts`": [Calls.list_parts],
    "`abort_multipart_upload`, a large save that fails": [Calls.abort],
    "`iter_multipart_uploads`, `buckets usage`, `buckets audit`": [Calls.iter_uploads],
}


def _is_refused(act: Callable[[Calls], None], calls: Calls) -> bool:
    try:
        act(calls)
    except AccessDeniedError:
        return True
    return False


@pytest.mark.real_s3
def test_each_call_needs_the_rights_of_its_row_and_no_other(
    ceph_gateway: CephGateway, user: User
) -> None:
    calls = Calls(ceph_gateway.server, user)
    table = documentation.read("docs/roles.md").split("<!-- rights -->")[1]
    table = table.split("<!-- /rights -->")[0]
    found = re.findall(r"^\| (`.+?) \| (.+?) \|$", table, re.MULTILINE)
    rights = {name: sorted(set(re.findall(r"s3:\w+", cell))) for name, cell in found}
    assert rights.keys() == _ROWS.keys()
    every = sorted({right for row in rights.values() for right in row})
    wrong = []
    for name, needed in rights.items():
        others = [right for right in every if right not in needed]
        calls.grant(needed, *others)
        wrong += [f"{name}: more" for act in _ROWS[name] if _is_refused(act, calls)]
        for right in needed:
            calls.grant(every, right)
            wrong += [f"{name}: {right}" for act in _ROWS[name] if not _is_refused(act, calls)]
    assert wrong == []
    calls.grant(every)
    assert not _is_refused(Calls.usage, calls)
    calls.grant(every, "s3:ListBucketMultipartUploads")
    assert _is_refused(Calls.usage, calls)


@pytest.fixture
def restricted(ceph_gateway: CephGateway, user: User) -> Iterator[Callable[[str], None]]:
    server = ceph_gateway.server
    iam = boto3.client(
        "iam",
        endpoint_url=server.endpoint_url,
        aws_access_key_id=server.access_key,
        aws_secret_access_key=server.secret_key,
        region_name=server.region_name,
    )
    named = {"UserName": user.name, "PolicyName": "page"}
    yield lambda document: iam.put_user_policy(PolicyDocument=document, **named)
    iam.delete_user_policy(**named)


@pytest.mark.real_s3
def test_the_policy_of_a_tenant_reaches_its_own_files_alone(
    ceph_gateway: CephGateway, user: User, restricted: Callable[[str], None]
) -> None:
    calls = Calls(ceph_gateway.server, user)
    [block] = [
        each for each in documentation.blocks("docs/roles.md") if each.file == "myproject/keys.py"
    ]
    keys: Dict[str, Any] = {}
    exec(compile(block.text, block.place, "exec"), keys)  # noqa: S102 - our page
    policy = json.dumps(keys["policy_of"]("tenant_acme"))
    restricted(policy.replace("arn:aws:s3:::acme-tenants", f"arn:aws:s3:::{calls.bucket}"))
    own = SmartS3Storage("m", location="tenant_acme/", **calls.entry)
    other = SmartS3Storage("m", location="tenant_acme2/", **calls.entry)
    large = io.BytesIO(os.urandom(9 * 1024 * 1024))
    name = own.save("a.bin", ContentFile(large.getvalue()))
    assert own.open(name).read() == large.getvalue()
    assert own.listdir("")[1] == [name]
    assert not own.exists("missing")
    own.delete(name)
    ceph_gateway.server.client().put_object(
        Bucket=calls.bucket, Key="tenant_acme2/b.txt", Body=b"x"
    )
    acts: List[Callable[[], Any]] = [
        lambda: other.open("b.txt").read(),
        lambda: other.save("c.txt", ContentFile(b"x")),
        lambda: other.delete("b.txt"),
        lambda: other.listdir(""),
    ]
    for act in acts:
        with pytest.raises(AccessDeniedError):
            act()
