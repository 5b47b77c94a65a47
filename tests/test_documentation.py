"""Every block of every page runs as it is printed; links, paths and commands lead somewhere."""

from __future__ import annotations

import asyncio
import gc
import importlib
import importlib.util
import io
import json
import re
import shutil
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Callable, Dict, Iterator, List, Tuple

import django
import pytest
from django.core.exceptions import PermissionDenied
from django.core.files.base import ContentFile
from django.core.management import call_command
from django.http import Http404
from django.template import Context, Template
from django.test import Client, RequestFactory
from django.utils.module_loading import import_string

from smart_storages.checks import names as check_names
from smart_storages.checks.buckets import check_buckets
from smart_storages.checks.connections import check_credentials
from smart_storages.exceptions import RoutingRefusedError, link_to
from smart_storages.monitoring import opentelemetry, prometheus
from smart_storages.queued import registry
from smart_storages.queued.models import QueuedFile
from smart_storages.signals import storage_operation
from smart_storages.uploads import targets
from smart_storages.utils import get_storage
from tests import documentation, howto_pages, walkthrough
from tests.documentation import ROOT, Block, Project
from tests.parts import digest_of, send_part
from tests.servers.keeper import exclusive

pytestmark = pytest.mark.documentation

#: Where the blocks of this language run instead.
ELSEWHERE = {
    "html": "what is looked at afterwards compiles them",
    "nginx": "tests/serve/test_nginx.py runs them in nginx",
    "floors": "tests/test_architecture.py reads them",
    "log": "tests/storages/test_operations.py compares such a line",
    "js": "tests/backends/s3/test_browser_upload.py and tests/uploads/js/ run them in a browser; "
    "here they are parsed",
    "python3": "files of a project whose worker tests/queued/test_recipes.py starts",
}
PAGES = documentation.pages()
#: Pages whose blocks run in a project with other packages: tests/packages/test_page.py.
WITH_PACKAGES = {"docs/packages.md"}
#: The others are followed, by tests/test_walkthroughs.py.
RUN = [page for page in PAGES if page not in {*walkthrough.PAGES, *WITH_PACKAGES}]


# What is looked at when the blocks of a page have run


def _readme(project: Project, _printed: str) -> None:
    assert get_storage("documents").save("a.txt", ContentFile(b"x")).startswith("a")
    assert get_storage("tenant_acme").listdir("")[1] != []


def _configuration(project: Project, _printed: str) -> None:
    keys = importlib.import_module("myproject.keys")
    assert keys.for_tenant("tenant_acme")["security_token"] is None


def _routing(project: Project, printed: str) -> None:
    assert "eu/a.txt" in printed
    from myapp.admin import ReportAdmin
    from myapp.models import Report

    report = Report(title="<1>", tenant="acme", file="us/1.pdf")
    expected = '<a href="/rest/us/1.pdf">&lt;1&gt;</a>'
    assert ReportAdmin(Report, None).link(report) == expected
    tenants = importlib.import_module("myproject.tenants")
    request = RequestFactory().get("/", HTTP_HOST="acme.example.com:8000")
    assert tenants.of_request(request) == "acme"
    middleware = importlib.import_module("myproject.middleware").RefusalsAreForbidden(None)
    with pytest.raises(PermissionDenied):
        middleware.process_exception(request, RoutingRefusedError("no"))


def _fallback(project: Project, printed: str) -> None:
    assert "open old.txt by far after 1" in printed


def _reading(project: Project, _printed: str) -> None:
    if django.VERSION < (4, 2):
        return  # a StreamingHttpResponse does not take an async iterator
    from myapp import views

    async def received() -> bytes:
        response = await views.download(RequestFactory().get("/"), "reports/2024.pdf")
        return b"".join([part async for part in response.streaming_content])

    assert asyncio.run(received()) == b"..."


def _urls(project: Project, _printed: str) -> None:
    from myapp import views

    form = json.loads(views.post_form(RequestFactory().get("/")).content)
    assert form["method"] == "POST"
    assert form["url"].startswith("https://files.example.com/")
    put = json.loads(views.put_target(RequestFactory().get("/?size=5")).content)
    assert put["method"] == "PUT"
    assert views.put_target(RequestFactory().get("/?size=2000000")).status_code == 400


def _serving(project: Project, _printed: str) -> None:
    from django.contrib.auth.models import User
    from myapp import views
    from myapp.models import Report

    owner, other = (User.objects.create(username=each) for each in ("owner", "other"))
    report = Report(owner=owner)
    report.file.save("7.pdf", ContentFile(b"%PDF"))
    request = RequestFactory().get("/")
    request.user = owner
    response = views.report_file(request, report.pk)
    assert response.status_code == 302
    assert "/acme-reports/7.pdf?" in response["Location"]
    kept = views.report_to_keep(request, report.pk)["Location"]
    assert f"Report%20{report.pk}.pdf" in kept
    sent = views.large_report(request, report.pk)
    assert sent["X-Accel-Redirect"] == "/smart-storages/object"
    request.user = other
    with pytest.raises(Http404):
        views.report_file(request, report.pk)
    texts = [
        each.text for each in documentation.blocks("docs/serving.md") if each.language == "html"
    ]
    links, _srcset = [Template("{% load smart_storages %}" + text) for text in texts]
    assert "X-Amz-Expires=300" in links.render(Context({"report": report}))
    serializers = importlib.import_module("serializers")
    assert "X-Amz-Expires=300" in serializers.ReportSerializer(report).data["file"]


def _uploads(project: Project, _printed: str) -> None:
    from myapp.models import Film

    begun = Client().post(
        "/uploads/begin",
        json.dumps({"field": "myapp.Film.video", "name": "a.mp4", "size": 5}),
        content_type="application/json",
    )
    assert begun.status_code == 403  # nobody has logged in
    forms = importlib.import_module("myapp.forms")
    for form in (forms.FilmForm(), forms.ContactForm()):
        assert 'data-endpoint="/uploads/"' in str(form)
    api = importlib.import_module("myapp.ninja_api")
    assert len(api.api.get_openapi_schema(path_prefix="/api/")["paths"]) == 2
    fields = importlib.import_module("myapp.api").FilmSerializer().get_fields()
    assert fields["video"].upload_label == "myapp.Film.video"
    assert Film._meta.get_field("video").upload_limits == {"types": ("video/*",)}


def _upload_parts(project: Project, _printed: str) -> None:
    from myapp import views

    body, session = b"x" * 100, {}

    def post(view: Any, **asked: Any) -> Any:
        request = RequestFactory().post("/", json.dumps(asked), "application/json")
        request.user = SimpleNamespace(is_authenticated=True, pk=7)  # type: ignore[assignment]
        request.session = session  # type: ignore[assignment]
        answer = view(request)
        return answer.status_code, json.loads(answer.content)

    assert post(views.begin, size=6 * 1024**3)[0] == 413
    assert post(views.begin, size=len(body))[0] == 200
    assert post(views.finish) == (409, {"arrived": []})
    assert post(views.sign, number=2, sha256=digest_of(body))[0] == 400
    assert send_part(post(views.sign, number=1, sha256=digest_of(body))[1], body) == 200
    status, made = post(views.finish)
    assert (status, made["size"]) == (200, 100)
    assert get_storage("media").open(made["name"]).read() == body
    assert project.names["storage"].open(project.names["saved"]).read() == b"..."


def _thumbnails(project: Project, _printed: str) -> None:
    for names in project.settings["FILER_STORAGES"].values():
        for each in names.values():
            storage = import_string(each["ENGINE"])(**each["OPTIONS"])
            assert storage.bucket_name == "acme-media"


def _monitoring(project: Project, printed: str) -> None:
    assert "Counter({'media': 2})" in printed
    receivers = importlib.import_module("myapp.receivers")
    assert storage_operation.disconnect(receivers.count_requests)
    app = importlib.import_module("myapp.apps")
    opentelemetry.uninstall()
    app.MyAppConfig("myapp", importlib.import_module("myapp")).ready()
    try:
        project.names["storage"].exists("a.txt")
        view = importlib.import_module("myproject.urls").urlpatterns[0].callback
        shown = view(RequestFactory().get("/metrics")).content.decode()
    finally:
        prometheus.uninstall()
    line = 'smart_storages_operations_total{module="media",operation="exists",outcome="ok"} 1.0'
    assert line in shown


def _queued(project: Project, _printed: str) -> None:
    # The broker of the settings is not there, so both files wait for a sweep.
    assert set(QueuedFile.objects.values_list("state", flat=True)) == {"queued"}
    call_command("transfers", "sweep", "--run", "--requeue-age", "0", stdout=io.StringIO())
    assert set(QueuedFile.objects.values_list("state", flat=True)) == {"done"}
    raw = project.names["scan"].raw
    assert raw.storage.using_remote(raw.name)
    with raw.storage.open(raw.name) as file:
        assert file.read() == b"..."
    scans = importlib.import_module("myproject.scans")
    assert scans.is_clean(io.BytesIO(b"x"))
    assert not scans.is_clean(io.BytesIO(b"EICAR"))


@dataclass(frozen=True)
class Page:
    """What a page takes for granted, and what is looked at afterwards."""

    buckets: Tuple[str, ...] = ()
    #: Settings that the project has already.
    given: Tuple[Tuple[str, Any], ...] = ()
    #: Files that the project has already.
    files: Tuple[Tuple[str, str], ...] = ()
    #: Objects that its buckets have already: the bucket, the key and the content.
    objects: Tuple[Tuple[str, str, str], ...] = ()
    #: Warnings of ``manage.py check`` that are right, with the reason.
    warnings: Tuple[Tuple[str, str], ...] = ()
    has_database: bool = False
    #: The first Django that has what it sets.
    since: Tuple[int, int] = (3, 2)
    #: Makes variables of the environment.
    environment: Callable[[], Dict[str, str]] = dict
    afterwards: Callable[[Project, str], None] = lambda _project, _printed: None


_NO_PROFILE = ("smart_storages.W010", "~/.aws of the tests' machine has no profile")
#: An unknown server gives each name that is not to be overwritten a random suffix; AWS does not.
_NEVER_OVERWRITES = (("SMART_STORAGE_PROVIDER", "moto"),)
_KEYS = '{"key": "k", "secret": "s", "expires": "2100-01-01T00:00:00+00:00"}'

TABLE = {
    "README.md": Page(
        # What `buckets create` made.
        buckets=("acme-docs", "acme-media", "acme-static", "acme-tenants"),
        afterwards=_readme,
    ),
    "docs/cdn.md": Page(
        buckets=("acme-media", "acme-static"),
        environment=lambda: {"CLOUDFRONT_KEY": howto_pages.cloudfront_key()[0]},
        given=_NEVER_OVERWRITES,
        afterwards=howto_pages.cdn,
    ),
    "docs/commands.md": Page(buckets=("acme-media", "acme-docs")),
    "docs/async.md": Page(
        buckets=("acme-docs",), has_database=True, afterwards=howto_pages.async_views
    ),
    "docs/bulk.md": Page(
        buckets=("acme-photos", "acme-archive"),
        files=(("holiday/1.jpg", "1"), ("holiday/2.jpg", "2")),
    ),
    "docs/configuration.md": Page(
        given=(("AWS_STORAGE_BUCKET_NAME", "acme"),),
        files=(("secrets/tenant_acme.json", _KEYS),),
        warnings=(
            _NO_PROFILE,
            ("smart_storages.E021", "the entries of one block are not those of the next"),
        ),
        afterwards=_configuration,
    ),
    "docs/copying.md": Page(buckets=("acme-photos", "acme-archive")),
    "docs/docker.md": Page(
        environment=lambda: {"SECRET_KEY": "k"}, buckets=("acme-media", "acme-static")
    ),
    "docs/fallback.md": Page(afterwards=_fallback),
    "docs/hosts.md": Page(
        since=(4, 0),
        buckets=("acme-media", "acme-staging"),
        warnings=(
            ("smart_storages.Q013", "the URLconf is on docs/queued.md"),
            ("smart_storages.Q006", "the second way has the remote of the first"),
        ),
        afterwards=howto_pages.hosts,
    ),
    "docs/large-files.md": Page(
        buckets=("acme-films", "acme-exports"), afterwards=howto_pages.large_files
    ),
    "docs/monitoring.md": Page(buckets=("acme-media",), afterwards=_monitoring),
    "docs/production-data.md": Page(
        buckets=("acme-media",),
        environment=lambda: {
            "PRODUCTION_READ_ACCESS_KEY_ID": "reader",
            "PRODUCTION_READ_SECRET_ACCESS_KEY": "secret",
        },
        objects=(("acme-media", "media/posts/1.jpg", "picture"),),
        afterwards=howto_pages.production_data,
    ),
    "docs/queued.md": Page(
        buckets=("acme-media", "acme-docs"),
        warnings=(("smart_storages.Q005", "the page says what to do with several hosts"),),
        has_database=True,
        afterwards=_queued,
    ),
    "docs/public-and-private.md": Page(
        buckets=("acme-photos", "acme-invoices", "acme-shop"),
        given=_NEVER_OVERWRITES,
        has_database=True,
        afterwards=howto_pages.public_and_private,
    ),
    "docs/reading.md": Page(buckets=("acme-docs",), afterwards=_reading),
    "docs/regions.md": Page(
        buckets=("acme-files-eu", "acme-files-us"),
        given=_NEVER_OVERWRITES,
        afterwards=howto_pages.regions,
    ),
    "docs/roles.md": Page(buckets=("acme-tenants",), afterwards=howto_pages.roles),
    "docs/routing.md": Page(afterwards=_routing),
    "docs/serving.md": Page(buckets=("acme-reports",), has_database=True, afterwards=_serving),
    "docs/static.md": Page(buckets=("acme-static",)),
    "docs/thumbnails.md": Page(afterwards=_thumbnails),
    "docs/upload-parts.md": Page(buckets=("acme-media",), afterwards=_upload_parts),
    "docs/uploads.md": Page(
        buckets=("acme-media",),
        warnings=(
            ("smart_storages.U001", "the URLconf is the block after the settings"),
            ("smart_storages.U007", "CACHES is not what the page is about"),
        ),
        has_database=True,
        afterwards=_uploads,
    ),
    "docs/urls.md": Page(buckets=("acme-media",), afterwards=_urls),
    "docs/writing.md": Page(buckets=("acme-docs",)),
}


@pytest.fixture
def project(
    request: Any, tmp_path: Path, moto_server: Any, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Project]:
    """The project of a page, on a machine whose S3 is moto."""
    page = TABLE.get(request.param, Page())
    given: Dict[str, Any] = {**moto_server.django_settings(), **dict(page.given)}
    if "INSTALLED_APPS +=" not in documentation.read(request.param):
        given["INSTALLED_APPS"] = [*documentation.STARTPROJECT["INSTALLED_APPS"], "smart_storages"]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", moto_server.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", moto_server.secret_key)
    for name, value in page.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(registry, "_storages", {})
    monkeypatch.setattr(targets, "_uploaders", {})
    for name, text in page.files:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    for seen in ("iter_storages", "iter_classes"):
        _leave_out_those_of_other_tests(monkeypatch, seen)
    client = moto_server.client()
    # Not by a list of all buckets: the suite makes thousands.
    printed = {*page.buckets, *re.findall(r"acme-[a-z0-9-]+", documentation.read(request.param))}
    with exclusive("documentation"):  # the names of the buckets are printed
        for bucket in page.buckets:
            client.create_bucket(Bucket=bucket)
        for bucket, key, text in page.objects:
            client.put_object(Bucket=bucket, Key=key, Body=text.encode())
        gc.freeze()  # what the page drops is found without a look at all else
        with Project(tmp_path, given, has_database=page.has_database) as made:
            yield made
        for bucket in printed:
            with suppress(client.exceptions.NoSuchBucket):
                _empty(client, bucket)


def _leave_out_those_of_other_tests(monkeypatch: pytest.MonkeyPatch, seen: str) -> None:
    find = getattr(check_names, seen)
    others = {id(each): each for each in find()}  # kept: a later object gets no id of theirs
    monkeypatch.setattr(
        check_names, seen, lambda: [each for each in find() if id(each) not in others]
    )


def _empty(client: Any, bucket: str) -> None:
    for item in client.list_objects_v2(Bucket=bucket).get("Contents", []):
        client.delete_object(Bucket=bucket, Key=item["Key"])
    client.delete_bucket(Bucket=bucket)


def _check_text(block: Block) -> None:
    """A tree of files, with a remark beside some: each of them exists."""
    parents: List[Tuple[int, Path]] = []
    for line in block.text.splitlines():
        indent = len(line) - len(line.lstrip())
        while parents and parents[-1][0] >= indent:
            parents.pop()
        path = (parents[-1][1] if parents else ROOT) / line.split()[0]
        assert path.exists(), path
        parents.append((indent, path))


def _check_js(block: Block) -> None:
    node = shutil.which("node")
    if node:
        wrapped = f"async (form, put, file) => {{\n{block.text}}}"
        subprocess.run([node, "--check", "-"], input=wrapped.encode(), check=True)


def _check_shell(block: Block) -> None:
    text = block.text
    if block.language == "cron":
        lines = [line.split(None, 5) for line in text.splitlines()]
        assert all(re.fullmatch(r"[\d*,/-]+", field) for line in lines for field in line[:5])
        text = "\n".join(line[5] for line in lines)
    subprocess.run(["bash", "-n"], input=text.encode(), check=True)
    for words in documentation.commands(text):
        documentation.check_command(words)


#: Languages whose blocks are checked in place of being run.
CHECKED: Dict[str, Callable[[Block], None]] = {
    "cron": _check_shell,
    "dockerfile": lambda block: documentation.check_dockerfile(block.text),
    "js": _check_js,
    "json": lambda block: json.loads(block.text),
    "sh": _check_shell,
    "text": _check_text,
    "yaml": lambda block: documentation.check_yaml(block.text),
}


def _check_project(project: Project, page: Page) -> None:
    gc.collect()  # a storage that the page has made and dropped is not in use
    told = project.told()
    assert set(told) <= {each for each, _reason in page.warnings}, told


@pytest.mark.parametrize(
    "project",
    [
        pytest.param(
            page,
            marks=[pytest.mark.django_db(transaction=True)]
            if TABLE.get(page, Page()).has_database
            else [],
        )
        for page in RUN
    ],
    indirect=True,
)
def test_every_block_of_a_page_runs_as_it_is_printed(
    project: Project, request: Any, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = request.node.callspec.params["project"]
    page = TABLE.get(name, Page())
    if page.since > django.VERSION:
        pytest.skip(f"what it sets is in Django {page.since[0]}.{page.since[1]}")
    monkeypatch.syspath_prepend(str(ROOT / "example"))
    settled = False
    for block in documentation.blocks(name):
        try:
            if block.language == "python":
                if block.file == "settings.py" and settled:
                    _check_project(project, page)  # what is printed so far belongs together
                settled = settled or block.file == "settings.py"
                project.run(block)
            elif block.language in CHECKED:
                CHECKED[block.language](block)
            else:
                assert block.language in ELSEWHERE, f"what is ```{block.language}?"
        except (Exception, SystemExit) as error:
            raise AssertionError(f"{block.place}: {error!r}") from error
    if settled:
        _check_project(project, page)
    page.afterwards(project, capsys.readouterr().out)


def test_the_table_names_pages_that_have_blocks() -> None:
    assert [page for page in TABLE if not documentation.blocks(page)] == []


# What stands between the blocks


def _spans(page: str) -> List[str]:
    prose = documentation.without_blocks(page)
    return [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", prose)]


def _anchors(path: Path) -> List[str]:
    return documentation.anchors(path.resolve().relative_to(ROOT).as_posix())


_COMMAND = re.compile(r"(?:make|pip install|(?:python )?manage\.py|[\w./]*python -m) \S")
#: Paths that are made by a command, or examples of a file's name.
_NO_FILES = {"a.txt", "a_x7Gk2pQ.txt", "bench/", "dist/", "staticfiles.json"}
#: What is named like a module, and is none.
_NO_MODULES = {
    "smart_storages.module": "an attribute of a span",
    "smart_storages.operations": "a logger",
    "smart_storages.queued.carry": "the name of Celery's task",
    "smart_storages.requests": "an attribute of a span",
    "smart_storages.save": "the name of a span",
}


def test_every_link_leads_to_a_page_and_a_heading_that_exist() -> None:
    wrong = []
    for page in PAGES:
        for target in re.findall(r"\]\(([^)\s]+)\)", documentation.without_blocks(page)):
            name, _, anchor = target.partition("#")
            path = (ROOT / page).parent / name if name else ROOT / page
            if re.match(r"https?:", target):
                continue
            if not path.exists() or (anchor and anchor not in _anchors(path)):
                wrong.append((page, target))
    assert wrong == []


def test_every_command_within_the_text_exists(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "example"))
    wrong, seen = [], 0
    for page in PAGES:
        for span in filter(_COMMAND.match, _spans(page)):
            seen += 1
            try:
                for words in documentation.commands(span):
                    documentation.check_command(words)
            except (Exception, SystemExit) as error:
                wrong.append((page, span, repr(error)))
    assert wrong == []
    assert seen > 20


def test_every_path_within_the_text_exists() -> None:
    places = [ROOT, ROOT / "docs", ROOT / "smart_storages", ROOT / "example"]
    wrong, seen = [], 0
    for page in PAGES:
        for span in _spans(page):
            if re.fullmatch(r"\.?\w+(/[\w.]+)*(/|\.(?:py|md|sh|toml|json|txt))", span):
                seen += 1
                if not any((place / span).exists() for place in places):
                    wrong.append((page, span))
    assert [each for each in wrong if each[1] not in _NO_FILES] == []
    assert seen > 50


def test_every_test_that_a_page_names_exists() -> None:
    wrong, seen = [], 0
    for page in PAGES:
        for span in _spans(page):
            path, *names = span.split("::")
            if not re.fullmatch(r"tests/[\w/]+\.py", path):
                continue
            source = (ROOT / path).read_text("utf-8") if (ROOT / path).exists() else ""
            seen += len(names)
            if not all(re.search(rf"^ *(class|def) {name}\b", source, re.M) for name in names):
                wrong.append((page, span))
    assert wrong == []
    assert seen > 5


def test_every_dotted_path_of_the_package_within_the_text_exists() -> None:
    wrong, seen = [], 0
    for page in PAGES:
        for span in _spans(page):
            if re.fullmatch(r"smart_storages(\.\w+)+", span) and not re.search(
                r"\.[EWQU]\d{3}$", span
            ):
                seen += 1
                if span not in _NO_MODULES and not _can_be_imported(span):
                    wrong.append((page, span))
    assert wrong == []
    assert seen > 20


def _can_be_imported(path: str) -> bool:
    parent, _, name = path.rpartition(".")
    module = importlib.import_module(parent)
    return hasattr(module, name) or importlib.util.find_spec(path) is not None


def test_check_tells_of_what_a_module_lacks_as_the_page_says(settings: Any) -> None:
    settings.SMART_STORAGE_BUCKETS = {"m": {"bucket_name": "acme"}, "n": {}}
    assert "smart_storages.W003" in [message.id for message in check_buckets()]
    assert "smart_storages.W012" in [message.id for message in check_credentials()]


def test_every_id_of_a_check_has_a_paragraph() -> None:
    ids = documentation.check_ids()
    assert {"E001", "W012", "Q001"} <= ids
    anchors = documentation.anchors("docs/checks.md")
    for each in ids:
        link = link_to("checks", f"smart_storages.{each}")
        assert link.partition("#")[2] in anchors, link


#: Tests that read a file which ends in .md and is no page of the documentation.
_NO_PAGES = {"uploads/test_content_types.py"}


def test_every_test_that_reads_a_page_is_marked() -> None:
    tests = {
        path.relative_to(ROOT / "tests").as_posix(): path for path in ROOT.glob("tests/**/*.py")
    }
    reading = {
        name
        for name, path in tests.items()
        if name.rpartition("/")[2].startswith("test_")
        and re.search(
            r'\.md"|documentation\.(read|blocks|pages|anchors)\(|walkthrough\.|PAGE\.read_text'
            r"|from tests\.servers\.nginx",
            path.read_text("utf-8"),
        )
    }
    marked = {name for name in reading if "mark.documentation" in tests[name].read_text("utf-8")}
    assert reading - marked == _NO_PAGES
    assert len(marked) > 10


def test_every_command_of_the_makefile_is_listed() -> None:
    listed = subprocess.run(
        ["make", "help"], cwd=str(ROOT), capture_output=True, check=True, text=True
    )
    described = re.findall(r"^([a-z-]+):.*## ", documentation.read("Makefile"), re.MULTILINE)
    assert "docs-test" in described
    assert re.findall(r"^  make ([a-z-]+) ", listed.stdout, re.MULTILINE) == described


# The test tests: what it must see


def _block(language: str, text: str) -> Block:
    return Block("a page", 1, language, text)


@pytest.mark.parametrize(
    "line",
    [
        "make nothing",
        "make test NOTHING=1",
        "make bench ARGS=nothing",
        "pip install '.[nothing]'",
        "pip install 'celery[nothing]'",
        "pip install 'dist/django_smart_storages-0.0.1-py3-none-any.whl'",
        "python manage.py transfers nothing",
        "python manage.py transfers list --nothing",
        "python manage.py nothing",
        "python -m nothing",
        "nothing --at all",
        "cd /tmp && make nothing",
        "make test\nX=1 make nothing",
        "tests/servers/nothing.sh",
        "make (",
    ],
)
def test_a_command_that_could_not_run_is_seen(line: str) -> None:
    with pytest.raises((Exception, SystemExit)):
        _check_shell(_block("sh", line))


@pytest.mark.parametrize(
    "text", ["```sh\nmake\n", "```\na\n```\n```\n", "> ```sh\n> make\n> ```\n", "~~~\na\n~~~\n"]
)
def test_a_fence_that_the_pattern_does_not_see_is_an_error(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(documentation, "read", lambda page: text)
    with pytest.raises(AssertionError, match="a fence"):
        documentation.blocks("a page")
