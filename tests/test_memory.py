"""Large files up to Ceph and down, each in a process of its own whose memory is looked at."""

import json
import subprocess
import sys

import pytest

from tests.conftest import REQUIRE_REAL_S3
from tests.servers import CephGateway, ceph_available

pytestmark = pytest.mark.real_s3

MIB = 1024**2

CHILD = """
import io, json, sys
import django
from django.conf import settings
order = json.loads(sys.argv[1])
settings.configure(INSTALLED_APPS=["smart_storages"], **order["settings"])
django.setup()
from django.core.files.base import ContentFile, File
from benchmarks.memory import peak_memory
from smart_storages.storages import SmartS3Storage

class Endless(io.RawIOBase):
    def read(self, size):
        size = min(size, self.left)
        self.left -= size
        return bytes(size)

storage = SmartS3Storage(provider="ceph", file_overwrite=order["overwrite"])
storage.save("warm.txt", ContentFile(b"x"))
before = peak_memory()
if order["how"] == "read":
    storage.open("warm.txt").read()
    before = peak_memory()
    size = sum(map(len, storage.open("large.bin").chunks()))
    print(json.dumps({"grown": peak_memory() - before, "size": size}))
    sys.exit()
if order["how"] == "save":
    content = Endless()
    content.left = order["size"]
    storage.save("large.bin", File(content, "large.bin"))
else:
    with storage.open("large.bin", "wb") as file:
        for _ in range(order["size"] // 2**20):
            file.write(bytes(2**20))
print(json.dumps({"grown": peak_memory() - before, "size": storage.size("large.bin")}))
"""


@pytest.fixture
def gateway():
    # One of its own: Ceph gives the memory of deleted objects back only when it ends.
    if not ceph_available() and not REQUIRE_REAL_S3:
        pytest.skip("Ceph is not installed")
    with CephGateway() as server:
        yield server


@pytest.mark.slow
@pytest.mark.parametrize("size", [96 * MIB, pytest.param(1024 * MIB, marks=pytest.mark.soak)])
def test_a_large_file_goes_up_and_down_in_64_mebibytes_of_memory(gateway, size):
    for how, overwrite in (("save", True), ("save", False), ("open", True)):
        order = {
            "how": how,
            "overwrite": overwrite,
            "size": size,
            "settings": {
                **gateway.django_settings(),
                "AWS_STORAGE_BUCKET_NAME": gateway.create_bucket(),
            },
        }
        for each in (order, {**order, "how": "read"}):
            child = subprocess.run(
                [sys.executable, "-W", "ignore", "-c", CHILD, json.dumps(each)],
                stdout=subprocess.PIPE,
                check=True,
            )
            outcome = json.loads(child.stdout)
            assert outcome["size"] == size
            assert outcome["grown"] <= 64 * MIB
