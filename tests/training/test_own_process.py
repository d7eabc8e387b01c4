"""docs/own-process.md as a reader would follow it: its commands run one after the other, on a model in small."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

import serving.cli
import training.cli
from stance.bundle import load_bundle
from training.corpus import load_corpus
from training.data import load_divided
from training.processes import load_processes

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "own-process.md"
EXAMPLE = ROOT / "docs" / "example"
PROGRAMS = {"train": training.cli.app, "stance": serving.cli.app}


def commands() -> list[str]:
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return [line for language, block in blocks if not language for line in block.splitlines()]


def run(line: str, small: dict[str, list[str]]) -> str:
    """Runs a line of the page; ``small`` holds what is added to a command to make it quick."""
    words, environment = shlex.split(line), {}
    while "=" in words[0]:
        name, _, environment[name] = words.pop(0).partition("=")
    program, command, *rest = words
    done = CliRunner(env=environment).invoke(PROGRAMS[program], [command, *rest, *small.get(command, [])])
    assert done.exit_code == 0, f"{line}\n{done.output}"
    return done.output


def test_the_example_is_sound_and_about_a_process_that_is_not_in_the_data() -> None:
    own = load_divided([], [EXAMPLE / "labels.jsonl"])
    assert {one.record.split for one in own} <= {"train", "dev", "test"}
    (entry,) = json.loads((EXAMPLE / "processes.json").read_text(encoding="utf-8"))
    assert load_processes([EXAMPLE / "processes.json"])[-1] == entry
    assert entry["key"] not in {one["key"] for one in load_processes()}


@pytest.mark.slow
def test_the_commands_of_the_page_run_one_after_the_other(
    small_corpus: Path, tiny_backbone: Path, tiny_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "docs").symlink_to(ROOT / "docs")
    shutil.copytree(tiny_bundle, tmp_path / "models" / "default")
    data = ["--data", str(small_corpus)]
    quick = ["--quick", "--backbone", str(tiny_backbone), "--set", "learning_rate=1e-3"]
    quick += ["--calibration", str(small_corpus)]
    lines = commands()
    assert len(lines) == 8
    told = [run(line, {"check": data, "run": [*data, *quick]}) for line in lines]
    assert "the whole way was tried; this model has learnt next to nothing" in " ".join(told[1].split())
    assert "bentoml serve" not in told[1]
    for name in ("qarsa", "qarsa-anew", "qarsa-2"):
        assert load_bundle(tmp_path / "models" / name).process("qarsa").name == "Qarsa talks"
    stances = (tmp_path / "stances.jsonl").read_text(encoding="utf-8").splitlines()
    assert {json.loads(line)["process_key"] for line in stances} == {"qarsa"}
    documents = [one["data"]["document"] for one in json.loads((tmp_path / "tasks.json").read_text(encoding="utf-8"))]
    assert 0 < len(documents) <= 4
    assert not {"a1", "a2"} <= set(documents)
    records = [one.record for one in load_corpus([tmp_path / "more-labels.jsonl"])]
    assert len(records) == 3
    config = json.loads((tmp_path / "models" / "qarsa-2" / "metrics.json").read_text(encoding="utf-8"))
    assert config["records"]["train"] > 60
