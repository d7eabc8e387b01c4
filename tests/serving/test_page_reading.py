"""How the page reads documents one after the other, and what it does when the service is silent."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import FilePayload, Page, Route, expect

TEXT = "Turkey will send a delegation to the Sochi congress."
FILES: list[FilePayload] = [
    {"name": f"{name}.txt", "mimeType": "text/plain", "buffer": f"{TEXT} {name}".encode()} for name in "abc"
]


def answer_next(page: Page, held: list[Route]) -> None:
    while not held:
        page.wait_for_timeout(20)
    held.pop().continue_()


def test_a_service_that_is_down_is_told_once_and_files_are_tried_again(page: Page) -> None:
    page.route("**/classify", lambda route: route.abort())
    page.set_input_files("#files", FILES)
    expect(page.locator("#problem")).to_have_text("a, b and c: The service does not answer. Is it running?")
    page.unroute("**/classify")
    held: list[Route] = []
    page.route("**/classify", lambda route: held.append(route))
    page.get_by_role("button", name="Try 3 articles again").press("Enter")
    expect(page.locator("#cancel")).to_be_focused()
    for _ in FILES:
        answer_next(page, held)
    expect(page.locator("#articles button")).to_have_text(["a", "b", "c"])
    expect(page.locator("#results-title")).to_be_focused()
    expect(page.locator("#problem")).to_be_hidden()
    expect(page.locator("#again")).to_be_hidden()


def test_an_example_that_does_not_come_is_told(page: Page) -> None:
    page.route("**/example.txt", lambda route: route.abort())
    page.click("#example")
    expect(page.locator("#problem")).to_have_text("The service does not answer. Is it running?")
    page.unroute("**/example.txt")
    page.click("#example")
    expect(page.locator("#text")).to_be_focused()
    expect(page.locator("#problem")).to_be_hidden()


def test_a_busy_service_is_told_and_asked_again(page: Page) -> None:
    page.route("**/classify", lambda route: route.fulfill(status=429, headers={"Retry-After": "2"}, json={}), times=1)
    page.fill("#text", TEXT)
    page.click("#submit")
    expect(page.locator("#status")).to_have_text("The service is busy. It is asked again in 2 seconds…")
    expect(page.locator("#results-title")).to_be_focused()
    expect(page.locator("#status")).to_be_empty()


def test_a_reading_can_be_cancelled_and_files_dropped_meanwhile_wait(page: Page) -> None:
    held: list[Route] = []
    page.route("**/classify", lambda route: held.append(route))
    page.fill("#text", TEXT)
    page.click("#submit")
    expect(page.locator("#submit")).to_have_attribute("aria-disabled", "true")
    page.set_input_files("#files", FILES[:2])
    page.click("#submit", force=True)
    page.click("#cancel")
    expect(page.locator("#problem")).to_have_text("a and b: Not read: cancelled.")
    expect(page.locator("#problem")).to_be_focused()
    page.unroute("**/classify")
    page.get_by_role("button", name="Try 3 articles again").click()
    expect(page.locator("#articles button")).to_have_count(3)


def test_who_corrects_the_first_of_several_is_left_at_it(page: Page) -> None:
    held: list[Route] = []
    page.route("**/classify", lambda route: held.append(route))

    page.set_input_files("#files", [*FILES, {"name": "d.txt", "mimeType": "text/plain", "buffer": b""}])
    answer_next(page, held)
    expect(page.locator("#results-title")).to_be_focused()
    page.get_by_role("button", name="Correct Turkey").click()
    evidence = page.get_by_label("Evidence, word for word")
    evidence.fill("will ")
    for _ in FILES:
        answer_next(page, held)
    expect(page.locator("#problem")).to_contain_text("d: ")
    expect(page.locator("#status")).to_have_text("3 articles read.")
    page.keyboard.type("send")
    expect(evidence).to_have_value("will send")
    expect(page.locator("#article-title")).to_have_text("a")
    expect(page.locator("#articles button")).to_have_text(["a", "b", "c"])


def test_files_of_the_same_text_are_told(page: Page) -> None:
    twin: FilePayload = {**FILES[0], "name": "twin.txt"}
    page.set_input_files("#files", [*FILES, twin])
    expect(page.locator("#status")).to_have_text(
        "4 articles read. 1 article took the place of another with the same text."
    )
    expect(page.locator("#articles button")).to_have_text(["twin", "b", "c"])
    expect(page.locator("#article-title")).to_have_text("twin")


def test_an_answer_that_does_not_come_is_waited_for_no_longer(page: Page) -> None:
    page.route("**/limits.json", lambda route: route.fulfill(json={"longest_answer": -9}))
    page.route("**/classify", lambda route: None)
    page.fill("#text", TEXT)
    page.click("#submit")
    expect(page.locator("#problem")).to_have_text("No answer came within 1 seconds.")
    expect(page.locator("#cancel")).to_be_hidden()


@pytest.mark.parametrize("told", [{"status": 400, "json": {"error": {}}}, {"json": {}}, {"body": "<html>"}])
def test_a_page_that_is_not_told_the_limit_reads_all_the_same(page: Page, told: dict[str, Any]) -> None:
    page.route("**/limits.json", lambda route: route.fulfill(**told))
    page.fill("#text", TEXT)
    page.click("#submit")
    expect(page.locator("#results-title")).to_be_focused()
    expect(page.locator("#problem")).to_be_hidden()


def test_a_text_that_the_browser_kept_is_known(page: Page) -> None:
    page.fill("#text", TEXT)
    page.fill("#title", "The first")
    page.goto(f"{page.url}docs")
    page.go_back()
    page.locator("html[data-ready]").wait_for()
    expect(page.locator("#text")).to_have_value(TEXT)
    expect(page.locator("#title")).to_have_value("The first")
    page.fill("#text", "Iran praised its hosts and wants nothing more of them.")
    expect(page.locator("#title")).to_have_value("")


def test_the_focus_stays_where_it_is_while_more_is_read(page: Page) -> None:
    held: list[Route] = []
    page.route("**/classify", lambda route: held.append(route))
    page.set_input_files("#files", FILES)
    answer_next(page, held)
    answer_next(page, held)
    shown = page.locator("#articles button").nth(1)
    shown.focus()
    answer_next(page, held)
    expect(page.locator("#articles button")).to_have_count(3)
    expect(shown).to_be_focused()


def test_the_focus_is_not_lost_with_the_cancel_button(page: Page) -> None:
    held: list[Route] = []
    page.route("**/classify", lambda route: held.append(route))
    page.set_input_files("#files", FILES[:2])
    answer_next(page, held)
    expect(page.locator("#results-title")).to_be_focused()
    page.focus("#cancel")
    answer_next(page, held)
    expect(page.locator("#cancel")).to_be_hidden()
    expect(page.locator("#submit")).to_be_focused()


def test_who_corrects_an_article_is_left_at_it_when_its_copy_is_read(page: Page) -> None:
    held: list[Route] = []
    page.route("**/classify", lambda route: held.append(route))
    page.set_input_files("#files", [FILES[0], {**FILES[0], "name": "twin.txt"}])
    answer_next(page, held)
    page.get_by_role("button", name="Correct Turkey").click()
    evidence = page.get_by_label("Evidence, word for word")
    evidence.fill("will ")
    answer_next(page, held)
    expect(page.locator("#article-title")).to_have_text("twin")
    page.keyboard.type("send")
    expect(evidence).to_have_value("will send")


def test_what_failed_stays_told_when_a_fault_of_the_form_is_mended(page: Page) -> None:
    page.click("#submit")
    expect(page.locator("#problem")).to_have_text("Paste an article first.")
    page.route("**/classify", lambda route: route.abort())
    page.set_input_files("#files", FILES)
    told = "a, b and c: The service does not answer. Is it running?"
    expect(page.locator("#problem")).to_have_text(told)
    expect(page.locator("#text")).not_to_have_attribute("aria-invalid", "true")
    page.locator("#text").press_sequentially("T")
    expect(page.locator("#problem")).to_have_text(told)


def test_a_process_that_is_chosen_needs_no_name(page: Page) -> None:
    page.fill("#text", TEXT)
    page.select_option("#process", label="Another…")
    page.click("#submit")
    expect(page.locator("#problem")).to_have_text("Name the process.")
    page.select_option("#process", "sochi")
    expect(page.locator("#problem")).to_be_hidden()
