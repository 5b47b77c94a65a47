"""Screenshots of the example site on Ceph, in Debian's Chromium."""

from __future__ import annotations

import io
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Callable, Dict, Iterable, Iterator, NamedTuple, Tuple

from docs._pictures import ROOT
from docs._pictures.casts import plain_environment

EXAMPLE = ROOT / "example"
_DESKTOP, _PHONE = (1280, 800), (390, 844)
#: Of a site that lives for a minute.
_PASSWORD = "for the pictures"

#: Drops a file that is made in the page: the head of a video, and zeros.
_DROP = """
const [name, head, megabytes] = arguments;
const bytes = Uint8Array.from(atob(head), (each) => each.charCodeAt(0));
const data = new DataTransfer();
data.items.add(new File([bytes, new Uint8Array(megabytes * 1048576)], name, {type: "video/webm"}));
for (const type of ["dragover", "drop"])
    document.querySelector(".su-zone").dispatchEvent(
        new DragEvent(type, {dataTransfer: data, bubbles: true, cancelable: true}));
"""


class Screenshot(NamedTuple):
    """One page, and what is done there before it is shown.

    Args:
        page: Its path.
        size: Of the window, in pixels.
        prepare: Is given the browser on that page.
        scheme: ``light`` or ``dark``.
        scale: Pixels of the picture for each of the window.
    """

    page: str
    size: Any = _DESKTOP
    prepare: Callable[[Any], None] = lambda browser: None
    scheme: str = "light"
    scale: float = 1.0


def _drop_video(browser: Any) -> None:
    import base64

    from samples import FILMS
    from tests.browsers import wait_for

    wait_for(browser, "document.querySelector('.su-on')")
    browser.execute_cdp_cmd("Network.enable", {})
    browser.execute_cdp_cmd(
        "Network.emulateNetworkConditions",
        {"offline": False, "latency": 5, "downloadThroughput": -1, "uploadThroughput": 6_000_000},
    )
    head = base64.b64encode((FILMS / "gull-point-light.webm").read_bytes()).decode()
    browser.execute_script(_DROP, "night-on-the-mole.webm", head, 120)
    wait_for(browser, "document.querySelector('.su-item').innerText.includes('left')")
    wait_for(browser, "document.querySelector('.su-item progress, .su-item [role=progressbar]')")
    _wait_for_share(browser, 0.45)
    browser.execute_script(
        "document.querySelector('main form button[type=submit]').scrollIntoView({block: 'end'});"
        "scrollBy(0, 30);"
    )


def _wait_for_share(browser: Any, share: float) -> None:
    from tests.browsers import wait_for

    wait_for(
        browser,
        "(() => { const bar = document.querySelector('.su-item progress, .su-item "
        "[role=progressbar]'); const value = bar.value ?? +bar.ariaValueNow; const most = bar.max "
        f"?? +bar.ariaValueMax; return value / most > {share}; }})()",
    )


def _open_panel(browser: Any) -> None:
    from tests.browsers import wait_for

    root = "(document.querySelector('#djDebugRoot').shadowRoot ?? document)"
    wait_for(browser, f"document.querySelector('#djDebugRoot') && {root}.querySelector('#djDebug')")
    link = f"{root}.querySelector('#djdt-StoragesPanel a')"
    wait_for(browser, f"{link}.offsetParent")  # its script has run
    browser.execute_script(f"{link}.click()")
    wait_for(browser, f"{root}.querySelectorAll('#StoragesPanel tbody tr').length > 1")


def _show_files(browser: Any) -> None:
    """Scroll to the first story's files, with a part of its picture above them."""
    browser.execute_script(
        "const file = document.querySelector('.file');"
        "scrollTo(0, file.getBoundingClientRect().top + scrollY - 420);"
    )


SCREENSHOTS: Dict[str, Screenshot] = {
    "example-stories.png": Screenshot("", (870, 860), _show_files),
    "example-video.png": Screenshot("stories/3/", (380, 760), _drop_video),
    "example-development.png": Screenshot("development/", (1280, 880)),
    "example-darkroom.png": Screenshot("darkroom/", (1280, 960)),
    "example-people-dark.png": Screenshot("people/", _PHONE, scheme="dark"),
    "admin-transfers.png": Screenshot("admin/smart_storages_queued/queuedfile/", (1180, 520)),
    "admin-buckets.png": Screenshot("admin/smart_storages_monitoring/bucketcheck/", (1180, 900)),
    "debug-toolbar.png": Screenshot("development/?toolbar", (1180, 410), _open_panel),
}


def take(names: Iterable[str]) -> Iterator[Tuple[str, bytes]]:
    """Yield the screenshots of these names, as PNG."""
    wanted = [name for name in SCREENSHOTS if name in set(names)]
    if not wanted:
        return
    sys.path.insert(0, str(EXAMPLE))
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        address = _site(stack, folder)
        browser = _browser(stack, folder, address)
        for name in wanted:
            yield name, _shot(browser, address, SCREENSHOTS[name])


def _site(stack: ExitStack, folder: Path) -> str:
    from tests.servers import CephGateway

    server = stack.enter_context(CephGateway())
    environment = {
        **plain_environment(),
        "PRESS_RUN_DIR": str(folder / "run"),
        "S3_ENDPOINT_URL": server.endpoint_url,
        "S3_PROVIDER": server.name,
        "AWS_ACCESS_KEY_ID": server.access_key,
        "AWS_SECRET_ACCESS_KEY": server.secret_key,
        "DJANGO_SUPERUSER_PASSWORD": _PASSWORD,
    }
    subprocess.run([sys.executable, "example/demo.py"], cwd=ROOT, env=environment, check=True)
    environment["DJANGO_SETTINGS_MODULE"] = "docs._pictures.site_settings"

    def manage(*arguments: str, check: bool = True) -> None:
        command = [sys.executable, "example/manage.py", *arguments]
        subprocess.run(command, cwd=ROOT, env=environment, check=check, stdout=subprocess.DEVNULL)

    manage("collectstatic", "--no-input")
    manage("createsuperuser", "--no-input", "--username", "editor", "--email", "editor@example.com")
    site = subprocess.Popen(
        [sys.executable, "example/manage.py", "serve"],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    stack.callback(_stop, site)
    address = site.stdout.readline().strip()  # type: ignore[union-attr]
    _fill_darkroom(address, server, manage)
    # Their results are what the page "Buckets" shows.
    manage("buckets", "check")
    manage("buckets", "usage")
    return address


def _stop(process: Any) -> None:
    process.stdin.close()  # which ends the site
    process.wait(timeout=30)
    process.stdout.close()


def _fill_darkroom(address: str, server: Any, manage: Callable[..., None]) -> None:
    """One scan in its bucket, one that could not be transferred, and two that wait."""
    from samples import picture
    from visitor import Visitor

    visitor = Visitor(address)

    def send(title: str, name: str) -> None:
        form = visitor.read("/darkroom/")
        fields = {"title": title, "image": picture(name), "csrfmiddlewaretoken": form.token}
        answer = visitor._ask("POST", form.url, fields=fields)
        if answer.status != 302:
            raise SystemExit(f"The darkroom answered {answer.status}.")

    send("The lighthouse, 1904", "lighthouse")
    manage("transfers", "sweep", "--run", "--requeue-age", "0")
    # A bucket that somebody has deleted.
    bucket = "harbour-dev-darkroom"
    client = server.client()
    kept = {}
    for found in client.list_objects_v2(Bucket=bucket)["Contents"]:
        kept[found["Key"]] = client.get_object(Bucket=bucket, Key=found["Key"])["Body"].read()
        client.delete_object(Bucket=bucket, Key=found["Key"])
    client.delete_bucket(Bucket=bucket)
    send("Regatta, second start", "regatta")
    manage("transfers", "sweep", "--run", "--requeue-age", "0", check=False)
    manage("create_buckets")
    for key, content in kept.items():
        client.put_object(Bucket=bucket, Key=key, Body=content, ContentType="image/jpeg")
    send("Berth nine, contact sheet", "container-port")
    send("The lighthouse, from the sea", "lighthouse")


def _browser(stack: ExitStack, folder: Path, address: str) -> Any:
    from tests import browsers

    lacks = browsers.missing("chromium")
    if lacks:
        raise SystemExit(f"The screenshots cannot be taken without {lacks}: {browsers.NEEDS}")
    profile = folder / "profile"
    profile.mkdir()
    browser = browsers.start("chromium", profile)
    stack.callback(browser.quit)
    browser.get(address + "admin/login/")
    browser.find_element("name", "username").send_keys("editor")
    browser.find_element("name", "password").send_keys(_PASSWORD)
    browser.find_element("css selector", "[type=submit]").click()
    browser.execute_script("localStorage.setItem('django.admin.navSidebarIsOpen', 'false')")
    return browser


def _shot(browser: Any, address: str, wanted: Screenshot) -> bytes:
    width, height = wanted.size
    metrics = {
        "width": width,
        "height": height,
        "deviceScaleFactor": wanted.scale,
        "mobile": width < 600,
    }
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    browser.execute_cdp_cmd(
        "Emulation.setEmulatedMedia",
        {"features": [{"name": "prefers-color-scheme", "value": wanted.scheme}]},
    )
    browser.execute_cdp_cmd("Emulation.setScrollbarsHidden", {"hidden": True})
    browser.get(address + wanted.page)
    wanted.prepare(browser)
    from tests.browsers import wait_for

    browser.execute_script("for (const each of document.images) each.loading = 'eager';")
    wait_for(browser, "[...document.images].every((each) => each.complete)")
    return smaller(browser.get_screenshot_as_png())


def smaller(png: bytes) -> bytes:
    """Return a PNG with at most 256 colours, which is a third of the size."""
    from PIL import Image

    picture = Image.open(io.BytesIO(png)).convert("RGB")
    written = io.BytesIO()
    picture.quantize(256, dither=Image.Dither.FLOYDSTEINBERG).save(written, "PNG", optimize=True)
    return written.getvalue()
