"""Real browsers for the tests: Debian's Chromium by its ChromeDriver, and Debian's Firefox.

Both are driven by Selenium. Firefox's own remote protocol, Marionette, has WebDriver's commands
under other names; geckodriver translates between the two, but is in no package of Debian, and npm
and Selenium fetch it from a host of their own. `Marionette` does the same for what tests use.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import Any, Dict, List, Optional

import pytest

NEEDS = "apt-get install chromium chromium-driver firefox-esr, and pip install selenium"
_PATIENCE = 60.0

# No sandbox, because CI runs as root; no calls home, because tests talk to loopback only.
CHROMIUM_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1280,900",
)
FIREFOX_PREFERENCES: Dict[str, Any] = {
    "app.normandy.enabled": False,
    "app.update.disabledForTesting": True,
    "browser.dom.window.dump.enabled": True,
    "browser.safebrowsing.malware.enabled": False,
    "browser.safebrowsing.phishing.enabled": False,
    "browser.sessionstore.resume_from_crash": False,
    "browser.shell.checkDefaultBrowser": False,
    "browser.startup.homepage": "about:blank",
    "browser.startup.page": 0,
    "datareporting.policy.dataSubmissionEnabled": False,
    "extensions.update.enabled": False,
    "marionette.port": 0,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "network.proxy.type": 0,
    "services.settings.server": "data:,",
    "toolkit.telemetry.reportingpolicy.firstRun": False,
}

#: Selenium's names of commands, and Marionette's. Commands on an element name it differently.
_COMMANDS = {
    "newSession": "WebDriver:NewSession",
    "get": "WebDriver:Navigate",
    "refresh": "WebDriver:Refresh",
    "goBack": "WebDriver:Back",
    "getCurrentUrl": "WebDriver:GetCurrentURL",
    "getTitle": "WebDriver:GetTitle",
    "getPageSource": "WebDriver:GetPageSource",
    "w3cExecuteScript": "WebDriver:ExecuteScript",
    "w3cExecuteScriptAsync": "WebDriver:ExecuteAsyncScript",
    "findElement": "WebDriver:FindElement",
    "findElements": "WebDriver:FindElements",
    "findChildElement": "WebDriver:FindElement",
    "findChildElements": "WebDriver:FindElements",
    "w3cGetActiveElement": "WebDriver:GetActiveElement",
    "clickElement": "WebDriver:ElementClick",
    "clearElement": "WebDriver:ElementClear",
    "sendKeysToElement": "WebDriver:ElementSendKeys",
    "getElementText": "WebDriver:GetElementText",
    "getElementTagName": "WebDriver:GetElementTagName",
    "getElementProperty": "WebDriver:GetElementProperty",
    "isElementEnabled": "WebDriver:IsElementEnabled",
    "isElementSelected": "WebDriver:IsElementSelected",
    "actions": "WebDriver:PerformActions",
    "clearActionState": "WebDriver:ReleaseActions",
    "screenshot": "WebDriver:TakeScreenshot",
    "setWindowRect": "WebDriver:SetWindowRect",
    "setTimeouts": "WebDriver:SetTimeouts",
    "addCookie": "WebDriver:AddCookie",
    "deleteCookie": "WebDriver:DeleteCookie",
    "newWindow": "WebDriver:NewWindow",
    "switchToWindow": "WebDriver:SwitchToWindow",
    "w3cGetCurrentWindowHandle": "WebDriver:GetWindowHandle",
    "close": "WebDriver:CloseWindow",
    "getCookies": "WebDriver:GetCookies",
    "deleteAllCookies": "WebDriver:DeleteAllCookies",
    "w3cAcceptAlert": "WebDriver:AcceptAlert",
    "w3cDismissAlert": "WebDriver:DismissAlert",
    "quit": "Marionette:Quit",
}


def missing(name: str) -> str:
    """The programs that driving this browser lacks, as text; empty when all are there."""
    try:
        import selenium  # noqa: F401
    except ImportError:
        return "selenium"
    programs = {"chromium": ("chromium", "chromedriver"), "firefox": ("firefox-esr",)}[name]
    return ", ".join(program for program in programs if not shutil.which(program))


def start(name: str, profile: Path) -> Any:
    """Selenium's driver of ``chromium`` or ``firefox``, with an empty profile in a directory.

    Skips the test where the browser is missing; with REQUIRE_REAL_S3=1, as in CI, fails it.
    """
    lacks = missing(name)
    if lacks:
        message = f"The browser test cannot run without {lacks}: {NEEDS}"
        if os.environ.get("REQUIRE_REAL_S3", "") not in ("", "0"):
            pytest.fail(message, pytrace=False)
        pytest.skip(message)
    return _firefox(profile) if name == "firefox" else _chromium(profile)


def wait_for(browser: Any, script: str, seconds: float = _PATIENCE) -> Any:
    """The value of ``script`` in the page, as soon as it is true."""
    from selenium.webdriver.support.ui import WebDriverWait

    wait = WebDriverWait(browser, seconds, poll_frequency=0.1)
    return wait.until(lambda page: page.execute_script(f"return {script}"), script)


def _chromium(profile: Path) -> Any:
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    for flag in (*CHROMIUM_FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    return webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))


def _firefox(profile: Path) -> Any:
    from selenium import webdriver
    from selenium.webdriver.remote.file_detector import UselessFileDetector

    browser = Marionette(profile)
    # It reads the files of this machine, nothing has to be sent to it.
    detector = UselessFileDetector()
    try:
        return webdriver.Remote(browser, options=webdriver.FirefoxOptions(), file_detector=detector)
    except BaseException:
        browser.close()
        raise


class Marionette:
    """A Firefox of its own, as what Selenium sends its commands to.

    Args:
        profile: An empty directory.
    """

    _url = ""

    def __init__(self, profile: Path) -> None:
        lines = [
            f"user_pref({json.dumps(name)}, {json.dumps(value)});\n"
            for name, value in FIREFOX_PREFERENCES.items()
        ]
        (profile / "user.js").write_text("".join(lines))
        self._process = subprocess.Popen(
            [
                shutil.which("firefox-esr") or "firefox-esr",
                *("--headless", "--marionette", "--no-remote", "--profile", str(profile)),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "MOZ_CRASHREPORTER_DISABLE": "1", "HOME": str(profile)},
        )
        self._number = 0
        self._socket: Optional[socket.socket] = None
        try:
            self._connect(profile / "MarionetteActivePort")
        except BaseException:
            self.close()
            raise

    def execute(self, command: str, parameters: Optional[Dict[str, Any]]) -> Dict[str, Any]:
        """One command of Selenium's, and its answer as WebDriver would give it."""
        given = {key: value for key, value in (parameters or {}).items() if key != "sessionId"}
        if command == "newSession":
            given = {}
        elif command == "quit":
            given = {"flags": ["eForceQuit"]}
        elif command == "screenshot":
            given = {"full": False}
        elif command.startswith("findChild"):
            given["element"] = given.pop("id")
        elif command.startswith("w3cExecuteScript"):
            # Else names of one script are left in the next.
            given["newSandbox"] = False
        self._number += 1
        self._send([0, self._number, _COMMANDS[command], given])
        _, _, error, result = self._receive()
        if error:
            return {"status": error["error"], "value": error}
        if isinstance(result, dict) and set(result) == {"value"}:
            result = result["value"]
        return {"value": result}

    def close(self) -> None:
        """End Firefox."""
        if self._socket is not None:
            self._socket.close()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _connect(self, port_file: Path) -> None:
        deadline = time.monotonic() + _PATIENCE
        while not (port_file.exists() and port_file.read_text().strip()):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("Firefox did not start")
            time.sleep(0.1)
        address = ("127.0.0.1", int(port_file.read_text()))
        self._socket = socket.create_connection(address, timeout=2 * _PATIENCE)
        self._receive()

    def _send(self, message: List[Any]) -> None:
        assert self._socket is not None
        text = json.dumps(message).encode()
        self._socket.sendall(b"%d:%s" % (len(text), text))

    def _receive(self) -> Any:
        length = b""
        while not length.endswith(b":"):
            length += self._read(1)
        return json.loads(self._read(int(length[:-1])))

    def _read(self, size: int) -> bytes:
        assert self._socket is not None
        found = bytearray()
        while len(found) < size:
            piece = self._socket.recv(size - len(found))
            if not piece:
                raise ConnectionError("Firefox closed the connection")
            found += piece
        return bytes(found)
