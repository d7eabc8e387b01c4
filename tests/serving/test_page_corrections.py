"""Corrections that the page writes are records that training reads: by the real loader, beside the real corpus."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from training.corpus import _PRONOUNS, Located, load_corpus
from training.data import load_data
from training.labelling.labelled import to_records
from training.labelling.sheet import read_sheet

TEXT = (
    "Turkey will send a delegation to the Sochi congress. The Higher Negotiations Committee said it would stay away.\n"
    "Iran “welcomed” it \U0001f54a\u2028and\u2029praised\u0085the hosts. A group called the Delta Council wants prisoners freed first."
)


@pytest.fixture
def page(open_page: Callable[..., Page]) -> Page:
    one = open_page()
    read(one)
    return one


def read(page: Page, text: str = TEXT) -> None:
    with page.expect_response("**/classify"):
        page.fill("#text", text)
        page.click("#submit")
    page.locator("#results-title:focus").wait_for()


def card(page: Page, name: str) -> Locator:
    return page.locator(".card", has=page.locator("h4 .name").get_by_text(name, exact=True))


def correct(page: Page, name: str, label: str, *, evidence: str = "", mentions: str | None = None) -> Locator:
    one = card(page, name)
    one.get_by_role("button", name=f"Correct {name}").click()
    one.get_by_label(label, exact=True).check()
    one.get_by_label("Evidence, word for word").fill(evidence)
    if mentions is not None:
        one.get_by_label("Names that the text").fill(mentions)
    one.get_by_role("button", name="Keep").click()
    return one


def download(page: Page, folder: Path) -> Path:
    with page.expect_download() as coming:
        page.click("#download")
    assert coming.value.suggested_filename == "corrections.jsonl"
    path = folder / "corrections.jsonl"
    coming.value.save_as(path)
    return path


def save_table(page: Page, folder: Path) -> Path:
    with page.expect_download() as coming:
        page.click("#save-table")
    path = folder / "stances.csv"
    coming.value.save_as(path)
    return path


def test_corrections_are_accepted_as_extra_records(page: Page, small_corpus: Path, tmp_path: Path) -> None:
    correct(page, "Higher Negotiations Committee", "boycott", evidence="would stay away")
    correct(page, "Iran", "this is no actor")
    correct(page, "Turkey", "none")
    page.click("#add")
    added = page.locator("#added .card")
    added.get_by_label("The actor's name").fill("Delta Group")
    added.get_by_label("conditional").check()
    added.get_by_label("Evidence, word for word").fill("wants prisoners freed first")
    added.get_by_label("Names that the text").fill("A group called")
    added.get_by_role("button", name="Keep").click()
    expect(page.locator("#corrections-count")).to_have_text("4 actors checked in 1 article.")
    page.select_option("#register", "statement")
    path = download(page, tmp_path)
    record = load_corpus([path])[0].record
    assert (record.text, record.process, record.split) == (TEXT, "Sochi process", "train")
    assert record.text_register == "statement"
    clear = {one.actor: (one.label, one.mentions, one.evidence) for one in record.actors if not one.ambiguous}
    assert clear == {
        "Higher Negotiations Committee": ("boycott", ("Higher Negotiations Committee",), ("would stay away",)),
        "Turkey": ("none", ("Turkey",), ()),
        "Delta Group": ("conditional", ("A group called",), ("wants prisoners freed first",)),
    }
    assert "Iran" not in {one.actor for one in record.actors}
    loaded = load_data([small_corpus, path])
    assert record in [one.record for one in loaded.splits["train"]]
    assert loaded.names.resolve(record.process).key == "sochi"


def test_what_was_not_checked_is_ambiguous(page: Page, tmp_path: Path) -> None:
    answer = json.loads(page.locator("#json").text_content() or "")
    first = answer["actors"][0]
    card(page, first["actor"]).get_by_role("button", name="the stance is right").click()
    expect(card(page, first["actor"])).to_contain_text("You: right")
    record = load_corpus([download(page, tmp_path)])[0].record
    assert {one.actor: one.ambiguous for one in record.actors} == {
        one["actor"]: one is not first for one in answer["actors"]
    }
    assert {one.actor: one.label for one in record.actors} == {one["actor"]: one["stance"] for one in answer["actors"]}


def test_a_second_process_is_a_twin_and_a_third_is_left_out(page: Page, tmp_path: Path) -> None:
    for process in ("Sochi process", "Geneva talks", "Astana talks"):
        page.select_option("#process", label=process)
        read(page)
        correct(page, "Turkey", "none")
    located: list[Located] = load_corpus([download(page, tmp_path)])
    assert [one.record.process for one in located] == ["Sochi process", "Geneva talks"]
    assert located[1].record.id == f"{located[0].record.id}b"
    assert located[0].record.passage == located[1].record.passage == located[0].record.id
    expect(page.locator("#corrections-count")).to_contain_text("2 records written. Left out:")
    expect(page.locator("#corrections-count")).to_contain_text("Astana talks")


FAULTS = {
    "no evidence": ({"label": "boycott"}, "Say which words"),
    "evidence from elsewhere": ({"label": "boycott", "evidence": "stayed at home"}, "does not have these words"),
    "no name": ({"label": "none", "mentions": ""}, "at least one name"),
    "half a word": ({"label": "none", "mentions": "Turk"}, "as whole words"),
    "a pronoun": ({"label": "none", "mentions": "it"}, "is a pronoun"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_what_the_corpus_would_refuse_is_told_at_once(page: Page, name: str) -> None:
    given, told = FAULTS[name]
    one = correct(page, "Turkey", **given)
    expect(one.get_by_role("alert")).to_contain_text(told)
    expect(page.locator("#corrections")).to_be_hidden()


def test_a_name_belongs_to_one_checked_actor(page: Page, tmp_path: Path) -> None:
    correct(page, "Turkey", "none", mentions="Turkey\nIran")
    one = correct(page, "Iran", "none")
    expect(one.get_by_role("alert")).to_have_text("“Iran” names Turkey already.")
    record = load_corpus([download(page, tmp_path)])[0].record
    assert "Iran" not in {actor.actor for actor in record.actors}


def test_selected_words_become_evidence(page: Page) -> None:
    card(page, "Turkey").get_by_role("button", name="Correct").click()
    card(page, "Turkey").get_by_label("Evidence, word for word").fill("")
    page.evaluate("""() => {
        const words = [...document.querySelectorAll("#article span")].find((one) => one.textContent.includes("delegation"));
        const start = words.textContent.indexOf("will send");
        getSelection().setBaseAndExtent(words.firstChild, start, words.firstChild, start + 22);
    }""")
    card(page, "Turkey").get_by_role("button", name="Take what is selected").first.click()
    expect(card(page, "Turkey").get_by_label("Evidence, word for word")).to_have_value("will send a delegation")


def test_open_forms_stay_and_undo_takes_back(page: Page) -> None:
    card(page, "Turkey").get_by_role("button", name="Correct").click()
    card(page, "Turkey").get_by_label("Evidence, word for word").fill("half a thought")
    correct(page, "Iran", "none")
    expect(card(page, "Iran")).to_be_focused()
    expect(card(page, "Turkey").get_by_label("Evidence, word for word")).to_have_value("half a thought")
    card(page, "Iran").get_by_role("button", name="Undo").click()
    expect(page.locator("#corrections")).to_be_hidden()


def test_a_correction_to_a_stance_that_is_filtered_out_is_shown(page: Page) -> None:
    boxes = page.locator("#legend input")
    boxes.nth(1).uncheck()
    one = correct(page, "Turkey", "boycott", evidence="will send a delegation")
    expect(one).to_be_visible()
    expect(one).to_be_focused()
    expect(boxes.nth(1)).to_be_checked()


def test_the_saved_table_is_one_that_train_import_reads(page: Page, tmp_path: Path) -> None:
    correct(page, "Higher Negotiations Committee", "boycott", evidence="would stay away")
    correct(page, "Iran", "this is no actor")
    page.click("#new")
    page.fill("#title", "=Second")
    read(page, "Iran praised the Sochi congress.")
    path = save_table(page, tmp_path)
    reading = read_sheet(path)
    assert (reading.faults, reading.left_out) == ([], {"not labelled": 1})
    (record,) = to_records(reading, register="wire")
    assert record.text == TEXT
    told = {one.actor: (one.label, one.evidence) for one in record.actors if not one.ambiguous}
    assert told == {"Higher Negotiations Committee": ("boycott", ("would stay away",))}
    assert (
        {"Turkey"}
        <= {one.actor for one in record.actors}
        <= {"Turkey", "Higher Negotiations Committee", "Delta Council"}
    )
    rows = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig"))))
    said = {row["actor"]: (row["stance"], row["said_by"]) for row in rows if row["text"] != TEXT or row["actor"]}
    assert said["Higher Negotiations Committee"] == ("boycott", "reader")
    assert rows[-1]["title"] == "'=Second"
    assert rows[0]["model"].split()[0]


def test_the_saved_table_labels_only_actors_that_a_record_can_hold(page: Page, tmp_path: Path) -> None:
    page.click("summary:has-text('certain actors')")
    page.fill("#actors", "Turkey\nAnkara = Turkey\nCuba\nIran")
    read(page)
    correct(page, "Iran", "none")
    path = save_table(page, tmp_path)
    (record,) = to_records(read_sheet(path), register="wire")
    assert {one.actor: (one.mentions, one.ambiguous) for one in record.actors} == {
        "Turkey": (("Turkey",), True),
        "Iran": (("Iran",), False),
    }
    rows = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig"))))
    assert {row["actor"]: row["label"] for row in rows} == {"Turkey": "?", "Ankara": "-", "Cuba": "-", "Iran": "none"}


def test_a_text_too_long_for_a_cell_is_left_out_of_the_saved_table(page: Page, tmp_path: Path) -> None:
    correct(page, "Iran", "none")
    page.click("#save-table")
    expect(page.locator("#table-saved")).to_be_empty()
    read(page, "Iran praised the Sochi congress." + " " * 32_000 + "It ended.")
    correct(page, "Iran", "none")
    path = save_table(page, tmp_path)
    expect(page.locator("#table-saved")).to_contain_text("“Iran praised the Sochi congress. …”: spreadsheets cut")
    reading = read_sheet(path)
    assert (reading.faults, reading.left_out) == ([], {"not labelled": 1})
    assert [one.text for one in reading.texts] == [TEXT]


def test_marks_counts_and_timeline_follow_a_correction(page: Page) -> None:
    page.fill("#date", "2018-01-10")
    read(page)
    page.fill("#date", "2018-01-20")
    read(page, f"{TEXT} Nothing changed.")
    before = page.locator("#legend label", has_text="boycott").text_content() or ""
    correct(page, "Turkey", "boycott", evidence="will send a delegation")
    expect(page.locator("#legend label", has_text="boycott")).to_have_text(f"boycott {int(before.split()[-1]) + 1}")
    expect(page.locator("#article a", has_text="Turkey")).to_have_attribute("aria-label", "Turkey: boycott, by you")
    expect(card(page, "Turkey").locator(".verdict")).to_have_text("boycott by you")
    cell = page.locator("#timeline tbody tr", has_text="Turkey").locator("td").nth(1)
    expect(cell).to_contain_text("boycott by you")
    expect(cell).to_contain_text("changed from support")
    card(page, "Turkey").get_by_role("button", name="Undo").click()
    expect(page.locator("#legend label", has_text="boycott")).to_have_text(before)
    expect(cell).to_contain_text("support")


def test_an_open_form_outlives_a_look_at_another_article(page: Page) -> None:
    card(page, "Turkey").get_by_role("button", name="Correct").click()
    card(page, "Turkey").get_by_label("Evidence, word for word").fill("half a thought")
    read(page, "Iran praised the Sochi congress.")
    page.locator("#articles button").first.click()
    expect(card(page, "Turkey").get_by_label("Evidence, word for word")).to_have_value("half a thought")


@pytest.mark.parametrize("is_open", [True, False])
def test_a_page_with_an_open_form_asks_before_it_is_left(page: Page, is_open: bool) -> None:
    asked: list[str] = []
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept())[1])
    card(page, "Turkey").get_by_role("button", name="Correct").click()
    if not is_open:
        card(page, "Turkey").get_by_role("button", name="Leave").click()
    page.reload()
    assert asked == ["beforeunload"] * is_open


def test_the_page_knows_the_pronouns_of_the_corpus(page: Page) -> None:
    known = page.evaluate("async () => [...(await import('/page/record.js')).PRONOUNS]")
    assert frozenset(known) == _PRONOUNS
