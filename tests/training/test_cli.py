"""The program as a user runs it; what is killed or resumed, in a process of its own."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from huggingface_hub import ModelCard
from safetensors.torch import load_file
from typer.testing import CliRunner

from stance.bundle import load_bundle, verify_bundle
from stance.errors import StanceError
from stance.schema import LABELS
from training.cli import app
from training.config import PRESETS, choose, quick
from training.data import load_data, require_enough
from training.pipeline import load_run
from training.runs import Run

ROOT = Path(__file__).resolve().parents[2]
TEXT = "Rain fell on the valley all week, and the ferry to the islands did not sail."
FERRY = {"actor": "ferry", "mentions": ["ferry"], "label": "none", "evidence": []}


def command(*args: object) -> list[str]:
    return [sys.executable, "-c", "from training.cli import app; app()", *map(str, args)]


def train(*args: object, code: int = 0) -> str:
    done = CliRunner().invoke(app, [*map(str, args)], prog_name="train")
    assert done.exit_code == code, done.output
    return done.output


def start(*args: object, code: int = 0) -> str:
    done = subprocess.run(command(*args), cwd=ROOT, capture_output=True, text=True, timeout=900)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_check_tells_each_fault_and_fails(write_records: Callable[..., Path]) -> None:
    path = write_records(
        {"register": "blog"}, {"split": None, "text": "Turkey will send a delegation. Delta Council stayed away."}
    )
    told = train("check", "--data", path, code=1)
    assert f"{path}:1: register:" in told
    assert "1 fault(s)" in told


def test_check_refuses_own_labels_that_a_run_would_refuse(
    small_corpus: Path, write_records: Callable[..., Path]
) -> None:
    args = ["check", "--data", small_corpus]
    reports = write_records({"split": "dev"}, name="reports.jsonl")
    assert "no faults" in train(*args, "--calibration", reports)
    own = write_records({"id": "own"}, name="own.jsonl")
    assert "leave it out of your labels" in train(*args, "--extra", own, "--calibration", reports, code=1)
    write_records({"id": "own", "text": TEXT, "actors": [FERRY]}, name="own.jsonl")
    assert "at least 20 are needed" in train(*args, "--extra", own, "--calibration", reports, code=1)


def test_own_labels_are_counted_apart_and_their_unknown_process_is_told(
    small_corpus: Path, write_records: Callable[..., Path], tmp_path: Path
) -> None:
    own = write_records({"id": "own", "split": "dev", "process": "[draft] tlaks"}, name="own.jsonl")
    given = ["--data", small_corpus, "--extra", own, "--calibration", small_corpus]
    for told in (train("check", *given), train("baseline", *given, "--models", tmp_path)):
        assert "yours: train 0, dev 1, test 0 record(s); support 1, boycott 1, conditional 0, none 0 label(s)" in (
            " ".join(told.split())
        )
        assert "1 of your records on '[draft] tlaks'" in told


def test_check_is_content_with_the_corpus() -> None:
    assert "no faults" in train("check")


def test_help_of_every_command_has_an_example() -> None:
    models = ("baseline", "finetune", "export", "evaluate", "compare", "behaviour", "run")
    for name in ("check", "split", "agreement", "data", "suggest", "import", "peers", "curve", "ladder", *models):
        assert f"Example: train {name}" in train(name, "--help")
    assert "Example: train benchmark newsmtsc" in train("benchmark", "newsmtsc", "--help")


def test_data_tells_all_of_it_and_writes_the_page(
    small_corpus: Path, write_records: Callable[..., Path], tmp_path: Path
) -> None:
    gold = write_records({"split": "dev"}, name="gold.jsonl")
    page = tmp_path / "data.html"
    told = train("data", "--data", small_corpus, "--gold", gold, "--html", page)
    titles = ("Records and labels", "Processes", "Near-duplicate pairs", "Openings of 6 words", "What the name alone")
    assert all(title in told for title in titles)
    assert "wrote" in told
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")


def test_the_baseline_is_a_bundle_without_pickle(small_corpus: Path, tmp_path: Path) -> None:
    told = train("baseline", "--data", small_corpus, "--models", tmp_path, "--name", "base")
    assert "majority" in told
    assert "name only" in told
    bundle = load_bundle(tmp_path / "base")
    assert bundle.name == "base"
    assert (tmp_path / "base" / "baseline.skops").is_file()
    told = train("evaluate", tmp_path / "base", "--data", small_corpus, "--json")
    figures = json.loads(told)
    assert figures["cases"] > 20
    assert figures["accuracy_by_coverage"][-1] == [1.0, figures["accuracy"]]
    told = train("evaluate", tmp_path / "base", "--data", small_corpus)
    words = " ".join(told.split())
    assert f"share of surest labels of which 95% are right {figures['coverage_at_95']:.3f}" in words
    assert f"plausible labels, on average {figures['set_size']:.3f}" in words


def test_evaluate_names_the_splits(tiny_bundle: Path) -> None:
    assert "allowed are train, dev, test, all" in train("evaluate", tiny_bundle, "--on", "gold", code=2)


def test_evaluate_wants_files_with_the_split(tiny_bundle: Path, write_records: Callable[..., Path]) -> None:
    told = train("evaluate", tiny_bundle, "--data", write_records({"split": None}), code=1)
    assert "no record of split 'test' to measure on; name files that have some by --data; to measure on all of" in told
    assert "take `--on all`; `train split" in told


def test_evaluate_takes_all_records_and_tells_which_a_bundle_may_have_learnt_from(
    tiny_bundle: Path, write_records: Callable[..., Path]
) -> None:
    texts = (f"Turkey will send a delegation on day {n}. The Delta Council stayed away." for n in range(4))
    splits = ("train", None, "dev", "test")
    records = write_records(*({"split": split, "text": text} for split, text in zip(splits, texts, strict=True)))
    told = train("evaluate", tiny_bundle, "--data", records, "--on", "all")
    assert "all splits" in told
    assert "4 records, 8 clear labels" in told
    assert "2 of 4 records are of split 'train' or of none: if the bundle learnt from them" in told
    told = train("evaluate", tiny_bundle, "--data", records, "--on", "dev")
    assert "1 records, 2 clear labels" in told
    assert "learnt from them" not in told


def test_evaluate_tells_what_was_misread_and_writes_it(tiny_bundle: Path, small_corpus: Path, tmp_path: Path) -> None:
    args = ["evaluate", tiny_bundle, "--data", small_corpus, "--misread", tmp_path / "misread.jsonl"]
    told = train(*args)
    rows = [json.loads(line) for line in (tmp_path / "misread.jsonl").read_text(encoding="utf-8").splitlines()]
    clear = Counter((one["label"], one["model_label"]) for one in rows if not one["ambiguous"])
    assert clear
    assert re.findall(r"^(\w+) read as (\w+): (\d+)$", told, re.M) == [
        (*labels, str(count))
        for labels, count in sorted(clear.items(), key=lambda one: (-one[1], *map(LABELS.index, one[0])))
    ]
    assert f"{clear.total()} clear and {len(rows) - clear.total()} ambiguous" in " ".join(told.split())
    assert "misread.jsonl: is there already" in train(*args, code=1)


def test_compare_tells_two_bundles_apart_on_the_same_labels(
    tiny_bundle: Path, small_corpus: Path, tmp_path: Path
) -> None:
    train("baseline", "--data", small_corpus, "--models", tmp_path, "--name", "base")
    args = ["compare", tmp_path / "base", tiny_bundle, "--data", small_corpus, "--on", "test"]
    figures = json.loads(train(*args, "--json"))
    scores = [json.loads(train("evaluate", one, "--data", small_corpus, "--json")) for one in args[1:3]]
    assert [one["value"] for one in figures["macro_f1"]] == [one["macro_f1"]["all"]["value"] for one in scores]
    assert figures["evidence_f1"] == [one["evidence_f1"] for one in scores]
    right = [round(one["accuracy"] * one["cases"]) for one in scores]
    mended, spoiled = (sum(one[kind] for one in figures["by_label"].values()) for kind in ("mended", "spoiled"))
    assert mended - spoiled == right[1] - right[0]
    told = train(*args)
    assert f"{figures['changed']} of {figures['cases']} clear labels changed: {mended} from wrong to right" in told
    assert "difference" in told


def test_evaluate_knows_processes_of_ones_own(
    tiny_bundle: Path, write_records: Callable[..., Path], tmp_path: Path
) -> None:
    (processes := tmp_path / "own.json").write_text(
        '[{"key": "delta", "name": "Delta talks", "aliases": ["Sochi process"]}]'
    )
    records = write_records({"split": "test"})
    told = train("evaluate", tiny_bundle, "--data", records, "--process", processes, code=1)
    assert "'Sochi process' names 'sochi' too" in told
    processes.write_text('[{"key": "delta", "name": "Delta talks"}]')
    told = train("evaluate", tiny_bundle, "--data", records, "--process", processes)
    assert "1 records, 2 clear labels" in told


def test_a_preset_is_changed_by_what_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    default, small = replace(PRESETS["default"], layers=8), PRESETS["small"]
    monkeypatch.setitem(PRESETS, "default", default)
    assert choose("default") == default
    assert choose("small", epochs=7.0, batch_size=None, seed=14) == replace(small, epochs=7.0, seed=14)
    whole = choose("default", backbone="some/hub-name", layers=None)
    assert (whole.backbone, whole.layers) == ("some/hub-name", 0)
    assert choose("default", backbone="some/hub-name", layers=4).layers == 4


def test_a_setting_without_an_option_is_changed_by_set() -> None:
    assert choose("small", epochs=2.0, changes={"link_weight": 0.6}) == replace(
        PRESETS["small"], epochs=2.0, link_weight=0.6
    )
    with pytest.raises(StanceError, match="--set: epochs: is given by an option of its own too"):
        choose("small", epochs=2.0, changes={"epochs": 3.0})
    assert "allowed are NAME=VALUE of" in train("run", "--set", "link=0", code=1)


def test_what_is_given_goes_before_what_a_quick_run_takes() -> None:
    assert choose("default", quick_run=True, epochs=None) == quick(PRESETS["default"])
    assert choose("default", quick_run=True, epochs=3.0).epochs == 3.0


def test_an_unknown_preset_is_named() -> None:
    assert "allowed are default, small" in train("run", "--preset", "large", code=1)


def test_a_start_has_its_own_settings_and_is_there(tmp_path: Path) -> None:
    told = train("run", "--start", tmp_path, "--preset", "small", code=2)
    assert "Invalid value for --preset" in told
    assert f"no bundle in {tmp_path}" in train("finetune", "--start", tmp_path, code=1)


def test_export_without_a_model_says_what_to_do(tmp_path: Path) -> None:
    assert "run `train finetune` first" in train("export", "--runs", tmp_path, "--models", tmp_path, code=1)


def test_export_replaces_no_bundle_unasked(tmp_path: Path) -> None:
    (tmp_path / "models" / "default").mkdir(parents=True)
    args = ["export", "--runs", tmp_path / "runs", "--models", tmp_path / "models"]
    assert "holds a bundle; give another --name, or replace it with --overwrite" in train(*args, code=1)
    assert "run `train finetune` first" in train(*args, "--overwrite", code=1)


def test_a_run_of_another_version_is_not_exported(tmp_path: Path) -> None:
    (tmp_path / "done.json").write_text("{}")
    (tmp_path / "run.json").write_text('{"package_version": "0.0.1", "config": {"unknown": 1}}')
    with pytest.raises(StanceError, match=r"version 0\.0\.1 .*`train finetune --overwrite`"):
        load_run(Run(tmp_path), [tmp_path])


def test_a_quick_run_looks_whether_what_it_takes_is_enough(
    small_corpus: Path, tmp_path: Path, write_records: Callable[..., Path]
) -> None:
    reports = write_records(
        *({"split": "dev", "text": f"{TEXT} ({n})", "actors": [{**FERRY, "ambiguous": n % 2 == 0}]} for n in range(60))
    )
    require_enough(load_data([small_corpus], calibration=[reports]))
    for command in ("run", "finetune"):
        told = train(command, "--quick", "--data", small_corpus, "--calibration", reports, "--runs", tmp_path, code=1)
        assert "calibration: 0 clear labels" in told
    assert not (tmp_path / "quick").exists()


@pytest.mark.slow
def test_killed_in_the_middle_it_leaves_no_bundle(small_corpus: Path, tiny_backbone: Path, tmp_path: Path) -> None:
    args = [
        "--data",
        small_corpus,
        "--backbone",
        tiny_backbone,
        "--models",
        tmp_path / "models",
        "--runs",
        tmp_path / "runs",
    ]
    seed = tmp_path / "runs" / "mine" / "seed-13"
    full = [*args, "--name", "mine", "--epochs", 400]
    running = subprocess.Popen(command("run", *full), cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 300
        while not list(seed.glob("checkpoints/checkpoint-*/seconds.json")) and time.monotonic() < deadline:
            time.sleep(0.2)
        os.kill(running.pid, signal.SIGKILL)
    finally:
        running.kill()
        running.wait()
    assert list(seed.glob("checkpoints/checkpoint-*"))
    assert not (tmp_path / "models").exists() or not list((tmp_path / "models").iterdir())
    other = train("run", *args, "--name", "mine", "--epochs", 2, "--resume", code=1)
    assert "made with other settings or data" in other


@pytest.mark.slow
def test_a_resumed_run_ends_where_an_uninterrupted_one_does(
    small_corpus: Path, tiny_backbone: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    args = ["--data", small_corpus, "--backbone", tiny_backbone, "--runs", tmp_path, "--name", "r", "--epochs", 3]
    train("finetune", *args)
    seed = tmp_path / "r" / "seed-13"
    whole = load_file(seed / "model" / "model.safetensors")
    at_second = load_file(forget_last_epoch(seed) / "model.safetensors")
    start("finetune", *args, "--resume")
    history = json.loads((seed / "done.json").read_text())["history"]
    assert [row["epoch"] for row in history if "eval_macro_f1" in row] == [1, 2, 3]
    resumed = load_file(seed / "model" / "model.safetensors")
    for name, weights in whole.items():
        moved = float((weights - at_second[name]).abs().max())  # by the epoch that is gone through again
        assert moved > 0, name
        # Keys' biases have no gradient but noise: they move by 1e-9, all else by 5e-4 and more.
        assert float((weights - resumed[name]).abs().max()) < max(0.1 * moved, 1e-6), name
    train("finetune", *args, "--resume")
    assert "was done already" in caplog.text


def forget_last_epoch(seed: Path) -> Path:
    """What a kill in the third epoch would leave: a whole second checkpoint, which is returned, and a half third one."""
    (seed / "done.json").unlink()
    shutil.rmtree(seed / "model")
    checkpoints = sorted(seed.glob("checkpoints/checkpoint-*"), key=lambda path: int(path.name.split("-")[1]))
    assert len(checkpoints) == 2
    (checkpoints[-1] / "seconds.json").unlink()
    return checkpoints[0]


def test_an_earlier_run_is_not_deleted_unasked(small_corpus: Path, tmp_path: Path) -> None:
    kept = tmp_path / "quick" / "seed-13" / "done.json"
    kept.parent.mkdir(parents=True)
    kept.write_text("{}")
    for command in ("run", "finetune"):
        told = train(command, "--quick", "--data", small_corpus, "--runs", tmp_path, code=1)
        assert "seed-13: holds a finished run; go on with it by --resume, begin anew with --overwrite" in told
        assert kept.exists()
    bundle = tmp_path / "models" / "quick"
    bundle.mkdir(parents=True)
    told = train(
        "run", "--quick", "--data", small_corpus, "--runs", tmp_path / "none", "--models", bundle.parent, code=1
    )
    assert "quick: holds a bundle; give another --name, or replace it with --overwrite" in told
    told = train("baseline", "--name", "quick", "--data", small_corpus, "--models", bundle.parent, code=1)
    assert "quick: holds a bundle" in told
    assert "Invalid value for --resume" in train("run", "--resume", "--overwrite", code=2)


@pytest.mark.slow
def test_a_run_that_overwrites_takes_up_nothing_old(small_corpus: Path, tiny_backbone: Path, tmp_path: Path) -> None:
    args = ["--data", small_corpus, "--backbone", tiny_backbone, "--runs", tmp_path, "--name", "r"]
    train("finetune", *args, "--epochs", 2)
    train("finetune", *args, "--epochs", 1, "--overwrite")
    steps = [path.name for path in (tmp_path / "r" / "seed-13" / "checkpoints").iterdir() if "checkpoint" in path.name]
    assert len(steps) == 1


def test_the_tiny_bundle_tells_how_it_was_made(tiny_bundle: Path) -> None:
    metrics = json.loads((tiny_bundle / "metrics.json").read_text())
    assert set(metrics["rows"]) >= {"transformer, int8 (this bundle)", "transformer, fp32", "majority", "name only"}
    assert metrics["parity"]["fp32_agreement"] == 1
    assert 0 <= metrics["test"]["coverage"] <= 1
    card = (tiny_bundle / "MODEL_CARD.md").read_text()
    assert "| scikit-learn baseline |" in card
    assert "(reliability.png)" in card
    assert "(accuracy_by_coverage.png)" in card
    assert f"{100 * metrics['test']['coverage_at_95']:.1f}% of the cases" in card
    told = ModelCard.load(tiny_bundle / "MODEL_CARD.md").data
    assert told.eval_results is not None
    assert told.eval_results[0].metric_value == round(metrics["test"]["macro_f1"]["all"]["value"], 4)
    assert verify_bundle(tiny_bundle)
