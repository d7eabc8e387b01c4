"""What people are given to label, and what is read back."""

from __future__ import annotations

import copy
import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from stance.errors import CorpusError
from training.agreement import measure_agreement
from training.corpus import load_corpus
from training.labelling.exchange import import_labels
from training.labelling.judged import Judged, JudgedActor, Quote, Suggestion
from training.labelling.labelstudio import CONFIG, to_tasks
from training.labelling.sheet import to_csv

TEXT = (
    "=1 🕊 Turkey will send a delegation to Sochi;\u2028the Delta Council stayed away. Geneva's mediator said nothing."
)
PROCESS = "Sochi process"
LABELS = {"Turkey": "support", "Delta Council": "boycott", "mediator": "none"}
ROOT = Path(__file__).resolve().parents[2]


def quote(words: str) -> Quote:
    start = TEXT.index(words)
    return Quote(start, start + len(words), words)


def actor(name: str, stance: str, *evidence: str) -> JudgedActor:
    return JudgedActor(
        name, stance, (0.4, 0.3, 0.2, 0.1), ("support", "boycott"), (quote(name),), tuple(map(quote, evidence))
    )


def suggestions() -> list[Suggestion]:
    actors = (
        actor("Turkey", "support", "will send a delegation"),
        actor("Delta Council", "boycott", "stayed away"),
        actor("mediator", "none"),
    )
    return [Suggestion("a/1.txt", TEXT, Judged(0, "a/1.txt", "T", None, PROCESS, "0.1", actors))]


def export() -> list[dict[str, Any]]:
    """The tasks as they come back when the model's reading was accepted as it is."""
    tasks = to_tasks(suggestions())
    return [
        {
            "id": 7,
            **task,
            "annotations": [{"id": 1, "was_cancelled": False, "result": task["predictions"][0]["result"]}],
        }
        for task in tasks
    ]


@pytest.fixture
def imported(tmp_path: Path) -> Callable[..., list[dict[str, Any]]]:
    """Writes what came back to a file, imports it, and gives the records that were made."""

    def write_and_import(content: object, name: str = "back.json") -> list[dict[str, Any]]:
        path = tmp_path / name
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8", newline="")
        out = tmp_path / "labels.jsonl"
        import_labels(path, out, register="wire", overwrite=True)
        assert [one.record.text for one in load_corpus([out])]
        return [json.loads(line) for line in out.read_text(encoding="utf-8").split("\n") if line]

    return write_and_import


def faults(imported: Callable[..., Any], content: object, name: str = "back.json") -> list[str]:
    with pytest.raises(CorpusError) as caught:
        imported(content, name)
    return [fault.split(name, 1)[1] for fault in caught.value.faults]


def results(tasks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = tasks[0]["annotations"][0]["result"]
    return found


def test_an_accepted_reading_comes_back_as_it_was(imported: Callable[..., list[dict[str, Any]]]) -> None:
    (record,) = imported(export())
    assert record["text"] == TEXT
    assert record["process"] == PROCESS
    assert "split" not in record
    assert {one["actor"]: one["label"] for one in record["actors"]} == LABELS
    assert record["actors"][0]["evidence"] == ["will send a delegation"]
    assert record["actors"][0]["mentions"] == ["Turkey"]


def test_every_control_of_a_task_is_in_the_labelling_interface() -> None:
    controls = {(one.get("name"), one.get("toName")) for one in ElementTree.fromstring(CONFIG) if one.get("toName")}
    tasks = to_tasks(suggestions())
    for one in tasks[0]["predictions"][0]["result"]:
        assert (one["from_name"], one["to_name"]) in controls
        if one["type"] == "labels":
            assert TEXT[one["value"]["start"] : one["value"]["end"]] == one["value"]["text"]
            assert f'<Label value="{one["value"]["labels"][0]}"' in CONFIG
    assert tasks[0]["data"] == {"document": "a/1.txt", "process": PROCESS, "title": "T", "text": TEXT}


def test_the_words_count_where_offsets_count_otherwise(imported: Callable[..., list[dict[str, Any]]]) -> None:
    tasks = export()
    for one in results(tasks):  # UTF-16 units: the dove is two
        one["value"]["start"] += 1
        one["value"]["end"] += 1
    assert imported(tasks)[0]["actors"][1]["mentions"] == ["Delta Council"]


def test_words_that_differ_in_their_spaces_count_too(imported: Callable[..., list[dict[str, Any]]]) -> None:
    tasks = export()
    for one in results(tasks):
        if one["id"] == "actor-0-evidence-0" and one["from_name"] == "span":
            one["value"].update(
                text="will send\u00a0a delegation", start=one["value"]["start"] + 1, end=one["value"]["end"] + 1
            )
    assert imported(tasks)[0]["actors"][0]["evidence"] == ["will send a delegation"]


def test_a_mention_without_a_name_is_taken_for_its_words(imported: Callable[..., list[dict[str, Any]]]) -> None:
    tasks = export()
    tasks[0]["annotations"][0]["result"] = [
        one for one in results(tasks) if not (one["from_name"] == "name" and one["id"].startswith("actor-0-mention"))
    ]
    assert imported(tasks)[0]["actors"][0]["actor"] == "Turkey"


def test_an_arrow_tells_whose_evidence_it_is(imported: Callable[..., list[dict[str, Any]]]) -> None:
    tasks = export()
    kept = [one for one in results(tasks) if one["id"] != "actor-1-evidence-0" or one["from_name"] == "span"]
    arrow = {"type": "relation", "from_id": "actor-1-evidence-0", "to_id": "actor-1-mention-0", "direction": "right"}
    tasks[0]["annotations"][0]["result"] = [*kept, arrow]
    assert imported(tasks)[0]["actors"][1]["evidence"] == ["stayed away"]
    tasks[0]["annotations"][0]["result"] = kept
    (fault,) = [one for one in faults(imported, tasks) if "whose it is" in one]
    assert fault.startswith(":7: evidence 'stayed away'")


def test_an_arrow_to_an_unnamed_mention_of_the_same_words_tells_whose_it_is(
    imported: Callable[..., list[dict[str, Any]]],
) -> None:
    tasks = export()
    kept = [one for one in results(tasks) if one["id"] != "actor-1-evidence-0" or one["from_name"] == "span"]
    for one in kept:
        if one["id"] == "actor-1-mention-0" and one["from_name"] == "name":
            one["value"]["text"] = ["The Council"]
    (again,) = [one for one in kept if one["id"] == "actor-1-mention-0" and one["from_name"] == "span"]
    arrow = {"type": "relation", "from_id": "actor-1-evidence-0", "to_id": "again", "direction": "right"}
    tasks[0]["annotations"][0]["result"] = [*kept, {**again, "id": "again"}, arrow]
    council = imported(tasks)[0]["actors"][1]
    assert (council["actor"], council["evidence"]) == ("The Council", ["stayed away"])


@pytest.mark.parametrize(
    ("region", "control", "change", "told"),
    [
        ("actor-1-mention-0", "stance", None, "Delta Council: no stance"),
        ("actor-1-mention-0", "stance", {"choices": ["maybe"]}, "Delta Council: label: Input should be 'support'"),
        ("actor-1-evidence-0", "name", {"text": ["Turky"]}, "'Turky' is no actor of this text"),
        (
            "actor-1-evidence-0",
            "span",
            {"text": "went away", "start": 0, "end": 0},
            "evidence 'went away' is not in the text",
        ),
        (
            "actor-1-mention-0",
            "span",
            {"text": "Delta Counc", "start": 46},
            "mention 'Delta Counc' is not in the text as whole words",
        ),
        ("actor-2-mention-0", "stance", {"choices": ["support"]}, "with 0 pieces of evidence"),
    ],
)
def test_faults_of_an_export_are_told_by_task(
    imported: Callable[..., Any], region: str, control: str, change: dict[str, Any] | None, told: str
) -> None:
    tasks = export()
    (one,) = [one for one in results(tasks) if one["id"] == region and one["from_name"] == control]
    if change is None:
        results(tasks).remove(one)
    else:
        one["value"] = {**one["value"], **change}
    assert any(fault.startswith(":7: ") and told in fault for fault in faults(imported, tasks))


def test_annotations_that_do_not_count(imported: Callable[..., list[dict[str, Any]]]) -> None:
    tasks = export()
    tasks[0]["annotations"].append({"result": [], "was_cancelled": True})
    assert len(imported(tasks)) == 1
    tasks[0]["annotations"].append({"result": [], "was_cancelled": False})
    assert "mark the annotation that counts as ground truth" in faults(imported, tasks)[0]
    tasks[0]["annotations"][0]["ground_truth"] = True
    assert len(imported(tasks)) == 1


def annotated(*stances: str) -> list[dict[str, Any]]:
    """The task as several people label it, who differ in what the Delta Council wants."""
    tasks = export()
    (annotation,) = tasks[0].pop("annotations")
    tasks[0]["annotations"] = [{**copy.deepcopy(annotation), "completed_by": who} for who in range(1, len(stances) + 1)]
    for one, stance in zip(tasks[0]["annotations"], stances, strict=True):
        (chosen,) = [
            part for part in one["result"] if part["id"] == "actor-1-mention-0" and part["from_name"] == "stance"
        ]
        chosen["value"]["choices"] = [stance]
    return tasks


def test_annotators_who_agree_need_no_ground_truth(imported: Callable[..., list[dict[str, Any]]]) -> None:
    (record,) = imported(annotated("boycott", "boycott", "boycott"))
    assert {one["actor"]: one["label"] for one in record["actors"]} == LABELS
    assert record["actors"][1]["readings"] == ["boycott"] * 3


def test_where_annotators_differ_is_told_and_what_all_said_is_kept(
    imported: Callable[..., list[dict[str, Any]]], tmp_path: Path
) -> None:
    tasks = annotated("boycott", "conditional", "boycott")
    tasks[0]["annotations"][1]["completed_by"] = {"id": 2, "email": "b@example.org"}
    told = ":7: Delta Council: boycott (1, 3); conditional (b@example.org); mark the annotation that counts"
    (fault,) = faults(imported, tasks)
    assert fault.startswith(told)
    tasks[0]["annotations"][1]["ground_truth"] = True
    (record,) = imported(tasks)
    assert record["actors"][1]["label"] == "conditional"
    assert record["actors"][1]["readings"] == ["boycott", "conditional", "boycott"]
    assert measure_agreement(load_corpus([tmp_path / "labels.jsonl"])).cases == 9
    tasks[0]["annotations"][0]["ground_truth"] = True
    assert faults(imported, tasks) == [":7: annotations: 2 are marked as ground truth; mark one"]


def test_who_annotates_twice_is_one_reader(imported: Callable[..., list[dict[str, Any]]]) -> None:
    tasks = annotated("boycott", "conditional", "boycott")
    again = tasks[0]["annotations"][2]
    again.update(completed_by=1, ground_truth=True)
    assert imported(tasks)[0]["actors"][1]["readings"] == ["boycott", "conditional"]
    for number, one in enumerate(tasks[0]["annotations"]):
        one["id"] = number
        del one["completed_by"]
    assert imported(tasks)[0]["actors"][1]["readings"] == ["boycott", "conditional", "boycott"]
    del again["ground_truth"]
    (fault,) = faults(imported, tasks)
    assert "boycott (annotation 0, annotation 2); conditional (annotation 1)" in fault


def test_an_actor_that_one_annotator_did_not_mark_is_a_difference(imported: Callable[..., Any]) -> None:
    tasks = annotated("boycott", "boycott")
    second = tasks[0]["annotations"][1]
    second["result"] = [one for one in second["result"] if not one["id"].startswith("actor-2")]
    (fault,) = faults(imported, tasks)
    assert fault.startswith(":7: mediator: none (1); not marked (2); ")


def test_what_is_wrong_with_an_annotation_that_does_not_count_is_no_fault(
    imported: Callable[..., list[dict[str, Any]]],
) -> None:
    tasks = annotated("boycott", "perhaps", "support")
    tasks[0]["annotations"][0]["ground_truth"] = True
    third = tasks[0]["annotations"][2]
    third["result"] = [one for one in third["result"] if one["from_name"] != "stance"]
    (record,) = imported(tasks)
    assert record["actors"][1]["readings"] == ["boycott"]
    assert record["actors"][0]["readings"] == ["support", "support"]


def test_a_mention_of_two_names_is_told(imported: Callable[..., Any]) -> None:
    tasks = export()
    for one in results(tasks):
        if one["id"] == "actor-2-mention-0" and one["from_name"] == "name":
            one["value"]["text"] = ["mediator; host"]
    told = ":7: mention 'mediator': received the names 'mediator', 'host'; it may name one actor"
    assert faults(imported, tasks) == [told]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("{", "no valid JSON"),
        ("{}", "must be a list of tasks"),
        ('[{"text": "T", "span": []}]', ":1: annotations: there are none; export the project as JSON, not JSON-MIN"),
        ('[{"annotations": [], "data": {"text": "T"}}]', ":1: data.process: must be a text"),
        ('[{"annotations": [], "data": {"text": "T", "process": "P"}}]', "holds no labelled text"),
    ],
)
def test_what_is_no_export_is_told(imported: Callable[..., Any], content: str, told: str) -> None:
    assert any(told in fault for fault in faults(imported, content))


def test_a_text_takes_two_processes(imported: Callable[..., list[dict[str, Any]]]) -> None:
    tasks = [copy.deepcopy(export()[0]) for _ in range(3)]
    for number, process in enumerate(("Sochi process", "Geneva talks", "Astana talks")):
        tasks[number]["id"] = number
        tasks[number]["data"]["process"] = process
    first, second = imported(tasks)
    assert second["id"] == f"{first['id']}b"
    assert not first["id"].endswith("b")
    tasks[1]["data"]["process"] = "Sochi process"
    assert len(imported(tasks)) == 2  # labelled twice, alike
    (stance,) = [one for one in results(tasks[1:]) if one["id"] == "actor-1-mention-0" and one["from_name"] == "stance"]
    stance["value"]["choices"] = ["conditional"]
    told = ":1: text: is labelled on 'Sochi process' in 0 too, otherwise; keep one of them"
    assert faults(imported, tasks) == [told]


def filled(labels: dict[str, str], **changes: str) -> str:
    """The table with labels filled in; ``changes`` go to the row of the Delta Council. As Excel keeps it: semicolons."""
    rows = list(csv.DictReader(io.StringIO(to_csv(suggestions()), newline="")))
    for row in rows:
        row["label"] = labels.get(row["actor"], "")
        row.update(changes if row["actor"] == "Delta Council" else {})
    stream = io.StringIO(newline="")
    writer = csv.DictWriter(stream, rows[0].keys(), delimiter=";")
    writer.writeheader()
    writer.writerows(rows)
    return "\ufeff" + stream.getvalue()


def test_a_table_that_was_filled_in_comes_back(imported: Callable[..., list[dict[str, Any]]]) -> None:
    assert "'=1 🕊" in to_csv(suggestions())
    (record,) = imported(filled(LABELS), "back.csv")
    assert record == imported(export())[0]


def test_marks_in_a_quoted_name_part_no_columns_of_a_table(imported: Callable[..., list[dict[str, Any]]]) -> None:
    note = ", ".join(["note"] * 20)
    first, *rows = csv.reader(io.StringIO(filled(LABELS).removeprefix("\ufeff"), newline=""), delimiter=";")
    stream = io.StringIO(newline="")
    csv.writer(stream, delimiter=";", quoting=csv.QUOTE_ALL).writerows([[note, *first], *(["", *row] for row in rows)])
    assert imported(stream.getvalue(), "back.csv") == imported(filled(LABELS), "back.csv")


def test_a_bar_that_stands_in_the_text_parts_nothing(imported: Callable[..., list[dict[str, Any]]]) -> None:
    text = "Coordination | Madani came to Sochi. Coordination | Khartoum stayed away, and its envoy | stayed home."
    stream = io.StringIO(newline="")
    csv.writer(stream).writerows(
        [
            ("document", "process", "actor", "label", "evidence", "mentions", "text"),
            ("a", PROCESS, "Madani", "support", "came", "Coordination | Madani", text),
            (
                "a",
                PROCESS,
                "Khartoum",
                "boycott",
                "stayed away|stayed home",
                "Coordination | Khartoum | its envoy |",
                "",
            ),
        ]
    )
    (record,) = imported(stream.getvalue(), "back.csv")
    madani, khartoum = record["actors"]
    assert madani["mentions"] == ["Coordination | Madani"]
    assert khartoum["mentions"] == ["Coordination | Khartoum", "its envoy"]
    assert khartoum["evidence"] == ["stayed away", "stayed home"]


def test_what_a_spreadsheet_made_of_quotation_marks_and_line_breaks_is_found_in_the_text(
    imported: Callable[..., list[dict[str, Any]]],
) -> None:
    (record,) = imported(
        filled({**LABELS, "mediator": "support"}).replace(";;mediator;;none", ";Geneva’s mediator said;mediator;;none"),
        "back.csv",
    )
    assert record["actors"][2]["evidence"] == ["Geneva's mediator said"]


def test_a_row_may_be_left_open_or_dropped(imported: Callable[..., list[dict[str, Any]]]) -> None:
    (record,) = imported(filled({"Turkey": "?", "Delta Council": "Boycott", "mediator": "-"}), "back.csv")
    turkey, council = record["actors"]
    assert turkey == {"actor": "Turkey", "mentions": ["Turkey"], "label": "none", "ambiguous": True}
    assert council["label"] == "boycott"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"label": "against"}, ":3: label: received 'against'; allowed are support, boycott"),
        ({"label": ""}, ":3: label: received ''"),
        ({"evidence": "stayed home"}, ":3: Delta Council: evidence 'stayed home' is not in the text"),
        ({"evidence": ""}, ":3: Delta Council: label 'boycott' with 0 pieces of evidence"),
        ({"mentions": "Turkey"}, ":2: Delta Council: mention 'Turkey' names 'Turkey' too"),
        ({"mentions": "Delta Council | it"}, ":3: Delta Council: mention 'it' is a pronoun"),
        ({"ambiguous": "perhaps"}, ":3: ambiguous: received 'perhaps'; allowed are yes and no"),
        ({"text": "Another text"}, ":3: text: differs from row 2's"),
        ({"document": ""}, ":3: document: is empty"),
    ],
)
def test_faults_of_a_table_are_told_by_row(imported: Callable[..., Any], changes: dict[str, str], told: str) -> None:
    assert any(fault.startswith(told) for fault in faults(imported, filled(LABELS, **changes), "back.csv"))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("a,b\n1,2\n", ":1: has no column 'document'"),
        ("", ":1: has no column 'document'"),
        (filled({}), "holds no labelled text; 1 are not labelled"),
    ],
)
def test_what_is_no_table_of_suggestions_is_told(imported: Callable[..., Any], content: str, told: str) -> None:
    assert any(told in fault for fault in faults(imported, content, "back.csv"))


def test_a_table_that_is_no_utf8_is_told(tmp_path: Path) -> None:
    path = tmp_path / "back.csv"
    path.write_bytes(filled(LABELS).replace("🕊", "é").encode("latin-1", "ignore"))
    with pytest.raises(CorpusError, match="save it as 'CSV UTF-8'"):
        import_labels(path, tmp_path / "out.jsonl", register="wire")


def test_nothing_is_written_over_or_under_a_strange_name(tmp_path: Path) -> None:
    path = ROOT / "docs" / "example" / "export.json"
    out = tmp_path / "labels.jsonl"
    records, left_out = import_labels(path, out, register="wire")
    assert len(records) == 3
    assert left_out == {"not labelled": 1}
    with pytest.raises(CorpusError, match="--overwrite"):
        import_labels(path, out, register="wire")
    with pytest.raises(CorpusError, match=r"must end in \.jsonl"):
        import_labels(path, tmp_path / "labels.json", register="wire")
    with pytest.raises(CorpusError, match=r"must end in \.json"):
        import_labels(tmp_path / "x.txt", tmp_path / "y.jsonl", register="wire")
