"""The page of the data, in a real Chromium."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from training.corpus import GOLD, load_corpus
from training.data import load_names
from training.overview.figures import measure_overview
from training.overview.page import save_page

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

_PATIENCE = 60_000


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium")
    if chromium is None:
        told = "no chromium; install it with: apt-get install chromium"
        pytest.fail(told) if os.environ.get("STANCE_REQUIRE_BROWSER") else pytest.skip(told)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def address(browser: Browser, small_corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Of a page with some of the corpus and of gold."""
    path = tmp_path_factory.mktemp("page") / "data.html"
    save_page(path, measure_overview(load_corpus([small_corpus]), load_corpus([GOLD / "dev.jsonl"])[:30], load_names()))
    return path.as_uri()


@pytest.fixture(params=[1280, 390])
def page(browser: Browser, address: str, request: pytest.FixtureRequest) -> Iterator[Page]:
    """The page at two widths; fails at the end if it said an error or asked for anything else."""
    faults: list[str] = []
    context = browser.new_context(viewport={"width": request.param, "height": 900}, locale="en-GB")
    page = context.new_page()
    page.set_default_timeout(_PATIENCE)
    page.on("console", lambda one: faults.append(one.text) if one.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("request", lambda one: None if one.url == address else faults.append(one.url))
    page.goto(address)
    page.locator(".record").first.wait_for()
    yield page
    context.close()
    assert not faults


def found(page: Page) -> int:
    return int((page.locator("#found").text_content() or "").split()[0].replace(",", ""))


def test_it_fits_and_makes_rows_a_page_at_a_time(page: Page) -> None:
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.locator(".record").count() == 25
    first = page.locator(".record b").first.text_content()
    page.click("#next")
    assert page.locator("#where").text_content() == f"page 2 of {-(-found(page) // 25)}"
    assert page.locator(".record b").first.text_content() != first
    page.click("#back")
    assert page.locator(".record b").first.text_content() == first


def test_the_last_page_keeps_the_focus(page: Page) -> None:
    page.fill("#search", "gs-00")  # nine records: one page
    page.wait_for_function("() => document.getElementById('where').textContent === 'page 1 of 1'")
    for name in ("next", "back2"):
        page.locator(f"#{name}").press("Enter")
        assert page.evaluate("document.activeElement.id") == name
    assert page.get_by_role("status").filter(has_text="page 1 of 1").count() == 1


def test_filters_and_search_keep_just_what_is_asked_for(page: Page, small_corpus: Path) -> None:
    corpus = [one.record for one in load_corpus([small_corpus])]
    assert found(page) == len(corpus) + 30
    page.select_option("#split", "train")
    page.select_option("#label", "conditional")
    wanted = [one for one in corpus if one.split == "train" and "conditional" in {actor.label for actor in one.actors}]
    assert found(page) == len(wanted)
    page.select_option("#label", "")
    page.fill("#search", "will  TURKEY")
    said = ["\n".join((one.text, one.process, *(actor.actor for actor in one.actors))).lower() for one in corpus]
    number = sum(
        "turkey" in text and "will" in text for one, text in zip(corpus, said, strict=True) if one.split == "train"
    )
    page.wait_for_function(
        "number => document.getElementById('found').textContent.startsWith(`${number} of`)", arg=number
    )


def test_a_record_opens_with_its_marks_and_an_actor_leaves_only_its_own(page: Page) -> None:
    (record,) = [one.record for one in load_corpus([GOLD / "dev.jsonl"]) if one.record.id == "gs-001"]
    page.evaluate("location.hash = '#id=gs-001'")
    one = page.locator(".record[open]")
    one.locator(".text").wait_for()
    assert one.locator(".text").text_content() == record.text
    marked = "".join(one.locator("mark").all_text_contents())
    assert all(piece.strip(".") in marked for actor in record.actors for piece in actor.evidence)
    names = set(one.locator(".mention").all_text_contents())
    assert {mention for actor in record.actors for mention in actor.mentions} <= names
    assert "(read support, support)" in (one.locator(".actors").text_content() or "")
    assert record.source is not None
    assert record.source.outlet in (one.text_content() or "")
    button = one.locator(".actors button").first
    button.click()
    assert button.get_attribute("aria-pressed") == "true"
    page.emulate_media(forced_colors="active")
    styles = "all => all.map((one) => getComputedStyle(one).outlineStyle)"
    assert one.locator(".actors button").evaluate_all(styles)[:2] == ["solid", "none"]
    assert set(one.locator(".mention.on").all_text_contents()) == set(record.actors[0].mentions)
    button.click()
    assert one.locator(".on").count() == 0
