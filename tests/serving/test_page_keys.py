"""The page of a service with keys: a browser asks its user for one, and goes on with it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

from serving.http.keys import make_key

if TYPE_CHECKING:
    from playwright.sync_api import Browser


def test_chromium_opens_the_page_with_a_key_and_classifies(
    browser: Browser, serve: Callable[..., AbstractContextManager[str]], tiny_bundle: Path, tmp_path: Path
) -> None:
    key, hashed = make_key("newsroom")
    (tmp_path / "keys").write_text(f"{hashed.line}\n")
    with serve(tiny_bundle, STANCE_API_KEYS_FILE=str(tmp_path / "keys")) as url:
        context = browser.new_context(http_credentials={"username": "anyone", "password": key})
        page = context.new_page()
        page.goto(url, timeout=60_000)
        page.locator("html[data-ready]").wait_for(timeout=60_000)
        page.fill("#text", "Turkey will send a delegation to the Sochi congress.")
        page.click("#submit")
        page.locator("#cards .card").first.wait_for(timeout=60_000)
        context.close()
