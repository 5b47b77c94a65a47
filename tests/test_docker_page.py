"""docs/docker.md: what can be tried of it without Docker and without a cluster."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, Dict, Iterator, List

import pytest
import yaml

from tests import documentation, walkthrough
from tests.servers import S3Proxy
from tests.servers.base import free_port

pytestmark = [pytest.mark.one_server, pytest.mark.documentation]

PAGE = "docs/docker.md"
PATIENCE = 60.0
VIEWS = """
from django.core.files.storage import default_storage
from django.http import HttpResponse
from django.views.decorators.csrf import csrf_exempt

@csrf_exempt
def upload(request):
    return HttpResponse(default_storage.save("a.bin", request.FILES["file"]))
"""
URLS = """
from django.urls import path
from myproject.views import upload
urlpatterns = [path("upload", upload)]
"""


def blocks(language: str) -> List[str]:
    return [each.text for each in documentation.blocks(PAGE) if each.language == language]


def documents() -> List[Dict[str, Any]]:
    return list(yaml.safe_load_all(blocks("yaml")[1]))


def of_kind(kind: str) -> Dict[str, Any]:
    return next(each for each in documents() if each["kind"] == kind)


def image() -> Dict[str, str]:
    return dict(documentation.instructions(blocks("dockerfile")[0]))


def command() -> List[str]:
    words: List[str] = json.loads(image()["CMD"])
    return words


# The documents agree with the image and with each other


def test_the_pods_run_the_image_as_its_user_and_have_what_it_writes_to() -> None:
    pod = of_kind("Deployment")["spec"]["template"]["spec"]
    (web,) = pod["containers"]
    assert str(pod["securityContext"]["runAsUser"]) == image()["USER"]
    assert str(web["ports"][0]["containerPort"]) == image()["EXPOSE"]
    assert web["readinessProbe"]["tcpSocket"]["port"] == web["ports"][0]["containerPort"]
    assert f"0.0.0.0:{image()['EXPOSE']}" in command()
    mounts = {each["name"]: each["mountPath"] for each in web["volumeMounts"]}
    assert set(mounts) == {each["name"] for each in pod["volumes"]}
    assert {each["name"]: each["value"] for each in web["env"]} == {"UPLOADS": mounts["uploads"]}
    assert 'os.environ.get("UPLOADS"' in blocks("python")[0]
    assert web["securityContext"]["readOnlyRootFilesystem"]


def test_a_pod_has_time_to_end_its_requests() -> None:
    pod = of_kind("Deployment")["spec"]["template"]["spec"]
    sleep = pod["containers"][0]["lifecycle"]["preStop"]["exec"]["command"]
    graceful = command()[command().index("--graceful-timeout") + 1]
    assert pod["terminationGracePeriodSeconds"] > int(sleep[1]) + int(graceful)


def test_all_pods_have_the_account_and_the_image_of_the_site() -> None:
    account = of_kind("ServiceAccount")["metadata"]["name"]
    specs = [
        of_kind("Deployment")["spec"]["template"]["spec"],
        of_kind("Job")["spec"]["template"]["spec"],
        of_kind("CronJob")["spec"]["jobTemplate"]["spec"]["template"]["spec"],
    ]
    assert {each["serviceAccountName"] for each in specs} == {account}
    assert len({each["containers"][0]["image"] for each in specs}) == 1
    assert all({"apiVersion", "kind", "metadata"} <= set(each) for each in documents())


def test_neither_image_nor_manifests_hold_a_key() -> None:
    for text in [*blocks("dockerfile"), blocks("yaml")[1]]:
        assert not re.search(r"AWS_SECRET|ACCESS_KEY|PASSWORD", text)


@pytest.mark.parametrize(
    "text",
    ["a: [", "command: python manage.py nothing", "b: {c: [{command: [python, nothing.py]}]}"],
)
def test_a_wrong_document_is_seen(text: str) -> None:
    with pytest.raises((Exception, SystemExit)):
        documentation.check_yaml(text)


@pytest.mark.parametrize("line", ["RUN nothing", "RUN if", "run pip install x", 'CMD ["nothing"]'])
def test_a_wrong_dockerfile_is_seen(line: str) -> None:
    with pytest.raises((Exception, SystemExit)):
        documentation.check_dockerfile(line)


# The image's commands, in a project of the page's settings


class Site:
    """The project as the image would have it, with the directories that a pod may write to."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.code = root / "site"
        self.environment = {**walkthrough.installed_environment(), "HOME": str(root)}
        for name, folder in (("TMPDIR", "tmp"), ("UPLOADS", "uploads")):
            (root / folder).mkdir()
            self.environment[name] = str(root / folder)
        for word in image()["ENV"].split():
            name, _, text = word.partition("=")
            self.environment[name] = text.replace("/tmp", str(root / "tmp"))  # noqa: S108
        self.code.mkdir()
        self.run("python", "-m", "django", "startproject", "myproject", ".")
        for file, text in (
            ("settings", blocks("python")[0]),
            ("views", VIEWS),
            ("urls", URLS),
        ):
            with (self.code / f"myproject/{file}.py").open("a", encoding="utf-8") as opened:
                opened.write(f"\n{text}")

    def run(self, *words: str, **environment: str) -> str:
        done = subprocess.run(
            [sys.executable, *words[1:]],
            cwd=self.code,
            env={**self.environment, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=PATIENCE,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    def written(self) -> List[str]:
        """Every file that is not in a volume."""
        return sorted(
            str(each)
            for each in self.root.rglob("*")
            if each.relative_to(self.root).parts[0] not in ("tmp", "uploads")
        )


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


@pytest.fixture
def running(site: Site, s3_bucket: Any) -> Iterator[Any]:
    """The environment of a pod: a bucket behind a proxy, and keys."""
    with S3Proxy(s3_bucket.endpoint_url) as proxy:
        site.environment.update(
            SECRET_KEY="k",
            ALLOWED_HOSTS="127.0.0.1",
            MEDIA_BUCKET=s3_bucket.name,
            STATIC_BUCKET=s3_bucket.name,
            S3_ENDPOINT_URL=proxy.endpoint_url,
            S3_PROVIDER=s3_bucket.server.name,
            AWS_ACCESS_KEY_ID=s3_bucket.access_key,
            AWS_SECRET_ACCESS_KEY=s3_bucket.secret_key,
        )
        yield proxy


@pytest.mark.slow
def test_the_image_is_built_without_keys_and_without_a_bucket(site: Site) -> None:
    for name, rest in documentation.instructions(blocks("dockerfile")[0]):
        if name == "RUN" and "python" in rest.split():
            done = subprocess.run(
                ["bash", "-c", rest],
                cwd=site.code,
                env={**site.environment, "AWS_EC2_METADATA_DISABLED": "true"},
                capture_output=True,
                check=False,
                timeout=PATIENCE,
            )
            assert done.returncode == 0, done.stderr.decode()


@pytest.mark.slow
def test_the_jobs_of_a_pod_run(site: Site, running: Any, s3_bucket: Any) -> None:
    for spec in (
        of_kind("Job")["spec"]["template"]["spec"],
        of_kind("CronJob")["spec"]["jobTemplate"]["spec"]["template"]["spec"],
    ):
        before = site.written()
        site.run(*spec["containers"][0]["command"])
        assert site.written() == before
    assert "static/staticfiles.json" in s3_bucket.keys("")
    if s3_bucket.server.name == "moto":
        return  # which checks no signatures, as `buckets check` says
    probe = of_kind("Deployment")["spec"]["template"]["spec"]["containers"][0]["startupProbe"]
    site.run(*probe["exec"]["command"])


@pytest.mark.slow
def test_a_pod_that_ends_saves_the_file_of_its_last_request_and_writes_nowhere_else(
    site: Site, running: Any, s3_bucket: Any
) -> None:
    port = free_port()
    words = [
        word.replace(f"0.0.0.0:{image()['EXPOSE']}", f"127.0.0.1:{port}") for word in command()
    ]
    before = site.written()
    server = subprocess.Popen(
        [sys.executable, "-m", *words], cwd=site.code, env=site.environment, start_new_session=True
    )
    try:
        held = running.inject(method="PUT", hold_answer=True)
        answers: List[Any] = []
        client = threading.Thread(target=lambda: answers.append(upload(port)))
        client.start()
        wait_for(lambda: s3_bucket.keys("") != [])
        assert os.listdir(site.environment["UPLOADS"]) != []
        server.send_signal(signal.SIGTERM)
        held.resume.set()
        client.join(PATIENCE)
        assert answers == [(200, b"a.bin")]
        assert server.wait(PATIENCE) == 0
    finally:
        if server.poll() is None:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait(30)
    assert len(s3_bucket.get("media/a.bin")) == 3_000_000
    assert site.written() == before
    assert os.listdir(site.environment["UPLOADS"]) == []


def wait_for(done: Any) -> None:
    until = time.monotonic() + PATIENCE
    while not done():
        assert time.monotonic() < until
        time.sleep(0.05)


def upload(port: int) -> Any:
    head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.bin"\r\n\r\n'
    body = head + bytes(3_000_000) + b"\r\n--b--\r\n"
    until = time.monotonic() + PATIENCE
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        try:
            connection.request(
                "POST", "/upload", body, {"Content-Type": "multipart/form-data; boundary=b"}
            )
            answer = connection.getresponse()
            return answer.status, answer.read()
        except ConnectionRefusedError:
            assert time.monotonic() < until
            time.sleep(0.05)
        finally:
            connection.close()
