from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from stance.actors import Lexicon
from stance.errors import CorpusError
from stance.schema import Process
from stance.text import join_lines
from training.corpus import Located, ProcessNames, check_records, load_corpus

Write = Callable[..., Path]


def faults(path: Path) -> list[str]:
    with pytest.raises(CorpusError) as caught:
        load_corpus([path])
    return caught.value.faults


def actor(**change: object) -> dict[str, object]:
    return {"actor": "Turkey", "mentions": ["Turkey"], "label": "support", "evidence": ["will send"], **change}


def test_a_sound_record_is_read(write_records: Write) -> None:
    (one,) = load_corpus([write_records({})])
    assert one.record.text_register == "wire"
    assert [actor.label for actor in one.record.actors] == ["support", "boycott"]


def test_actors_are_told_with_their_mentions_and_clear_ones_apart(write_records: Write) -> None:
    actors = [actor(), {**actor(ambiguous=True), "actor": "Delta Council", "mentions": ["Delta Council"]}]
    (one,) = load_corpus([write_records({"actors": actors})])
    mentioned = one.record.mentioned(Lexicon([]))
    words = [[one.record.text[span.start : span.end] for span in found.mentions] for _, found in mentioned]
    assert [one.actor for one, _ in mentioned] == ["Turkey", "Delta Council"]
    assert words == [["Turkey"], ["Delta Council"]]
    assert [one.actor for one in one.record.clear] == ["Turkey"]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"register": "blog"}, r"register: .*received \"blog\""),
        ({"split": "held"}, r"split: .*received \"held\""),
        ({"tags": ["odd"]}, r"tags\.0: .*received \"odd\""),
        ({"extra": 1}, r"extra: Extra inputs are not permitted; received 1"),
        ({"id": "a b"}, r"id: .*received \"a b\""),
        ({"actors": []}, r"actors: .*received \[\]"),
        ({"actors": [actor(label="maybe")]}, r"actors\.0\.label: .*received \"maybe\""),
        ({"actors": [actor(mentions=["Ankara"])]}, r"Turkey: mention 'Ankara' is not in the text as whole words"),
        ({"actors": [actor(mentions=["Turk"])]}, r"Turkey: mention 'Turk' is not in the text as whole words"),
        ({"actors": [actor(mentions=["It"])]}, r"Turkey: mention 'It' is a pronoun"),
        ({"actors": [actor(evidence=["came"])]}, r"Turkey: evidence 'came' is not in the text"),
        ({"actors": [actor(evidence=[])]}, r"Turkey: label 'support' with 0 pieces of evidence"),
        ({"actors": [actor(label="none")]}, r"Turkey: label 'none' with 1 pieces of evidence"),
        ({"actors": [actor(label2="none")]}, r"Turkey: label2 'none' without \"ambiguous\": true"),
        ({"actors": [actor(label2="support", ambiguous=True)]}, r"Turkey: label2 'support' is its label already"),
        ({"actors": [actor(evidence=[" "])]}, r"actors\.0\.evidence\.0: .*received \" \""),
        ({"process": "talks " * 40}, r"process: String should have at most 200 characters"),
        ({"text": "Turkey came. " * 4000}, r"text: String should have at most 50000 characters"),
        ({"actors": [actor(actor=f"A{n}", label="none", evidence=[]) for n in range(51)]}, r"at most 50 may be asked"),
        ({"actors": [actor(), actor()]}, r"actors: 'Turkey' is listed 2 times"),
        ({"actors": [actor(), actor(actor="Ankara")]}, r"Ankara: mention 'Turkey' names 'Turkey' too"),
    ],
)
def test_each_fault_is_told_with_its_place_and_value(
    write_records: Write, change: dict[str, object], told: str
) -> None:
    path = write_records(change)
    fault, *more = faults(path)
    assert fault.startswith(f"{path}:1: ")
    assert re.search(told, fault), fault
    assert all("names 'A0' too" in one for one in more)


def test_a_line_that_is_no_json_is_told(tmp_path: Path) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_text("{\n")
    (fault,) = faults(path)
    assert fault.startswith(f"{path}:1: Invalid JSON")


def test_a_file_without_a_record_is_told(tmp_path: Path) -> None:
    path = tmp_path / "own.jsonl"
    path.write_text("\n\n")
    assert faults(path) == [f"{path}: is empty; a line must hold a record"]


def test_a_table_or_an_export_is_told_how_it_becomes_records(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text("document,label\n1,none\n2,none\n")
    (fault,) = faults(path)
    assert fault.startswith(f"{path}: must end in .jsonl; `train import` makes one")


def test_a_file_is_read_as_editors_leave_it(tmp_path: Path, write_records: Write) -> None:
    """With a byte order mark, blank lines, and line breaks of Unicode's inside of strings."""
    text = "Turkey will send a delegation to Sochi.\u2028The Delta Council stayed away.\x85It is late."
    lines = write_records({"text": text}, {"id": "t-9", "text": f"{text} Very."}).read_text().splitlines()
    path = tmp_path / "own.jsonl"
    path.write_text("\n\n".join(json.dumps(json.loads(one), ensure_ascii=False) for one in lines), "utf-8-sig")
    located = load_corpus([path])
    assert [(one.line, one.record.text) for one in located] == [(1, text), (3, f"{text} Very.")]


def test_a_file_that_is_not_utf_8_is_told(tmp_path: Path) -> None:
    path = tmp_path / "latin.jsonl"
    path.write_bytes("\u00e9".encode("latin-1"))
    with pytest.raises(CorpusError, match=r"latin\.jsonl: is no text in UTF-8 .* at byte 0"):
        load_corpus([path])


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "odd.jsonl").mkdir()
    with pytest.raises(CorpusError, match=r"odd\.jsonl: cannot be read: Is a directory"):
        load_corpus([tmp_path])


def test_twins_share_text_and_split(write_records: Write) -> None:
    both = faults(
        write_records(
            {"id": "x"}, {"id": "xb", "text": "Turkey will send one. Delta Council stayed away.", "split": "dev"}
        )
    )
    assert any("differs from its twin's" in fault for fault in both)
    assert any("split: received 'dev', its twin" in fault for fault in both)


def test_one_id_and_one_text_only_once(write_records: Write) -> None:
    path = write_records({"id": "x"}, {"id": "x"}, {"id": "y"})
    told = faults(path)
    assert any("id: 'x' is used in" in fault for fault in told)
    assert any("and the process too; keep one of them" in fault for fault in told)
    other = write_records({"id": "x"}, {"id": "y", "process": "Geneva talks"}, name="other.jsonl")
    assert "a second process takes the id xb" in faults(other)[0]


def test_a_path_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="does not exist"):
        load_corpus([tmp_path / "no.jsonl"])
    with pytest.raises(CorpusError, match=r"no \.jsonl files"):
        load_corpus([tmp_path])


def test_the_corpus_is_sound_and_large_enough(whole_corpus: list[Located]) -> None:
    located = whole_corpus
    assert not check_records(located)
    assert len({one.record.text for one in located}) >= 1_428
    assert sum(len(one.record.actors) for one in located) >= 9_164


def test_a_process_is_known_by_many_names() -> None:
    names = ProcessNames([Process("Sochi process", ("Syrian Congress of National Dialogue",), key="sochi")])
    assert names.resolve("the Syrian congress of national dialogue").key == "sochi"
    assert [names.resolve(one).key for one in ("Sochi process", "sochi", "Sochi")] == ["sochi"] * 3
    assert names.resolve("Doha talks") == Process("Doha talks")


def test_every_line_is_canonical_json() -> None:
    from training.corpus import CORPUS

    for path in sorted(CORPUS.glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            assert line == json.dumps(json.loads(line), ensure_ascii=False), path


def test_datasets_loads_the_corpus(whole_corpus: list[Located], tmp_path: Path) -> None:
    import datasets

    from training.corpus import CORPUS

    files = [str(path) for path in sorted(CORPUS.glob("*.jsonl"))]
    loaded = datasets.load_dataset("json", data_files=files, split="train", cache_dir=str(tmp_path))
    assert loaded.num_rows == len(whole_corpus)
    assert {"id", "process", "text", "actors", "split"} <= set(loaded.column_names)


def test_broken_lines_are_joined_as_they_are_when_classified(write_records: Callable[..., Path]) -> None:
    text = (
        "Officials of Turkey said on Monday evening that they will\n"
        "send a delegation to the congress in Sochi. The Delta\n"
        "Council stayed away from all of it, and said that it would\n"
        "not change its mind."
    )
    turkey = {"actor": "Turkey", "mentions": ["Turkey"], "label": "support", "evidence": ["will\nsend a delegation"]}
    council = {
        "actor": "Delta Council",
        "mentions": ["Delta\nCouncil"],
        "label": "boycott",
        "evidence": ["stayed away"],
    }
    for breaks in ("\n", "\r\n"):
        change = json.loads(
            json.dumps({"text": text, "actors": [turkey, council]}).replace("\\n", json.dumps(breaks)[1:-1])
        )
        (one,) = load_corpus([write_records(change)])
        space = " " * len(breaks)
        assert one.record.text == join_lines(change["text"]) == text.replace("\n", space)
        assert one.record.actors[0].evidence == (f"will{space}send a delegation",)
        assert one.record.actors[1].mentions == (f"Delta{space}Council",)
    torn = {**turkey, "evidence": ["will\ngive a delegation"]}
    with pytest.raises(CorpusError, match="is not in the text"):
        load_corpus([write_records({"text": text, "actors": [torn, council]})])


def test_quotation_marks_dashes_and_spaces_are_as_the_text_has_them(write_records: Callable[..., Path]) -> None:
    text = "Turkey’s envoy called it “a show” – and\u00a0went home. The Delta Council stayed away."
    turkey = actor(
        mentions=["Turkey", "Turkey's envoy"], label="boycott", evidence=['called it "a show" - and went', "“a show”"]
    )
    (one,) = load_corpus([write_records({"text": text, "actors": [turkey]})])
    assert one.record.actors[0].mentions == ("Turkey", "Turkey’s envoy")
    assert one.record.actors[0].evidence == ("called it “a show” – and\u00a0went", "“a show”")
    told = faults(write_records({"text": text, "actors": [actor(label="boycott", evidence=['called it "the show"'])]}))
    assert told[0].endswith("is not in the text")
