"""The page, in a real Chromium on a real server with the released bundle."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Locator, Page, expect

from serving.texts import is_plain, read_text

ROOT = Path(__file__).resolve().parents[2]
SEED = (ROOT / "seeds" / "000_bf9ec2e30b3d9496.txt").read_text(encoding="utf-8")
TEXT = "Turkey will send a delegation to Sochi. The Higher Negotiations Committee said it would stay away."
ARABIC = "Russia said that هيئة التفاوض السورية, the umbrella group, would boycott the Sochi congress.\nقالت روسيا إن المؤتمر سيعقد"


def read(page: Page, text: str, **fields: str) -> dict[str, Any]:
    """Classify a text by the form and give the answer that the page shows as JSON."""
    page.fill("#text", text)
    for name, value in fields.items():
        page.fill(f"#{name}", value)
    page.click("#submit")
    page.locator("#results-title:focus").wait_for(timeout=120_000)
    return dict(json.loads(page.locator("#json").text_content() or ""))


def rank(actor: dict[str, Any]) -> int:
    """Actors with a stance first, then those that may have one."""
    return 0 if actor["stance"] != "none" else 1 if len(actor["plausible"]) > 1 else 2


def test_the_example_is_read(page: Page, page_url: str) -> None:
    page.click("#example")
    expect(page.locator("#text")).to_have_value(SEED)
    expect(page.locator("#date")).to_have_value("2018-01-31")
    page.click("#submit")
    expect(page.locator("#results-title")).to_be_focused()
    actors = httpx.post(f"{page_url}classify", json={"text": SEED}, timeout=60).json()["actors"]
    assert page.locator("#article").text_content() == SEED
    assert page.locator("#article a").count() == sum(len(one["mentions"]) for one in actors)
    for actor, one in enumerate(actors):
        shown = page.locator(f"#article a.{one['stance']}[data-actor='{actor}']").all_text_contents()
        assert shown == [mention["text"] for mention in one["mentions"]]
    ordered = sorted(actors, key=lambda one: (rank(one), -one["probabilities"][one["stance"]]))
    headings = [f"{one['actor']} {one['stance']} {100 * one['probabilities'][one['stance']]:.0f}%" for one in ordered]
    assert page.locator("#cards h4").all_text_contents() == headings


def test_a_card_tells_all_of_the_answer(page: Page) -> None:
    answer = read(page, TEXT)
    one = answer["actors"][0]
    card = page.locator("#actor-0")
    numbers = [f"{100 * one['probabilities'][label]:.0f}%" for label in ("support", "boycott", "conditional", "none")]
    assert card.locator(".number").all_text_contents() == numbers
    assert card.locator(".evidence button").all_text_contents() == [piece["text"] for piece in one["evidence"]]
    assert all(label in (card.locator(".plausible").text_content() or "") for label in one["plausible"])
    widths = card.locator(".fill").evaluate_all(
        "all => all.map(one => one.offsetWidth / one.parentElement.offsetWidth)"
    )
    assert widths == pytest.approx(list(one["probabilities"].values()), abs=0.02)


def test_no_stance_is_told_by_colour_alone(page: Page) -> None:
    read(page, SEED)
    looks = page.locator("#legend .sign").evaluate_all(
        "all => all.map(one => getComputedStyle(one, '::before').content)"
    )
    assert len(set(looks)) == 4
    for mention in page.locator("#article a").all():
        stance = (mention.get_attribute("aria-label") or "").rsplit(": ")[-1]
        sign = mention.evaluate("one => getComputedStyle(one, '::before').content")
        assert sign == looks[["support", "boycott", "conditional", "none"].index(stance)]


def test_evidence_scrolls_the_text_and_back_returns(page: Page) -> None:
    read(page, TEXT + " \n" + "Nothing happened. \n" * 300 + "Iran welcomed the Sochi congress.")
    quote = page.locator(".evidence button", has_text="Iran welcomed").first
    quote.click()
    shown = page.locator("#article .shown", has_text="welcomed")
    expect(shown).to_be_in_viewport()
    assert "".join(page.locator("#article .shown").all_text_contents()) == "Iran welcomed the Sochi congress."
    page.click("#back")
    expect(quote).to_be_focused()


def test_the_overview_has_a_line_for_each_actor_that_may_have_a_stance(page: Page) -> None:
    actors = {one["actor"]: one for one in read(page, SEED)["actors"]}
    lines = page.locator("#overview tbody tr")
    links = page.locator("#overview a")
    assert links.all_text_contents() == page.locator("#cards .name").all_text_contents()
    for name, stance, others, sentences in (line.locator("th, td").all_text_contents() for line in lines.all()):
        one = actors.pop(name)
        assert stance.split()[0] == one["stance"]
        assert set(others.replace(" or ", ", ").split(", ")) - {""} == set(one["plausible"]) - {one["stance"]}
        assert int(sentences) == len(one["evidence"])
    assert all(one["plausible"] == ["none"] for one in actors.values())
    links.last.click()
    expect(page.locator("#cards .card").last).to_be_focused()


def test_the_page_tells_the_labels_in_the_words_of_the_codebook(page: Page) -> None:
    codebook = (ROOT / "data" / "codebook.md").read_text(encoding="utf-8")
    told = dict(re.findall(r"^\| `(\w+)` \| (.+) \|$", codebook, re.M))
    words = zip(*(page.locator(f"#meanings {tag}").all_text_contents() for tag in ("dt", "dd")), strict=True)
    assert dict(words) == told


def test_a_table_is_copied_with_what_the_reader_said(page: Page) -> None:
    answer = read(page, TEXT, title="A\tB", date="2018-01-10")
    page.get_by_role("button", name="Turkey: the stance is right").click()
    page.evaluate("() => { navigator.clipboard.writeText = async (words) => { window.copied = words; }; }")
    page.click("#copy-table")
    expect(page.locator("#programs .sources").get_by_role("status")).to_have_text("Copied.")
    expect(page.locator("#copy-table")).to_be_focused()
    head, first, *_ = (line.split("\t") for line in page.evaluate("() => window.copied").split("\n"))
    one = answer["actors"][0]
    row = dict(zip(head, first, strict=True))
    assert (row["title"], row["date"], row["process"]) == ("A B", "2018-01-10", "Sochi process")
    assert (row["actor"], row["stance"], row["said_by"]) == (one["actor"], one["stance"], "reader")
    assert row["evidence"] == one["evidence"][0]["text"]


def test_the_keyboard_is_enough(page: Page) -> None:
    page.locator("#text").focus()
    page.keyboard.insert_text(TEXT)
    page.locator("#submit").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#results-title")).to_be_focused()
    page.locator("#article").focus()
    page.keyboard.press("Tab")
    expect(page.locator("#article a").nth(0)).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#article a").nth(1)).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#actor-1")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#article .shown").first).to_be_focused()


def test_the_legend_filters_the_cards(page: Page) -> None:
    stances = [one["stance"] for one in read(page, SEED)["actors"]]
    page.locator("#legend input[value=none]").uncheck()
    expect(page.locator("#cards .card:visible")).to_have_count(len(stances) - stances.count("none"))
    count = len(stances) - stances.count("none")
    expect(page.locator("#filtered")).to_have_text(f"{count} of {len(stances)} actors shown")
    page.locator("#article a.none").first.click()
    expect(page.locator("#filtered")).to_have_text("")
    expect(page.locator("#legend input[value=none]")).to_be_checked()


def test_actors_and_a_process_of_ones_own(page: Page) -> None:
    page.select_option("#process", label="Another…")
    page.click("summary:has-text('certain actors')")
    names = {"process-name": "Black Sea talks", "process-aliases": "Sochi, Sochi talks"}
    answer = read(page, TEXT, actors="Ankara government = Turkey\nNobody", **names)
    assert answer["process"] == {"key": "", "name": "Black Sea talks"}
    assert [one["actor"] for one in answer["actors"]] == ["Ankara government", "Nobody"]
    expect(page.locator("#warnings")).to_contain_text("The text does not name “Nobody”.")
    expect(page.locator("#results-title")).to_have_text("2 actors toward the Black Sea talks")


def test_the_processes_are_those_of_the_bundle(page: Page) -> None:
    known = json.loads((ROOT / "models" / "default" / "processes.json").read_text(encoding="utf-8"))
    options = page.locator("#process option").all_text_contents()
    assert options == [*(one["name"] for one in known), "Another…"]


@pytest.mark.parametrize(("text", "told"), [(" ", "Paste an article"), ("x" * 50_001, "50,000 characters")])
def test_what_cannot_be_read_is_told(page: Page, text: str, told: str) -> None:
    page.fill("#text", text)
    page.click("#submit")
    expect(page.locator("#problem")).to_contain_text(told)
    expect(page.locator("#text")).to_be_focused()


def test_a_refusal_of_the_service_is_told(page: Page) -> None:
    page.select_option("#process", label="Another…")
    page.fill("#text", TEXT)
    page.fill("#process-name", "@@" * 99)
    with page.expect_response("**/classify") as asked:
        page.click("#submit")
    expect(page.locator("#problem")).to_have_text(asked.value.json()["error"]["message"])


def test_the_curl_command_gives_the_same(page: Page) -> None:
    answer = read(
        page,
        'Turkey\'s "envoy" $HOME `x` \\ \U0001f54a came to Sochi.\nJSON\nIran did not.',
        title="It's",
        date="2018-01-31",
    )
    command = page.locator("#curl").text_content() or ""
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True, timeout=60)
    assert json.loads(done.stdout) == answer


def test_several_dated_files_give_a_timeline(page: Page) -> None:
    texts = {
        "2018-01-25 gone.txt": "Turkey will boycott the Sochi congress and sends nobody.",
        "2018-01-10 early.txt": "Turkey welcomed the Sochi congress and will send a delegation.",
        "note.txt": "Iran praised the Sochi congress.",
        "empty.txt": "",
        "picture.png": "\0\x01",
    }
    files = [{"name": name, "mimeType": "text/plain", "buffer": text.encode()} for name, text in texts.items()]
    page.set_input_files("#files", files)  # type: ignore[arg-type]
    expect(page.locator("#articles button")).to_have_count(3)
    expect(page.locator("#problem")).to_contain_text("picture.png is not a text file.")
    expect(page.locator("#problem")).to_contain_text(" empty: ")
    assert page.locator("#timeline time").all_text_contents() == ["2018-01-10", "2018-01-25"]
    expect(page.locator("#timeline")).to_contain_text("1 article without a date left out.")
    row = page.locator("#timeline tbody tr", has_text="Turkey").locator("td")
    assert row.nth(0).get_attribute("class") == "support"
    assert row.nth(1).get_attribute("class") == "boycott"
    expect(row.nth(1)).to_contain_text("changed from support")
    row.nth(0).locator("button").click()
    expect(page.locator("#article")).to_have_text(texts["2018-01-10 early.txt"])
    expect(page.locator("#cards .card", has_text="Turkey")).to_be_focused()


def test_the_page_and_a_batch_read_the_same_dates(page: Page) -> None:
    files = [
        ("2018-01-27_hnc.txt", "Turkey."),
        ("hnc 2018-01-27.md", "date 2018-01-31 Turkey."),
        ("hnc.txt", " \r\n Date: 2018-01-31\r\nTurkey."),
        ("hnc.txt", "Turkey. date 2018-01-31"),
        ("2018-02-30.txt", "date 2018-01-31 Turkey."),
        ("2018-13-01.txt", "date 2018-02-30 Turkey."),
        ("12018-01-27.txt", "date 2018-01-311 Turkey."),
    ]
    read_dates = """async (files) => {
        const { readFile } = await import("/page/files.js");
        const read = await Promise.all(files.map(([name, text]) => readFile(new File([text], name))));
        return read.map((one) => one.date || null);
    }"""
    assert page.evaluate(read_dates, files) == [read_text(text.encode(), name).date for name, text in files]


def test_a_dropped_file_fills_the_form(page: Page) -> None:
    page.evaluate(
        """text => {
            const dataTransfer = new DataTransfer();
            dataTransfer.items.add(new File([text], "a 2018-01-30.txt", { type: "text/plain" }));
            document.body.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true }));
        }""",
        TEXT,
    )
    expect(page.locator("#text")).to_have_value(TEXT)
    expect(page.locator("#date")).to_have_value("2018-01-30")
    expect(page.locator("#title")).to_have_value("a")


def test_another_text_takes_no_title_date_or_actors_from_the_former(page: Page) -> None:
    named = {"title": "First", "date": "2018-01-10", "actors": "Turkey"}
    page.click("summary:has-text('certain actors')")
    read(page, TEXT, **named)
    page.fill("#text", f"{TEXT} It was late.")
    assert page.locator("#title").input_value() == "First"
    expect(page.locator("#stale")).to_be_visible()
    page.fill("#text", SEED)
    assert [page.locator(f"#{name}").input_value() for name in named] == ["", "", ""]
    expect(page.locator("#cleared")).to_be_visible()
    read(page, SEED, title="Second")
    expect(page.locator("#stale")).to_be_hidden()
    page.click("#new")
    assert [page.locator(f"#{name}").input_value() for name in ("text", *named)] == ["", "", "", ""]
    expect(page.locator("#text")).to_be_focused()


def test_readings_are_told_apart_and_removed(page: Page) -> None:
    for process in ("Sochi process", "Geneva talks"):
        page.select_option("#process", label=process)
        read(page, TEXT, title="Report")
    read(page, SEED)
    names = page.locator("#articles button").all_text_contents()
    assert names[:2] == ["Report · Sochi process", "Report · Geneva talks"]
    page.click("#remove")
    expect(page.locator("#articles button")).to_have_text(names[:2])
    expect(page.locator("#results-title")).to_be_focused()
    page.click("#remove")
    page.click("#remove")
    expect(page.locator("#results")).to_be_hidden()
    expect(page.locator("#text")).to_be_focused()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "windows-1252"])
def test_a_text_file_is_read_in_its_encoding(page: Page, encoding: str) -> None:
    text = "Erdo\u00f6an said \u201cno\u201d."
    content = text.encode(encoding)
    mark = b"\xfe\xff" if encoding == "utf-16-be" else b""
    page.set_input_files("#files", [{"name": "a.txt", "mimeType": "text/plain", "buffer": mark + content}])
    expect(page.locator("#text")).to_have_value(text)


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("a.docx", b"PK\3\4", "is no plain text. Open it and paste its text."),
        ("a.txt", b"%PDF-1.7 \xe2", "is a PDF. Open it and paste its text, or read it with “stance classify”"),
    ],
)
def test_what_is_no_text_file_is_told_with_a_way_out(page: Page, name: str, content: bytes, told: str) -> None:
    page.set_input_files("#files", [{"name": name, "mimeType": "text/plain", "buffer": content}])
    expect(page.locator("#problem")).to_contain_text(f"{name} {told}")


def test_a_web_page_is_refused(page: Page) -> None:
    source = b"<!-- saved -->\n<!DOCTYPE html><html><body><p>Turkey will come to Sochi.</p></body></html>"
    page.fill("#text", TEXT)
    page.set_input_files("#files", [{"name": "talks.html", "mimeType": "text/html", "buffer": source}])
    expect(page.locator("#problem")).to_contain_text("talks.html is a web page")
    expect(page.locator("#problem")).to_contain_text("Save it as text, or read it with “stance classify”")
    expect(page.locator("#text")).to_have_value(TEXT)


def test_the_page_and_a_batch_tell_web_pages_alike(page: Page) -> None:
    texts = [
        "<html>",
        " \n<!doctype\nHTML PUBLIC>",
        "<?xml version='1.0'?><!-- > --><!---->\n<html lang='en'>",
        "<!---->" * 200 + "<html>",
        "<!---->" * 500 + "Turkey",
        "<!-- left open <html>",
        "<!-- <html> --> Turkey",
        "<htmlx>",
        "<p>Turkey</p>",
        "Turkey <html>",
        "",
    ]
    tell = """async (texts) => {
        const { isWebPage } = await import("/page/files.js");
        return texts.map(isWebPage);
    }"""
    assert page.evaluate(tell, texts) == [not is_plain(text.encode(), "a.txt") for text in texts]


def test_right_to_left_text_is_shown_right(page: Page) -> None:
    read(page, ARABIC)
    ends = """([word, at]) => {
        const walker = document.createTreeWalker(document.getElementById("article"), NodeFilter.SHOW_TEXT);
        while (walker.nextNode()) {
            const start = walker.currentNode.data.indexOf(word);
            if (start < 0) continue;
            const range = document.createRange();
            const place = start + (at < 0 ? word.length - 1 : 0);
            range.setStart(walker.currentNode, place);
            range.setEnd(walker.currentNode, place + 1);
            return range.getBoundingClientRect().left;
        }
    }"""
    first, last = (page.evaluate(ends, ["هيئة", at]) for at in (0, -1))
    assert first > last
    assert page.evaluate(ends, ["said", 0]) < last
    assert page.evaluate(ends, ["umbrella", 0]) > first or page.evaluate(ends, ["umbrella", 0]) < last
    assert page.evaluate(ends, ["قالت", 0]) > page.evaluate(ends, ["said", 0]) + 200


def test_markup_in_a_text_stays_text(page: Page) -> None:
    text = "<img src=x onerror=alert(1)> Turkey & <b>Iran</b> came to Sochi."
    read(page, text, title="<script>alert(1)</script>")
    assert page.locator("#article").text_content() == text
    assert page.locator("#results img, #results b, #results script").count() == 0


@pytest.mark.parametrize("filler", ["", "\U0001f54a"])
def test_the_longest_text_stays_smooth(page: Page, filler: str) -> None:
    text = (f"Turkey came to Sochi{filler}. " * 2500)[:50_000].strip()
    page.evaluate("""() => {
        window.longest = 0;
        new PerformanceObserver((list) => {
            for (const one of list.getEntries()) window.longest = Math.max(window.longest, one.duration);
        }).observe({ type: "longtask" });
    }""")
    answer = read(page, text)
    assert page.locator("#article").text_content() == text
    assert page.locator("#article a").count() == sum(len(one["mentions"]) for one in answer["actors"])
    assert set(page.locator("#article a").all_text_contents()) <= {"Turkey", "Sochi"}
    page.evaluate("() => { document.getElementById('article').scrollTop = 1e6; }")
    page.locator("#text").press_sequentially("Iran", delay=20)
    longest = page.evaluate("() => window.longest")
    assert longest < 1000, f"the page stood still for {longest} ms"


def test_a_word_longer_than_its_column_is_broken(open_page: Callable[..., Page]) -> None:
    page = open_page(width=360)
    page.click("summary:has-text('certain actors')")
    for day in (10, 20):
        read(
            page,
            f"{'Y' * 60} welcomed the Sochi congress on {day} January.",
            actors="Y" * 60,
            title="N" * 60,
            date=f"2018-01-{day}",
        )
    spilt = page.evaluate("""() => [...document.querySelectorAll("th")].filter((cell) => {
        const words = document.createRange();
        words.selectNodeContents(cell);
        return words.getBoundingClientRect().right > cell.getBoundingClientRect().right;
    }).map((cell) => cell.textContent)""")
    assert spilt == []


def test_wide_letters_break_no_label(open_page: Callable[..., Page]) -> None:
    page = open_page(width=360)
    read(page, TEXT)
    page.evaluate("() => { document.documentElement.style.letterSpacing = '.12em'; }")
    rows = page.locator("#cards .card .bars .sign")
    assert {box["height"] for box in map(Locator.bounding_box, rows.all()) if box} == {
        rows.first.bounding_box()["height"]
    }


def test_phone_width_needs_no_sideways_scrolling(open_page: Callable[..., Page]) -> None:
    page = open_page(width=390)
    read(page, SEED)
    page.get_by_role("button", name="Correct Russia", exact=True).click()
    assert page.evaluate("() => document.documentElement.scrollWidth") == 390
