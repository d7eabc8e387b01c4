"""The page under axe-core: no serious finding in any state, width or colour scheme."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

ROOT = Path(__file__).resolve().parents[2]
FILES = {
    "2018-01-10 a.txt": "Turkey welcomed the Sochi congress. Iran will come only if prisoners are freed first.",
    "2018-01-20 b.txt": "Turkey will boycott the Sochi congress. Russia hailed the Sochi congress.",
}


def findings(page: Page) -> list[str]:
    violations = Axe().run(page).response["violations"]
    return [f"{one['id']}: {one['nodes'][0]['html']}" for one in violations if one["impact"] in ("serious", "critical")]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_axe_finds_nothing_serious(open_page: Callable[..., Page], width: int, scheme: str) -> None:
    page = open_page(width=width, scheme=scheme)
    assert findings(page) == []
    page.click("#submit")
    expect(page.locator("#problem")).to_be_visible()
    assert findings(page) == []
    page.set_input_files(
        "#files", [{"name": k, "mimeType": "text/plain", "buffer": v.encode()} for k, v in FILES.items()]
    )  # type: ignore[misc]
    expect(page.locator("#articles button")).to_have_count(2)
    page.click("summary:has-text('certain actors')")
    page.fill("#actors", "Nobody")
    page.click("#example")
    expect(page.locator("#text")).not_to_have_value("")
    page.click("#submit")
    expect(page.locator("#warnings")).to_contain_text("Nobody")
    page.fill("#actors", "")
    page.click("#submit")
    expect(page.locator("#actor-5")).to_be_visible()
    page.get_by_role("button", name="the stance is right").first.click()
    page.get_by_role("button", name="Correct ").last.click()
    page.click("#add")
    page.locator(".evidence button").first.click()
    for summary in page.locator("#programs summary").all():
        summary.click()
    assert findings(page) == []
