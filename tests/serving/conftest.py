"""A real server, and a real Chromium that looks at its page."""

from __future__ import annotations

import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import psutil
import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage, Page

ROOT = Path(__file__).resolve().parents[2]
RELEASED = ROOT / "models" / "default"
#: Set in continuous integration, where a missing browser is a failure.
REQUIRED = "STANCE_REQUIRE_BROWSER"
#: Milliseconds that a step may take; a busy machine is slow, not wrong.
_PATIENCE = 60_000


def _free_port() -> int:
    """A port that no outgoing connection is given, so that none takes it before the server does.

    Drawn from the system: training seeds Python's own generator, in each process that runs tests alike.
    """
    drawn = random.SystemRandom()
    while True:
        port = drawn.randrange(20_000, 30_000)
        with socket.socket() as one, suppress(OSError):
            one.bind(("127.0.0.1", port))
            return port


@contextmanager
def start_server(bundle: Path = RELEASED, *, log: Path | None = None, **environment: str) -> Iterator[str]:
    """The address of a server of its own with a bundle; ends in no slash. Its output goes to ``log``."""
    port = _free_port()
    code = "from bentoml_cli.cli import cli; cli()"
    settings = {"STANCE_BUNDLE": str(bundle), "STANCE_THREADS": "1", **environment}
    # A home of its own, so that nothing is written to the user's.
    with tempfile.TemporaryDirectory() as home, Path(log or os.devnull).open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, "-c", code, "serve", "--host", "127.0.0.1", "--port", str(port)],
            cwd=ROOT,
            env={**os.environ, "BENTOML_HOME": home, **settings},
            stdout=stream,
            stderr=stream,
        )
        try:
            _wait(f"http://127.0.0.1:{port}", process)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(timeout=60)


@pytest.fixture(scope="session")
def serve() -> Callable[..., AbstractContextManager[str]]:
    return start_server


@pytest.fixture(scope="session")
def find_server() -> Callable[[str], psutil.Process]:
    """Finds the process of a server of ``serve`` by its address; its workers are its children."""

    def find(url: str) -> psutil.Process:
        running = [one for one in psutil.Process().children() if one.status() != psutil.STATUS_ZOMBIE]
        (found,) = [one for one in running if one.cmdline()[-2:] == ["--port", url.rpartition(":")[2]]]
        return found

    return find


@pytest.fixture(scope="session")
def page_log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the server of ``page_url`` logs, as JSON."""
    return tmp_path_factory.mktemp("server") / "log"


@pytest.fixture(scope="session")
def page_url(page_log: Path) -> Iterator[str]:
    settings = {"STANCE_DEADLINE": "600", "STANCE_THREADS": "0", "STANCE_LOG_FORMAT": "json"}
    with start_server(log=page_log, **settings) as url:
        yield f"{url}/"


def _wait(url: str, process: subprocess.Popen[bytes]) -> None:
    for _ in range(900):
        assert process.poll() is None, "the server ended"
        try:
            if httpx.get(f"{url}/readyz").status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise AssertionError("the server did not get ready")


# Of one module's life only: while it lives no other test can run an event loop.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium")
    if chromium is None:
        told = "no chromium; install it with: apt-get install chromium"
        pytest.fail(told) if os.environ.get(REQUIRED) else pytest.skip(told)
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=_PATIENCE)

    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture
def open_page(browser: Browser, page_url: str) -> Iterator[Callable[..., Page]]:
    """Opens the page; fails at the end if it said an error or asked for anything from elsewhere."""
    faults: list[str] = []
    opened = []

    def open_one(*, width: int = 1280, scheme: str = "light") -> Page:
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, reduced_motion="reduce", locale="en-GB"
        )
        opened.append(context)
        page = context.new_page()
        page.set_default_timeout(_PATIENCE)
        page.set_default_navigation_timeout(_PATIENCE)
        page.on("console", lambda one: faults.append(one.text) if _is_fault(one) else None)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("request", lambda one: None if one.url.startswith((page_url, "blob:")) else faults.append(one.url))
        page.goto(page_url)
        page.locator("html[data-ready]").wait_for()
        return page

    yield open_one
    for context in opened:
        context.close()
    assert not faults


def _is_fault(said: ConsoleMessage) -> bool:
    """Chromium calls a refusal of the service's, or its silence, an error too; the page tells it in words."""
    told = ("status of 400", "status of 429", "net::ERR_FAILED")
    return said.type == "error" and not any(one in said.text for one in told)


@pytest.fixture
def page(open_page: Callable[..., Page]) -> Page:
    return open_page()
