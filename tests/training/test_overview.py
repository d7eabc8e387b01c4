"""The picture of the data: what is counted, and the page that shows it."""

from __future__ import annotations

import base64
import gzip
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from stance.schema import Process
from training.corpus import Located, ProcessNames, load_corpus
from training.overview.figures import Overview, measure_overview
from training.overview.names import MAX_GAP, measure_name_gaps
from training.overview.page import render_page, save_page
from training.overview.repetition import PlacedText, find_openings, find_pairs
from training.overview.tables import Sheet, make_tables

NAMES = ProcessNames(
    [Process("Sochi process", ("Sochi congress",), key="sochi"), Process("Geneva talks", key="geneva")]
)
TEXT = (
    "Officials said that Turkey will send a delegation of nine judges next spring. "
    "Speaking from Bergen, the Delta Council stayed away {}."
)
SOURCE = {"url": "https://example.org/a", "outlet": "An agency", "date": "2018-01-29"}
#: What makes no sense as HTML, JSON or a pattern.
ODD = "Turkey will send a delegation </script><b>&amp; (so). The Delta Council stayed away."


def read(*labels: str) -> list[dict[str, object]]:
    actors = []
    for name, label in zip(("Turkey", "Delta Council"), labels, strict=True):
        evidence = [] if label == "none" else ["stayed away"]
        actors.append(
            {"actor": name, "mentions": [name], "label": label, "evidence": evidence, "readings": [label] * 2}
        )
    return actors


@pytest.fixture
def measured(write_records: Callable[..., Path]) -> Overview:
    corpus = write_records(
        {"id": "a"},
        {"id": "ab", "process": "the Geneva talks", "tags": []},
        {"id": "c", "text": TEXT.format("again"), "process": "Oslo talks", "split": "dev"},
        {"id": "d", "text": TEXT.format("once more"), "process": "The Oslo Talks", "split": "test", "register": "oped"},
        {"id": "e", "text": ODD, "process": "Cairo talks", "split": None},
    )
    article = f"Long report: Turkey and the Delta Council stayed away. {'word ' * 350}"
    gold = write_records(
        {"id": "g", "text": article, "split": "dev", "source": SOURCE, "actors": read("support", "none")},
        name="gold.jsonl",
    )
    return measure_overview(load_corpus([corpus]), load_corpus([gold]), NAMES)


def table(measured: Overview, key: str) -> dict[str, dict[str, str]]:
    one = sheet(measured, key)
    return {row[0]: dict(zip(one.columns[1:], row[1:], strict=True)) for row in one.rows}


def sheet(measured: Overview, key: str) -> Sheet:
    return next(one for one in make_tables(measured) if one.key == key)


def records_of(page: str) -> list[dict[str, object]]:
    packed = re.search(r'id="packed">([^<]*)</script>', page)
    assert packed
    return list(json.loads(gzip.decompress(base64.b64decode(packed[1]))))


def test_every_record_is_in_its_part_and_in_the_whole(measured: Overview) -> None:
    totals = table(measured, "totals")
    parts = {"train": "2", "dev": "1", "test": "1", "no split": "1", "corpus": "5", "gold dev": "1", "gold": "1"}
    assert totals["records"] == parts
    assert totals["distinct texts"]["corpus"] == "4"
    assert totals["twins (texts judged on a second process)"]["corpus"] == "1"
    assert totals["labels"]["corpus"] == "10"
    assert totals["records without tags"]["corpus"] == "1"


def test_processes_are_known_by_any_name_and_others_are_counted_once(measured: Overview) -> None:
    processes = {name: row["corpus"] for name, row in table(measured, "processes").items()}
    assert processes == {"sochi": "1 (20%)", "geneva": "1 (20%)", "others": "3 (60%)", "distinct others": "2"}


def test_labels_registers_and_tags(measured: Overview) -> None:
    assert {name: row["corpus"] for name, row in table(measured, "labels").items()} == {
        "support": "5 (50%)",
        "boycott": "5 (50%)",
        "conditional": "0 (0%)",
        "none": "0 (0%)",
    }
    registers = table(measured, "registers")
    assert (registers["wire"]["corpus"], registers["oped"]["test"]) == ("4 (80%)", "1")
    assert table(measured, "tags")["background"]["corpus"] == "4"
    assert measured.label_by_register["oped"] == {"support": 1, "boycott": 1, "conditional": 0, "none": 0}


def test_lengths_are_words_of_distinct_texts(measured: Overview) -> None:
    lengths = table(measured, "lengths")
    assert measured.lengths["corpus"].words == (12, 22, 23, 12)
    assert [lengths[name]["corpus"] for name in ("shortest", "median", "longest")] == ["12", "17", "23"]
    assert [lengths["texts of 350 and more"][part] for part in ("corpus", "gold")] == ["0", "1"]


def test_agreement_is_gold_s(measured: Overview) -> None:
    assert "2 pairs of readings, 100.0% alike" in sheet(measured, "agreement").note
    assert table(measured, "agreement")["support"] == {"Cohen's kappa": "1.000"}


def test_near_duplicates_in_different_parts_are_named(measured: Overview) -> None:
    assert table(measured, "duplicates")["test"]["dev"] == "1"
    assert [(pair.left.id, pair.right.id) for pair in measured.crossing] == [("c", "d")]
    (row,) = sheet(measured, "crossing").rows
    assert (row[0], *row[2:]) == ("dev, test", "c", "d")


def test_without_gold_or_near_duplicates_the_tables_say_so(write_records: Callable[..., Path]) -> None:
    alone = measure_overview(load_corpus([write_records({})]), [], NAMES)
    assert list(alone.parts) == ["train", "corpus"]
    assert sheet(alone, "agreement").note == "No actor has two readings."
    assert sheet(alone, "names").note.startswith("Too few labels")
    assert "crossing" not in {one.key for one in make_tables(alone)}
    assert [record["id"] for record in records_of(render_page(alone))] == ["t-0"]


def test_openings_are_six_words_and_near_duplicates_count_once() -> None:
    opening = "The council’s envoy told the reporters"
    texts = [f"Nothing. {opening} thing number {n}." for n in range(6)]
    (found,) = find_openings(texts, [0, 0, 1, 2, 3, 4])
    assert (found.words, found.uses, found.groups) == (opening.casefold(), 6, 5)
    assert find_openings(texts[:5], range(5)) == []
    assert find_openings(["He said so. " * 9], [0]) == []
    (dotted,) = find_openings(["The U.N. envoy al-Hakim’s aide said it. " * 6], [0])
    assert dotted.words == "the u.n envoy al-hakim’s aide said"


def test_pairs_and_groups_are_of_the_same_texts() -> None:
    texts = ["Quite another thing happened in the valley today.", TEXT.format("again"), TEXT.format("once more")]
    pairs, groups = find_pairs([PlacedText(f"part {n}", f"{n}", text) for n, text in enumerate(texts)])
    assert [(pair.left.id, pair.right.id, pair.crosses) for pair in pairs] == [("1", "2", True)]
    assert groups[0] != groups[1] == groups[2]


def many(write_records: Callable[..., Path], *, telling: bool) -> list[Located]:
    """Records of two actors whose labels their names tell, or do not."""
    changes = []
    for n in range(60):
        labels = ("support", "boycott") if telling or n % 4 < 2 else ("boycott", "support")
        split = "test" if n % 2 else "train"
        changes.append({"split": split, "text": TEXT.format(f"for the {n}th time"), "actors": read(*labels)})
    return load_corpus([write_records(*changes, name=f"{telling}.jsonl")])


def test_the_gap_is_wide_only_where_names_tell_the_label(write_records: Callable[..., Path]) -> None:
    points = {}
    for telling in (True, False):
        located = many(write_records, telling=telling)
        train, test = ([one for one in located if one.record.split == split] for split in ("train", "test"))
        whole, sochi = measure_name_gaps(train, test, NAMES)
        assert (whole.subset, whole.cases, sochi.subset) == ("all", 60, "Sochi")
        assert whole.majority < whole.chance < 0.75  # two labels, drawn at half each
        points[telling] = whole.points
    assert points[True] == pytest.approx(100 * (1 - 1 / 3))
    assert points[False] < points[True]
    assert points[True] > MAX_GAP


def test_the_page_holds_every_record_and_asks_no_other_host(measured: Overview, tmp_path: Path) -> None:
    save_page(tmp_path / "deep" / "data.html", measured)
    page = (tmp_path / "deep" / "data.html").read_text(encoding="utf-8")
    assert list((tmp_path / "deep").iterdir()) == [tmp_path / "deep" / "data.html"]
    records = {record["id"]: record for record in records_of(page)}
    assert list(records) == ["a", "ab", "c", "d", "e", "g"]
    assert (records["g"]["split"], records["ab"]["kind"], records["e"]["kind"]) == ("gold dev", "geneva", "others")
    assert records["e"]["text"] == ODD
    outside = re.findall(r"""(?:src|href)=["'](?!#)[^"']*|url\((?!#)[^)]*|@import|https?://[^"'\s<]*""", page)
    assert {one for one in outside if "www.w3.org" not in one} == set()
    assert page.count("default-src 'none'") == 1


def test_the_page_draws_plots_with_ids_of_their_own(measured: Overview) -> None:
    page = render_page(measured)
    assert page.count("<svg ") == page.count("</svg>") == 6
    ids = re.findall(r'\sid="([^"]*)"', page)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r"(?:url\(|href=\")#([\w-]+)", page)) <= {*ids, "id"}
    assert "currentColor" in page
    assert "#010203" not in page


def test_no_opening_of_the_corpus_is_a_frame(whole_corpus: list[Located]) -> None:
    texts = sorted({one.record.text for one in whole_corpus})
    assert find_openings(texts, range(len(texts))) == []
