from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TEXT = "Turkey will come to Sochi. The Higher Negotiations Committee will not."


def stance(bundle: Path, *args: object, text: str | None = None, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-c", "from serving.cli import app; app()", *map(str, args)],
        cwd=ROOT,
        env={**os.environ, "STANCE_BUNDLE": str(bundle), "COLUMNS": "120"},
        input=text,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done


def test_a_table_tells_each_actor(tiny_bundle: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text(TEXT)
    shown = stance(tiny_bundle, "classify", path).stdout
    assert "Turkey" in shown
    assert "Higher Negotiations Committee" in shown
    assert "\x1b[" not in shown


def test_json_is_what_the_service_answers(tiny_bundle: Path) -> None:
    line = stance(
        tiny_bundle, "classify", "-", "--json", "--actor", "HNC", "--process", "Black Sea talks", text=TEXT
    ).stdout
    body = json.loads(line)
    assert body["id"] == "-"
    assert body["process"]["name"] == "Black Sea talks"
    assert [actor["id"] for actor in body["actors"]] == ["higher-negotiations-committee"]


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00"])
def test_a_bad_file_costs_the_others_nothing(tiny_bundle: Path, tmp_path: Path, content: bytes) -> None:
    good, bad = tmp_path / "good.txt", tmp_path / "bad.txt"
    good.write_text(TEXT)
    bad.write_bytes(content)
    done = stance(tiny_bundle, "classify", bad, tmp_path / "none.txt", good, code=1)
    assert done.stderr.count("error:") == 2
    assert "Turkey" in done.stdout


def test_no_bundle_is_told(tmp_path: Path) -> None:
    assert "train run" in stance(tmp_path / "none", "classify", "-", text=TEXT, code=1).stderr
