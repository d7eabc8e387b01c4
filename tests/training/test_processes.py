"""Own processes beside the known ones, and own labels without a split."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from stance.errors import CorpusError, StanceError
from training import pipeline
from training.config import TrainingConfig
from training.corpus import load_corpus
from training.data import load_data, load_divided
from training.processes import PROCESSES, free_names, load_processes
from training.runs import Run
from training.splits import assign_splits

TEXT = "Turkey will send a delegation to Sochi on Monday, officials said. The Delta Council stayed away from it {}."
ACTORS = [{"actor": "Turkey", "mentions": ["Turkey"], "label": "support", "evidence": ["will send a delegation"]}]
OWN = {"key": "lakes", "name": "Lake talks", "aliases": ["talks on the lake"]}


def write(path: Path, value: object) -> Path:
    path.write_text(json.dumps(value), encoding="utf-8")
    return path


def faults_of(*files: Path) -> list[str]:
    with pytest.raises(CorpusError) as caught:
        load_processes(files)
    return caught.value.faults


def test_own_processes_come_to_the_known_ones_or_take_their_place(tmp_path: Path) -> None:
    known = json.loads(PROCESSES.read_text(encoding="utf-8"))
    assert load_processes() == known
    geneva = {"key": "geneva", "name": "Geneva II", "aliases": []}
    merged = load_processes([write(tmp_path / "own.json", [geneva, OWN])])
    assert [one["key"] for one in merged] == [*(one["key"] for one in known), "lakes"]
    assert merged[1] == geneva
    assert merged[-1] == OWN


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ({**OWN, "key": "The Lakes"}, "key: String should match pattern"),
        ({**OWN, "alias": []}, "alias: Extra inputs are not permitted"),
        ({"key": "lakes"}, "name: Field required"),
        ({**OWN, "name": " "}, "name: String should match"),
        ({**OWN, "aliases": [""]}, "aliases: received an empty one"),
        ({**OWN, "aliases": ["the ASTANA talks"]}, "'the ASTANA talks' names 'astana' too"),
        ({**OWN, "aliases": ["Astana"]}, "'Astana' names 'astana' too"),
        ("lakes", 'received "lakes"'),
    ],
)
def test_faults_are_told_by_file_and_entry(tmp_path: Path, entry: object, told: str) -> None:
    path = write(tmp_path / "own.json", [{**OWN, "key": "first", "name": "First talks", "aliases": []}, entry])
    (fault,) = faults_of(path)
    assert fault.startswith(f"{path}:2: ")
    assert told in fault


def test_a_key_is_given_once(tmp_path: Path) -> None:
    left, right = write(tmp_path / "a.json", [OWN]), write(tmp_path / "b.json", [OWN])
    assert faults_of(left, right) == [f"{right}:1: key: 'lakes' is used in {left}:1 already"]


@pytest.mark.parametrize("content", ["{}", "[]", "[", "\udcff"])
def test_what_is_no_list_is_told(tmp_path: Path, content: str) -> None:
    path = tmp_path / "own.json"
    path.write_bytes(content.encode("utf-8", "surrogateescape"))
    (fault,) = faults_of(path)
    assert fault.startswith(f"{path}: ")
    (fault,) = faults_of(tmp_path / "none.json")
    assert "No such file" in fault


def test_own_labels_get_the_splits_that_train_split_gives_and_their_file_stays(
    small_corpus: Path, write_records: Callable[..., Path]
) -> None:
    texts = [
        f"The Council of district {n} sent {n} envoys to Turkey's {n} talks. Delta Council stayed away."
        for n in range(40)
    ]
    actors = [
        {"actor": "Delta Council", "mentions": ["Delta Council"], "label": "boycott", "evidence": ["stayed away"]}
    ]
    own = write_records(*({"text": text, "split": None, "actors": actors} for text in texts))
    before = own.read_bytes()
    divided = load_divided([small_corpus], [own])
    drawn = {one.record.passage: one.record.split for one in divided if one.path == own}
    expected = assign_splits(load_corpus([small_corpus, own]))
    assert drawn == {passage: expected[passage] for passage in drawn}
    assert own.read_bytes() == before
    data = load_data([small_corpus], extra=[own])
    assert data.digest == load_data([small_corpus], extra=[own]).digest != load_data([small_corpus]).digest


def test_twins_and_near_duplicates_of_own_labels_are_on_one_side(
    tmp_path: Path, write_records: Callable[..., Path]
) -> None:
    held = write_records(
        {"id": "held", "text": TEXT.format("again"), "split": "test", "actors": ACTORS}, name="a.jsonl"
    )
    own = write_records(
        {"id": "p", "text": TEXT.format("once more"), "split": None, "actors": ACTORS},
        {"id": "pb", "text": TEXT.format("once more"), "split": None, "actors": ACTORS, "process": "Geneva"},
        name="b.jsonl",
    )
    assert {one.record.id: one.record.split for one in load_divided([held], [own])} == dict.fromkeys(
        ("held", "p", "pb"), "test"
    )


def test_the_corpus_itself_needs_its_splits(write_records: Callable[..., Path]) -> None:
    with pytest.raises(CorpusError, match="fix it with `train split"):
        load_divided([write_records({"split": None})])


def test_own_labels_with_a_source_are_not_drawn_for_training(write_records: Callable[..., Path]) -> None:
    source = {"url": "https://example.org/a", "outlet": "Example", "date": "2020-01-01"}
    own = write_records({"split": None, "source": source})
    with pytest.raises(CorpusError, match="gold is never trained on"):
        load_divided([], [own])


def test_a_run_with_own_labels_is_taken_up_with_the_same_ones(
    tmp_path: Path, small_corpus: Path, tiny_backbone: Path, write_records: Callable[..., Path]
) -> None:
    own, process = write_records({"split": None}), write(tmp_path / "own.json", [OWN])
    data = load_data([small_corpus], extra=[own], own_processes=[process])
    config = TrainingConfig(backbone=str(tiny_backbone), epochs=0.1, key_size=8)
    pipeline.finetune_step(data, config, Run(tmp_path / "run"), progress=False)
    _, again = pipeline.load_run(Run(tmp_path / "run"), [small_corpus], extra=[own], own_processes=[process])
    assert again.digest == data.digest
    with pytest.raises(StanceError, match="give the same --data, --extra and --process"):
        pipeline.load_run(Run(tmp_path / "run"), [small_corpus], extra=[own])
    ferry = {"actor": "ferry", "mentions": ["ferry"], "label": "none", "evidence": []}
    few = write_records({"split": "dev", "text": "The ferry did not sail.", "actors": [ferry]}, name="few.jsonl")
    with pytest.raises(CorpusError, match="calibration: 1 clear label"):
        pipeline.load_run(
            Run(tmp_path / "run"), [small_corpus], extra=[own], calibration=[few], own_processes=[process]
        )


def test_own_processes_are_part_of_the_data(tmp_path: Path, small_corpus: Path) -> None:
    plain = load_data([small_corpus])
    data = load_data([small_corpus], own_processes=[write(tmp_path / "own.json", [OWN])])
    assert data.names.resolve("the talks on the Lake").key == "lakes"
    assert data.digest != plain.digest


def test_names_that_no_process_goes_by_are_counted(write_records: Callable[..., Path]) -> None:
    own = write_records(
        {"process": "the Sochi congress"}, {"process": "Sochy congress", "text": TEXT.format("x"), "actors": ACTORS}
    )
    assert free_names(load_corpus([own]), load_processes()) == {"Sochy congress": 1}
