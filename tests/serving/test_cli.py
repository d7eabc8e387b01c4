from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from serving import cli
from serving.display import visible
from stance import __version__
from stance.bundle import find_version
from stance.schema import LABELS

ROOT = Path(__file__).resolve().parents[2]
TEXT = "Turkey will come to Sochi. The Higher Negotiations Committee will not."


def stance(bundle: Path, *args: object, text: str | None = None, code: int = 0) -> Result:
    done = CliRunner(env={"STANCE_BUNDLE": str(bundle)}).invoke(cli.app, [*map(str, args)], text, prog_name="stance")
    assert done.exit_code == code, done.output
    return done


def start(
    bundle: Path, *args: object, text: str | None = None, code: int = 0, **environment: str
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-c", "from serving.cli import app; app(prog_name='stance')", *map(str, args)],
        cwd=ROOT,
        env={**os.environ, "STANCE_BUNDLE": str(bundle), "COLUMNS": "120", **environment},
        input=text,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done


def test_piped_it_is_a_plain_line_an_actor(tiny_bundle: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text(TEXT)
    shown = start(tiny_bundle, "classify", path, path, "--actors", "Turkey; HNC").stdout
    lines = [line.split("\t") for line in shown.splitlines()]
    assert [line[:2] for line in lines] == [[str(path), "Turkey"], [str(path), "HNC"]] * 2
    for _, _, label, probability, evidence in lines:
        assert label in LABELS
        assert 0 <= float(probability) <= 1
        assert (evidence == "") == (label == "none")
        assert evidence in TEXT
    assert "\x1b[" not in shown


def test_in_a_terminal_it_is_a_table_in_colour(tiny_bundle: Path) -> None:
    shown = start(tiny_bundle, "classify", "-", text=TEXT, FORCE_COLOR="1", TERM="xterm").stdout
    assert "\x1b[" in shown
    for words in ("actor", "probability", "may also be", "evidence", "Turkey", "Higher Negotiations Committee"):
        assert words in shown


@pytest.mark.parametrize("environment", [{}, {"FORCE_COLOR": "1", "TERM": "xterm"}])
def test_what_a_text_holds_commands_no_terminal(tiny_bundle: Path, environment: dict[str, str]) -> None:
    hostile = "Turkey\x1b[2J [/red] will \x07 come. [bold]Iran[/] will not.\x9b5m"
    shown = start(tiny_bundle, "classify", "-", "--show", text=hostile, **environment).stdout
    assert "[/red]" in shown
    assert "[bold]" in shown
    assert not [one for one in ("\x1b[2J", "\x07", "\x9b") if one in shown]


def test_line_ends_of_windows_are_line_ends() -> None:
    assert visible("a\r\nb\rc") == "a\nb\ufffdc"


def test_a_name_that_is_no_utf8_costs_nothing(tiny_bundle: Path, tmp_path: Path) -> None:
    path = os.fsdecode(os.fsencode(tmp_path) + b"/\xff.txt")
    Path(path).write_text(TEXT)
    assert json.loads(start(tiny_bundle, "classify", "--json", path).stdout)["id"].endswith("/\\xff.txt")


def test_shown_mentions_are_marked_with_the_stance(tiny_bundle: Path) -> None:
    shown = stance(tiny_bundle, "classify", "-", "--show", "--actor", "Turkey", text=TEXT).stdout
    marked, _, _ = shown.partition("\n")
    label = re.fullmatch(r"\[Turkey: (\w+)\] will come to Sochi\. The Higher Negotiations Committee will not\.", marked)
    assert label
    assert label.group(1) in LABELS


def test_of_a_page_the_article_is_classified(tiny_bundle: Path, tmp_path: Path) -> None:
    pytest.importorskip("trafilatura", reason="the extra 'batch' is not installed")
    paragraph = "<p>" + TEXT + " The ministers met for two days and spoke to reporters after the meeting.</p>"
    (tmp_path / "a.html").write_text(f"<html><head><title>Talks</title></head><body>{paragraph * 3}</body></html>")
    body = json.loads(stance(tiny_bundle, "classify", "--json", tmp_path / "a.html").stdout)
    assert (body["id"], body["title"]) == (str(tmp_path / "a.html"), "Talks")
    assert "Turkey" in [actor["actor"] for actor in body["actors"]]


def test_the_versions_are_told(tiny_bundle: Path, tmp_path: Path) -> None:
    told = stance(tiny_bundle, "--version").stdout
    assert told == f"stance {__version__}\nbundle {tiny_bundle.name} {find_version(tiny_bundle)}\n"
    done = stance(tmp_path / "none", "--version")
    assert done.stdout == f"stance {__version__}\n"
    assert done.stderr.startswith("no bundle: ")


@pytest.mark.parametrize(
    ("typed", "completed"), [("stance cl", "classify"), ("stance classify --process gen", "geneva")]
)
def test_the_shell_completes(tiny_bundle: Path, typed: str, completed: str) -> None:
    position = str(len(typed.split()) - 1)
    done = start(tiny_bundle, _STANCE_COMPLETE="complete_bash", COMP_WORDS=typed, COMP_CWORD=position)
    assert completed in done.stdout.split()


def test_a_wrong_command_is_told(tiny_bundle: Path) -> None:
    stance(tiny_bundle, "classify", "--colour", code=2)
    stance(tiny_bundle, "batch", "in.csv", "out.jsonl", "--field", "body", code=2)


def test_json_is_what_the_service_answers(tiny_bundle: Path) -> None:
    line = stance(
        tiny_bundle, "classify", "-", "--json", "--actor", "HNC", "--process", "Black Sea talks", text=TEXT
    ).stdout
    body = json.loads(line)
    assert body["id"] == "-"
    assert body["process"]["name"] == "Black Sea talks"
    assert [actor["id"] for actor in body["actors"]] == ["higher-negotiations-committee"]


@pytest.mark.parametrize("name", ["Geneva", "geneva", "The Geneva Talks", "geneva PROCESS"])
def test_a_known_process_goes_by_any_of_its_names(tiny_bundle: Path, name: str) -> None:
    done = stance(tiny_bundle, "classify", "-", "--json", "--process", name, text=TEXT)
    assert json.loads(done.stdout)["process"]["key"] == "geneva"
    assert "--process" not in done.stderr


def test_a_process_of_ones_own_is_told_once(tiny_bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text("\n".join([json.dumps({"text": TEXT})] * 3))
    for args in (("classify", "-", "-"), ("batch", tmp_path / "in.jsonl", tmp_path / "out.jsonl")):
        told = stance(tiny_bundle, *args, "--process", "Genva", text=TEXT, code=int(args[0] == "classify")).stderr
        assert told.count("--process 'Genva': is none of the known processes (astana, geneva, ") == 1
    assert {json.loads(line)["process_key"] for line in (tmp_path / "out.jsonl").read_text().splitlines()} == {""}


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


def test_a_fault_of_ours_is_not_told_as_the_users(monkeypatch: pytest.MonkeyPatch) -> None:
    def make_key(_: str) -> None:
        raise ValueError("not foreseen")

    monkeypatch.setattr(cli, "make_key", make_key)
    done = CliRunner().invoke(cli.app, ["key", "newsroom"])
    assert isinstance(done.exception, ValueError)
    assert "error:" not in done.output


def test_a_setting_that_makes_no_sense_is_told(tiny_bundle: Path) -> None:
    done = start(tiny_bundle, "classify", "-", text=TEXT, code=1, STANCE_THREADS="two")
    assert done.stderr.startswith("error: STANCE_THREADS='two': must be a whole number")
    assert stance(tiny_bundle, "key", "a b", code=1).stderr.startswith("error: name 'a b': must have")
