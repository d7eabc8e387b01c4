"""The page for all: under axe-core in any state, width or colour scheme; where the focus goes; on paper."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import FilePayload, Page, expect

ROOT = Path(__file__).resolve().parents[2]
FILES = {
    "2018-01-10 a.txt": "Turkey welcomed the Sochi congress. Iran will come only if prisoners are freed first.",
    "2018-01-20 b.txt": "Turkey will boycott the Sochi congress. Russia hailed the Sochi congress.",
}


TEXT = "Turkey will send a delegation to the Sochi congress."


def named(name: str, text: str) -> FilePayload:
    return {"name": name, "mimeType": "text/plain", "buffer": text.encode()}


def read(page: Page, text: str = TEXT) -> None:
    page.fill("#text", text)
    page.click("#submit")
    expect(page.locator("#results-title")).to_be_focused()


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
    page.set_input_files("#files", [named(*one) for one in FILES.items()])
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


def test_focus_goes_where_something_happened(page: Page) -> None:
    page.select_option("#process", label="Another…")
    page.fill("#text", TEXT)
    page.fill("#process-name", "@@" * 99)
    page.locator("#submit").press("Enter")
    expect(page.locator("#problem")).to_be_focused()
    page.select_option("#process", label="Sochi process")
    page.set_input_files("#files", [named("a.txt", TEXT), named("b.txt", f"{TEXT} So it was."), named("c.txt", "")])
    expect(page.locator("#problem")).to_contain_text("c: ")
    expect(page.locator("#problem")).to_be_focused()
    page.locator("#articles button").first.press("Enter")
    expect(page.locator("#results-title")).to_be_focused()


def test_arrow_keys_that_are_not_for_the_mentions_are_left_alone(page: Page) -> None:
    read(page, f"{TEXT}\n" + "Nothing happened.\n" * 200)
    article = page.locator("#article")
    article.focus()
    page.keyboard.press("End")
    expect(article).to_be_focused()
    page.wait_for_function("() => document.getElementById('article').scrollTop > 1000")
    page.keyboard.press("Tab")
    mention = page.locator("#article a").first
    expect(mention).to_be_focused()
    page.evaluate("() => addEventListener('keydown', (event) => { window.isTaken = event.defaultPrevented; })")
    for keys in ("Shift+ArrowRight", "Control+End", "Alt+ArrowRight"):
        page.keyboard.press(keys)
        assert page.evaluate("() => window.isTaken") is False
        expect(mention).to_be_focused()


@pytest.mark.parametrize("width", [320, 360, 1280])
def test_the_docs_break_no_word_and_need_no_sideways_scrolling(open_page: Callable[..., Page], width: int) -> None:
    page = open_page(width=width)
    page.goto(f"{page.url}docs")
    assert Axe().run(page).response["violations"] == []
    assert page.evaluate("() => document.documentElement.scrollWidth") == width
    lines = page.locator("td a").evaluate_all("all => all.map((one) => one.getClientRects().length)")
    assert set(lines) == {1}
    assert page.locator("pre").first.evaluate("one => one.ariaLabel") == "A request"


def test_a_fault_of_the_form_is_tied_to_its_field_until_it_is_mended(page: Page) -> None:
    text, name, problem = (page.locator(f"#{one}") for one in ("text", "process-name", "problem"))
    page.click("#submit")
    expect(text).to_have_attribute("aria-invalid", "true")
    expect(text).to_have_accessible_description("0 of 50,000 characters Paste an article first.")
    page.keyboard.type("Turkey")
    expect(problem).to_be_hidden()
    expect(text).to_have_attribute("aria-invalid", "false")
    page.select_option("#process", label="Another…")
    page.click("#submit")
    expect(name).to_be_focused()
    expect(name).to_have_accessible_description("Name the process.")
    page.keyboard.type("O")
    expect(problem).to_be_hidden()
    expect(name).not_to_have_attribute("aria-invalid", "true")


def test_a_fault_of_a_correction_is_tied_to_its_field(page: Page) -> None:
    read(page)
    page.get_by_role("button", name="Correct Turkey").click()
    names = page.get_by_label("Names that the text")
    names.fill("Turk")
    page.get_by_role("button", name="Keep").click()
    expect(names).to_be_focused()
    expect(names).to_have_attribute("aria-invalid", "true")
    expect(names).to_have_accessible_description("The text does not have “Turk” as whole words.")


def test_buttons_of_one_kind_are_told_apart(page: Page) -> None:
    page.set_input_files("#files", [named(*one) for one in FILES.items()])
    cell = page.locator("#timeline tbody tr", has_text="Turkey").get_by_role("button").nth(1)
    expect(cell).to_have_accessible_description("Turkey, 2018-01-20")
    page.get_by_role("button", name="Correct Turkey").click()
    names = page.locator(".editor button").all_text_contents()
    assert len(names) == len(set(names)) == 4


def test_a_card_that_is_gone_to_is_heard_with_its_stance(page: Page) -> None:
    read(page)
    page.locator("#overview a").first.click()
    card = page.locator("#actor-0")
    expect(card).to_be_focused()
    verdict = card.locator(".verdict").text_content() or ""
    assert verdict.startswith("support ")
    expect(card).to_have_accessible_name(f"Turkey {verdict}")
    page.get_by_role("button", name="Turkey: the stance is right").press("Enter")
    expect(card).to_be_focused()
    expect(card).to_have_accessible_name(f"Turkey {verdict}. You: right")


@pytest.mark.parametrize("colours", ["none", "active"])
def test_evidence_in_the_text_is_read_whole_and_outlined(open_page: Callable[..., Page], colours: str) -> None:
    page = open_page()
    page.emulate_media(forced_colors=colours)  # type: ignore[arg-type]
    read(page)
    page.locator(".evidence button").first.click()
    shown = page.locator("#article .shown")
    expect(shown).to_be_focused()
    expect(shown).to_have_accessible_name(TEXT)
    expect(shown).to_have_text(TEXT)
    expect(shown).to_have_css("outline-style", "solid")
    page.locator("#cards .plausible button").first.click()
    expect(shown).to_have_text("Turkey")
    assert page.locator("#article").text_content() == TEXT


def test_the_article_that_is_shown_is_told_in_forced_colours_too(open_page: Callable[..., Page]) -> None:
    page = open_page()
    page.emulate_media(forced_colors="active")
    page.set_input_files("#files", [named(*one) for one in FILES.items()])
    buttons = page.locator("#articles button")
    expect(buttons).to_have_count(2)
    for shown in (0, 1):
        buttons.nth(shown).click()
        expect(buttons.nth(shown)).to_have_css("border-bottom-width", "4px")
        expect(buttons.nth(1 - shown)).to_have_css("border-bottom-width", "1px")


def test_titles_on_a_phone_are_told_whole(open_page: Callable[..., Page]) -> None:
    page = open_page(width=360)
    page.set_input_files(
        "#files", [named(f"A long title of a report of that day, {name}", text) for name, text in FILES.items()]
    )
    buttons = page.locator("#articles button")
    expect(buttons).to_have_count(2)
    assert buttons.evaluate_all("all => all.map((one) => one.scrollWidth - one.clientWidth)") == [0, 0]


def test_print_has_all_of_the_text_and_no_form(page: Page) -> None:
    read(page, f"{TEXT}\n" + "Nothing happened.\n" * 200)
    page.emulate_media(media="print")
    assert (
        page.evaluate(
            "() => { const one = document.getElementById('article'); return one.scrollHeight - one.clientHeight; }"
        )
        == 0
    )
    for hidden in ("#form", "#remove", ".judging button"):
        expect(page.locator(hidden).first).to_be_hidden()
    expect(page.locator(".evidence button").first).to_be_visible()
