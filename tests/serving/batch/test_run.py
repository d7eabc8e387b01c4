"""Batches as a user runs them: by the program, which is a process of its own where it is killed as a machine kills it."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from threadpoolctl import threadpool_info
from typer.testing import CliRunner

from serving.answers import answer
from serving.batch import local
from serving.batch.chunks import Defaults, Done, classify_chunk
from serving.batch.local import classify_local
from serving.batch.parts import JOINED, Parts
from serving.batch.records import Cells, File, Line, Record
from serving.batch.rows import COLUMNS, PROBABILITIES, arrow_schema, dump_rows, error_row, parse_rows, without_formula
from serving.batch.run import Job, run_batch
from serving.batch.sources import open_source
from serving.cli import app
from serving.schemas import ErrorOut
from stance.bundle import load_bundle
from stance.errors import BatchError, DocumentError, ExtraMissing

ROOT = Path(__file__).resolve().parents[3]
TEXT = "Turkey will come to Sochi. The Higher Negotiations Committee will not."
PROGRAM = [sys.executable, "-c", "from serving.cli import app; app(prog_name='stance')", "batch"]


def environment(bundle: Path) -> dict[str, str]:
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    return {**os.environ, "STANCE_BUNDLE": str(bundle), "PYTHONPATH": path, "RAY_USAGE_STATS_ENABLED": "0"}


def batch(bundle: Path, *args: object, code: int = 0) -> str:
    """Run a batch of one worker, if no other number is given, to its end; what it told."""
    command = ["batch", "--workers", "1", *map(str, args)]
    done = CliRunner(env={"STANCE_BUNDLE": str(bundle)}).invoke(app, command, prog_name="stance")
    assert done.exit_code == code, done.output
    return done.stderr


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().split(b"\n") if line]


def write(path: Path, count: int, **more: str) -> Path:
    """Documents of two actors each, all different."""
    lines = [json.dumps({"text": f"{TEXT} Report {n} of the day.", "id": f"d{n}", **more}) for n in range(count)]
    path.write_text("\n".join(lines))
    return path


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """Twelve documents, two of them bad."""
    path = write(tmp_path / "small.jsonl", 10)
    with path.open("a") as stream:
        stream.write('\nnonsense\n{"text": "Turkey.", "process": "nowhere", "id": "lost"}\n')
    return path


def test_a_row_has_all_that_an_answer_has(tiny_bundle: Path, tmp_path: Path) -> None:
    document = {"text": TEXT, "title": "T", "date": "2018-01-30", "actors": ["HNC", "Delta Council"]}
    (tmp_path / "in.jsonl").write_text(json.dumps({**document, "id": "one", "source": "left alone"}))
    command = [*PROGRAM, tmp_path / "in.jsonl", tmp_path / "out.jsonl"]
    subprocess.run(command, env=environment(tiny_bundle), capture_output=True, check=True, timeout=120)
    expected = answer(load_bundle(tiny_bundle, threads=1), document).model_dump()
    rows = read(tmp_path / "out.jsonl")
    assert [list(row) for row in rows] == [list(COLUMNS)] * 2
    for row, actor in zip(rows, expected["actors"], strict=True):
        assert row["doc_index"] == 0
        assert [row[name] for name in ("doc_id", "title", "date")] == ["one", "T", "2018-01-30"]
        assert [row[name] for name in ("actor", "actor_id", "stance")] == [actor[n] for n in ("actor", "id", "stance")]
        assert {label: row[column] for label, column in PROBABILITIES.items()} == actor["probabilities"]
        assert [row[n] for n in ("plausible", "mentions", "evidence")] == [
            actor[n] for n in ("plausible", "mentions", "evidence")
        ]
        assert {"key": row["process_key"], "name": row["process_name"]} == expected["process"]
        assert {"name": row["model_name"], "version": row["model_version"]} == expected["model"]
        assert (row["actor_kind"], row["actor_country"]) == (actor["kind"], actor["country"])
        assert row["found"] == bool(actor["mentions"])
        assert [one["code"] for one in row["warnings"]] == ([] if actor["mentions"] else ["actor_not_found"])
        assert [row[name] for name in ("error_code", "error_message", "error_field")] == [None] * 3
    assert expected["warnings"][0]["code"] == "actor_not_found"
    assert [row["found"] for row in rows] == [True, False]
    assert [(row["actor_kind"], row["actor_country"]) for row in rows] == [("party", "SY"), (None, None)]


def test_a_row_has_the_warnings_of_its_document_and_of_its_actor(tiny_bundle: Path) -> None:
    line = json.dumps({"text": "Turkey will come.", "actors": ["Oman", "Turkey", "Chad"]}).encode()
    rows = parse_rows(classify_chunk(load_bundle(tiny_bundle, threads=1), [Line(0, line)], Defaults()).rows)
    told = [[(one["code"], one["message"]) for one in row["warnings"]] for row in rows]
    assert [[code for code, _ in one] for one in told] == [
        ["process_not_named", "actor_not_found"],
        ["process_not_named"],
        ["process_not_named", "actor_not_found"],
    ]
    assert "'Oman'" in told[0][1][1]
    assert "'Chad'" in told[2][1][1]


def test_copies_of_a_text_have_a_digest_in_common(tiny_bundle: Path) -> None:
    texts = (TEXT, f" {TEXT.replace(' ', chr(10))}", f"{TEXT}!", "", None)
    chunk: list[Record] = [Line(n, json.dumps({"text": text}).encode()) for n, text in enumerate(texts)]
    chunk.append(Line(5, json.dumps({"text": TEXT, "process": "nowhere"}).encode()))
    rows = parse_rows(classify_chunk(load_bundle(tiny_bundle, threads=1), chunk, Defaults()).rows)
    digests = {row["doc_index"]: row["text_sha256"] for row in rows}
    assert digests[0] == hashlib.sha256(TEXT.encode()).hexdigest() == digests[1] == digests[5]
    assert len({digests[n] for n in (0, 2, 3)}) == 3
    assert digests[4] is None


def test_a_bad_document_is_a_row_and_no_document_is_without_one(tiny_bundle: Path, small: Path) -> None:
    with small.open("a") as stream:
        stream.write('{"text": "Nothing to see here."}')
    out = small.with_name("out.jsonl")
    told = batch(tiny_bundle, small, out)
    rows = read(out)
    assert "13 documents, 2 with an error" in told
    assert {row["doc_index"] for row in rows} == set(range(13))
    bad = {row["doc_id"]: row["error_code"] for row in rows if row["error_code"]}
    assert bad == {"10": "invalid_request", "lost": "unknown_process"}
    assert rows == sorted(rows, key=lambda row: row["doc_index"])
    first, second, last = told.splitlines()
    assert first.startswith("10: invalid_request: no valid JSON")
    assert second.startswith("lost: unknown_process: unknown process 'nowhere'")
    assert last.endswith("13 documents, 2 with an error")


def test_of_many_bad_documents_the_first_are_told_and_no_text_is(tiny_bundle: Path, tmp_path: Path) -> None:
    bad = [{"id": f"b{n}\x1b[2J\n", "text": "Secret words.", "actors": "secret"} for n in range(70)]
    bad[1]["id"] = "x" * 100_000
    bad[2]["text"] = "Secret words. " * 5000
    lines = [json.dumps({"id": "good", "text": TEXT}), *map(json.dumps, bad)]
    (tmp_path / "in.jsonl").write_text("\n".join(lines))
    told = batch(tiny_bundle, tmp_path / "in.jsonl", tmp_path / "out.jsonl")
    codes = [line.split(": ")[:2] for line in told.splitlines()[:5]]
    assert codes == [
        ["b0\ufffd[2J", "invalid_request"],
        ["x" * 200 + "…", "invalid_request"],
        ["b2\ufffd[2J", "text_too_long"],
        ["b3\ufffd[2J", "invalid_request"],
        ["b4\ufffd[2J", "invalid_request"],
    ]
    assert told.splitlines()[5] == "and 65 more with an error: OUT has their error_code"
    assert "ecret" not in told


def test_parquet_holds_the_same_rows(tiny_bundle: Path, small: Path) -> None:
    pq = pytest.importorskip("pyarrow.parquet", reason="the extra 'batch' is not installed")
    batch(tiny_bundle, small, small.with_name("out.jsonl"), "--workers", 1)
    batch(tiny_bundle, small, small.with_name("out.parquet"), "--workers", 2)
    table = pq.read_table(small.with_name("out.parquet"))
    assert table.schema.equals(arrow_schema())
    assert table.to_pylist() == read(small.with_name("out.jsonl"))


def test_csv_is_for_spreadsheets(tiny_bundle: Path, tmp_path: Path) -> None:
    documents = [
        {
            "text": '=1+1 "said" Turkey; then Turkey will come to Sochi, Iran will not.',
            "id": "@d",
            "title": "-Ä, \u201cb\u201d",
        },
        {"text": "Turkey.", "process": "nowhere"},
    ]
    (tmp_path / "in.jsonl").write_text("\n".join(map(json.dumps, documents)))
    for name in ("out.jsonl", "out.csv"):
        batch(tiny_bundle, tmp_path / "in.jsonl", tmp_path / name)
    raw = (tmp_path / "out.csv").read_bytes()
    assert raw.startswith("\ufeffdoc_index,doc_id".encode())
    rows, full = list(csv.DictReader(io.StringIO(raw.decode("utf-8-sig"), newline=""))), read(tmp_path / "out.jsonl")
    assert len(rows) == len(full) > 2
    assert all(list(row) == list(COLUMNS) for row in rows)
    turkey, told = next(pair for pair in zip(rows, full, strict=True) if pair[1]["actor"] == "Turkey")
    assert (turkey["doc_id"], turkey["title"]) == ("'@d", "'-Ä, \u201cb\u201d")
    assert turkey["mentions"] == "Turkey"
    assert len(told["mentions"]) == 2
    assert turkey["evidence"].removeprefix("'") == "\n".join(one["text"] for one in told["evidence"])
    assert turkey["evidence"].startswith("'=1+1")
    assert turkey["plausible"].split("; ") == told["plausible"]
    assert float(turkey["p_support"]) == told["p_support"]
    assert (rows[0]["found"], rows[-1]["found"]) == ("True", "")
    assert (rows[-1]["error_code"], rows[-1]["actor"], rows[-1]["mentions"]) == ("unknown_process", "", "")


@pytest.mark.parametrize("mark", [",", ";", "\t"])
@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_NONE])
def test_no_cell_of_csv_is_a_formula_whatever_parts_the_cells(tmp_path: Path, mark: str, quoting: Any) -> None:
    titles = ["=1", "Turkey;=1+1;x", "Turkey\n=1|2", "Turkey\r@x", 'Turkey;""=1;x', 'a\t"-1', "a,+1", "\t=1", "\n=1"]
    told = ErrorOut(code="empty_text", message="text is empty")
    rows = [error_row(0, "d", told, {"title": title, "date": f"x;{title}"}) for title in titles]
    (tmp_path / "part").write_bytes(dump_rows(rows))
    JOINED[".csv"]([tmp_path / "part"], tmp_path / "out.csv", ())
    with (tmp_path / "out.csv").open(encoding="utf-8-sig", newline="") as stream:
        cells = [cell for row in csv.reader(stream, delimiter=mark, quoting=quoting) for cell in row]
    assert len(cells) > len(titles)
    assert not [cell for cell in cells if cell.lstrip('"').startswith(("=", "+", "-", "@"))]


@pytest.mark.parametrize("text", ["A well-known plan; it = peace.", "a, -1; +2\n–3", "x@y, 3+4-5", ""])
def test_text_without_formulas_is_left_as_it_is(text: str) -> None:
    assert without_formula(text) == text


def test_a_bad_value_of_parquet_is_a_row(tiny_bundle: Path, tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow", reason="the extra 'batch' is not installed")
    import pyarrow.parquet as pq

    good = TEXT.encode()
    texts = pa.array([good, b"\xff", None, good, good, good], pa.binary()).view(pa.string())
    actors = [["HNC"], ["HNC"], ["HNC"], ["HNC", None], None, ["HNC"]]
    titles = pa.array([b"T", b"T", b"T", b"T", b"\xff", None], pa.binary())
    pq.write_table(pa.table({"text": texts, "actors": actors, "title": titles}), tmp_path / "in.parquet")
    assert "6 documents, 3 with an error" in batch(tiny_bundle, tmp_path / "in.parquet", tmp_path / "out.jsonl")
    codes = {row["doc_index"]: row["error_code"] for row in read(tmp_path / "out.jsonl")}
    assert [codes[n] for n in range(6)] == [None, *["invalid_request"] * 3, None, None]


def test_texts_of_another_type_are_rows(tiny_bundle: Path, tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow", reason="the extra 'batch' is not installed")
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"text": [{"body": TEXT}, None, {"body": None}]}), tmp_path / "in.parquet")
    told = batch(tiny_bundle, tmp_path / "in.parquet", tmp_path / "out.jsonl", code=3)
    assert "3 documents, 3 with an error" in told


def test_a_folder_of_texts_and_the_options(tiny_bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.txt").write_text(TEXT)
    (tmp_path / "in" / "b.txt").write_bytes(b"\xff")
    for name in ("picture.png", "sheet.docx", ".hidden.docx"):
        (tmp_path / "in" / name).touch()
    out = tmp_path / "out #1 %20.jsonl"
    told = batch(tiny_bundle, tmp_path / "in", out, "--actors", "HNC; Iran", "--process", "Black Sea talks")
    assert told.endswith("2 documents, 1 with an error; files of other kinds left out: 2\n")
    good, other, bad = read(out)
    assert (good["doc_id"], good["process_key"], good["process_name"]) == ("a.txt", "", "Black Sea talks")
    assert [good["actor"], other["actor"]] == ["HNC", "Iran"]
    assert (bad["doc_id"], bad["error_code"]) == ("b.txt", "unreadable_file")


def kept_of(rows: list[dict[str, Any]]) -> dict[int, tuple[str | None, str | None]]:
    return {int(row["doc_index"]): (row["source"] or None, row["url"] or None) for row in rows}


@pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet"])
def test_columns_that_are_kept_travel_to_out(tiny_bundle: Path, tmp_path: Path, kind: str) -> None:
    sources = ["AP", None, "=SANA", "AFP"]
    texts = [TEXT, TEXT, TEXT, ""]
    rows = [{"text": text, "source": one, "url": "u"} for text, one in zip(texts, sources, strict=True)]
    path = tmp_path / f"in.{kind}"
    if kind == "jsonl":
        path.write_text("\n".join(map(json.dumps, [*rows[:3], {**rows[3], "source": "AFP", "url": {"a": 1}}])))
    elif kind == "csv":
        with path.open("w", newline="") as stream:
            writer = csv.DictWriter(stream, ["text", "source", "url"])
            writer.writeheader()
            writer.writerows(rows)
    else:
        pa = pytest.importorskip("pyarrow", reason="the extra 'batch' is not installed")
        import pyarrow.parquet as pq

        pq.write_table(pa.table({name: [row[name] for row in rows] for name in rows[0]}), path)
    batch(tiny_bundle, path, tmp_path / "out.jsonl", "--keep", "source, url")
    found = read(tmp_path / "out.jsonl")
    assert all(list(row) == [*COLUMNS, "source", "url"] for row in found)
    last = '{"a": 1}' if kind == "jsonl" else "u"
    assert kept_of(found) == {0: ("AP", "u"), 1: (None, "u"), 2: ("=SANA", "u"), 3: ("AFP", last)}


def test_kept_columns_are_in_parquet_and_csv_too(tiny_bundle: Path, small: Path) -> None:
    pq = pytest.importorskip("pyarrow.parquet", reason="the extra 'batch' is not installed")
    with small.open("a") as stream:
        stream.write('{"text": "Turkey.", "source": "=AP", "url": 7}')
    for name in ("out.parquet", "out.csv"):
        batch(tiny_bundle, small, small.with_name(name), "--keep", "source", "--keep", "url")
    table = pq.read_table(small.with_name("out.parquet"))
    assert table.schema.equals(arrow_schema(("source", "url")))
    assert kept_of(table.to_pylist())[12] == ("=AP", "7")
    assert kept_of(table.to_pylist())[10] == (None, None)
    with small.with_name("out.csv").open(encoding="utf-8-sig", newline="") as stream:
        assert kept_of(list(csv.DictReader(stream)))[12] == ("'=AP", "7")


@pytest.mark.parametrize(
    ("name", "args", "told"),
    [
        ("in.jsonl", ("out.jsonl", "--field", "text=body", "--keep", "id,none"), "no column 'none'"),
        ("in.jsonl", ("out.jsonl", "--field", "text=body", "--keep", "title"), "has a column of that name already"),
        ("texts", ("out.jsonl", "--keep", "source"), "is a folder, whose files have no columns"),
        ("in.csv", ("out.parquet",), "no column 'text'"),
        ("in.csv", ("out.jsonl", "--field", "text=body", "--field", "body=id"), "no such field"),
        ("in.csv", ("out.docx",), "OUT must end in"),
        ("in.csv", ("there.jsonl",), "--overwrite"),
        ("there.jsonl", ("there.jsonl", "--overwrite"), "is IN too"),
        ("none.csv", ("out.jsonl",), "cannot be read"),
        (
            "in.jsonl",
            ("out.jsonl", "--field", "text=body", "--field", "date=day"),
            "no column 'day', only 'id', 'body'",
        ),
        ("in.jsonl", ("out.jsonl",), "no column 'text'"),
    ],
)
def test_what_cannot_be_done_is_told_before_it_is_begun(
    tiny_bundle: Path, tmp_path: Path, name: str, args: tuple[str, ...], told: str
) -> None:
    (tmp_path / "in.csv").write_text("body\n" + TEXT)
    (tmp_path / "in.jsonl").write_text('{"id": 1}\nnonsense\n{"body": "' + TEXT + '"}\n')
    (tmp_path / "there.jsonl").touch()
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "a.txt").write_text(TEXT)
    assert told in batch(tiny_bundle, tmp_path / name, tmp_path / args[0], *args[1:], code=1)
    assert not list(tmp_path.glob("*.parts"))


@pytest.mark.parametrize(
    ("name", "columns", "told"),
    [
        ("none.csv", {}, "cannot be read"),
        ("in.docx", {}, "IN must be a folder or end in"),
        ("in.csv", {}, "no column 'text'"),
        ("in.csv", {"body": "text"}, "no such field"),
        ("empty", {}, "holds no file"),
    ],
)
def test_an_overwrite_that_is_refused_leaves_what_was_done(
    tiny_bundle: Path, tmp_path: Path, name: str, columns: dict[str, str], told: str
) -> None:
    (tmp_path / "in.csv").write_text("body\n" + TEXT)
    (tmp_path / "empty").mkdir()
    parts = Parts(tmp_path / "out.jsonl")
    with parts.lock():
        parts.save_plan({})
        parts.add(Done(0, 1, 0, b"a\n"))
    job = Job(tmp_path / name, parts.out, tiny_bundle, Defaults(columns=columns), workers=1, overwrite=True)
    with pytest.raises(BatchError, match=told):
        run_batch(job)
    assert parts.is_begun
    again = Parts(parts.out)
    again.load()
    assert again.done == {0: 1}


@pytest.mark.parametrize(
    ("args", "code"),
    [
        ((), 0),
        (("--max-errors", "2"), 0),
        (("--max-errors", "1"), 3),
        (("--max-errors", "20%"), 0),
        (("--max-errors", "16.6%"), 3),
        (("--max-errors", "few"), 2),
        (("--actors", "a;" * 51), 2),
    ],
)
def test_too_many_errors_end_with_a_code_of_their_own(
    tiny_bundle: Path, small: Path, args: tuple[str, ...], code: int
) -> None:
    out = small.with_name("out.jsonl")
    told = batch(tiny_bundle, small, out, *args, code=code)
    assert out.exists() == (code != 2)
    assert ("2 of 12 documents have an error, more than are allowed" in told) == (code == 3)


def test_a_batch_of_which_nothing_could_be_classified_ends_with_3(tiny_bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text('{"text": "Turkey.", "process": "Sochi"}\n')
    (tmp_path / "none.jsonl").touch()
    assert "1 of 1 documents" in batch(tiny_bundle, tmp_path / "in.jsonl", tmp_path / "out.jsonl", code=3)
    batch(tiny_bundle, tmp_path / "none.jsonl", tmp_path / "none-out.jsonl")


def kill_when(bundle: Path, source: Path, out: Path, is_time: Callable[[list[str]], bool]) -> None:
    """Start a batch of two workers and kill it, as ``kill -9`` does, once ``is_time`` says so of its parts."""
    process = subprocess.Popen([*PROGRAM, str(source), str(out), "--workers", "2"], env=environment(bundle))
    workers: list[psutil.Process] = []
    folder = Parts(out).folder
    try:
        for _ in range(6000):
            assert process.poll() is None, "it ended before it was killed"
            with suppress(FileNotFoundError):
                if is_time([name for name in os.listdir(folder) if name.endswith(".jsonl")]):
                    break
            time.sleep(0.01)
        workers = psutil.Process(process.pid).children(recursive=True)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=30)
    assert workers
    _, alive = psutil.wait_procs(workers, timeout=20)
    assert not alive, "workers outlive a batch that was killed"


def test_killed_and_started_again_it_loses_nothing_and_does_nothing_twice(tiny_bundle: Path, tmp_path: Path) -> None:
    source = write(tmp_path / "in.jsonl", 900)
    batch(tiny_bundle, source, tmp_path / "whole.jsonl")
    out = tmp_path / "out.jsonl"
    kill_when(tiny_bundle, source, out, lambda parts: len(parts) >= 3)
    kept = {path: path.stat().st_mtime_ns for path in Parts(out).folder.glob("*.jsonl")}
    assert kept
    assert not out.exists()
    kill_when(tiny_bundle, source, out, lambda parts: len(parts) >= len(kept) + 3)
    assert all(path.stat().st_mtime_ns == written for path, written in kept.items()), "a part was done again"
    assert "by an earlier run" in batch(tiny_bundle, source, out)
    assert out.read_bytes() == (tmp_path / "whole.jsonl").read_bytes()
    assert not Parts(out).folder.exists()


def test_another_batch_is_not_taken_for_the_same(tiny_bundle: Path, tmp_path: Path) -> None:
    source, out = write(tmp_path / "in.jsonl", 900), tmp_path / "out.jsonl"
    kill_when(tiny_bundle, source, out, lambda parts: len(parts) >= 1)
    assert "--process" in batch(tiny_bundle, source, out, "--process", "geneva", code=1)
    write(source, 30)
    assert "another IN" in batch(tiny_bundle, source, out, code=1)
    assert "30 documents, 0" in batch(tiny_bundle, source, out, "--overwrite")


def test_two_batches_do_not_write_one_out(tiny_bundle: Path, small: Path) -> None:
    out = small.with_name("out.jsonl")
    with Parts(out).lock(), pytest.raises(BatchError, match="another batch"):
        run_batch(Job(small, out, tiny_bundle, workers=1))


def test_parts_without_a_plan_count_for_nothing(tiny_bundle: Path, small: Path) -> None:
    out = small.with_name("out.jsonl")
    Parts(out).folder.mkdir()
    (Parts(out).folder / "000000000000-12-0.jsonl").write_bytes(b"of an earlier batch\n")
    assert run_batch(Job(small, out, tiny_bundle, workers=1)).earlier == 0
    assert {row["doc_index"] for row in read(out)} == set(range(12))


def test_a_plan_that_is_none_is_told(tmp_path: Path) -> None:
    parts = Parts(tmp_path / "out.jsonl")
    with parts.lock():
        (parts.folder / "plan.json").write_text("{")
        with pytest.raises(BatchError, match=r"plan\.json: cannot be read .* --overwrite"):
            parts.plan({})


def test_a_part_is_kept_once(tmp_path: Path) -> None:
    parts = Parts(tmp_path / "out.jsonl")
    with parts.lock():
        parts.save_plan({})
        parts.add(Done(0, 2, 1, b"a\nb\n"))
        parts.add(Done(0, 2, 0, b"other\n"))
        again = Parts(tmp_path / "out.jsonl")
        again.load()
        assert (again.done, again.failed, again.documents) == ({0: 2}, 1, 2)
        parts.finish()
    assert (tmp_path / "out.jsonl").read_bytes() == b"a\nb\n"


class Deadly(Line):
    """A document that kills whoever reads it."""

    def fields(self, names: object, keep: object = ()) -> dict[str, Any]:
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError("still alive")


def test_a_document_that_kills_its_worker_is_a_row(tiny_bundle: Path) -> None:
    good = json.dumps({"text": TEXT}).encode()
    chunks: Iterator[Any] = iter([[Line(n, good) if n != 4 else Deadly(n, good)] for n in range(9)])
    done = sorted(classify_local(chunks, Defaults(), tiny_bundle, 2), key=lambda one: one.first)
    assert [(one.first, one.count, one.failed) for one in done] == [(n, 1, int(n == 4)) for n in range(9)]
    assert json.loads(done[4].rows)["error_code"] == "worker_died"


def test_no_worker_has_threads_of_blas(tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "4")
    monkeypatch.setenv("OMP_NUM_THREADS", "4")
    with local._pool(tiny_bundle, 1) as pool:
        libraries = pool.submit(threadpool_info).result()
    assert {one["num_threads"] for one in libraries if one["internal_api"] == "openblas"} == {1}


def test_only_what_was_done_is_left_behind(tmp_path: Path) -> None:
    parts = Parts(tmp_path / "out.jsonl")
    with parts.lock():
        parts.save_plan({})
    assert not parts.folder.exists()
    with parts.lock():
        parts.save_plan({})
        parts.add(Done(0, 1, 0, b"a\n"))
    with pytest.raises(BatchError, match="another --process"), Parts(parts.out).lock():
        Parts(parts.out).plan({"--process": "geneva"})
    assert parts.is_begun


def test_workers_that_cannot_start_end_the_batch(tmp_path: Path) -> None:
    with pytest.raises(BatchError, match="could load the bundle"):
        list(classify_local(iter([[Line(0, b"{}")]]), Defaults(), tmp_path / "none", 1))


def test_a_text_that_is_no_utf8_costs_its_document_nothing_else(tiny_bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_bytes(b"index,id,text,title,note\n7,a1,caf\xe9,T,\xe9t\xe9\n8,,Turkey.,,\n")
    records = [*open_source(tmp_path / "in.csv", {}, tmp_path / "files", ("index", "note")).records({})]
    first, second = parse_rows(classify_chunk(load_bundle(tiny_bundle), records, Defaults(keep=("index", "note"))).rows)
    assert (first["doc_id"], first["title"], first["index"], first["note"]) == ("a1", "T", "7", "\ufffdt\ufffd")
    assert "iconv -f latin1" in first["error_message"]
    assert (second["doc_id"], second["index"], second["note"], second["error_code"]) == ("1", "8", None, None)


def test_a_bad_document_keeps_the_title_and_date_that_were_given(tiny_bundle: Path) -> None:
    texts = [
        '{"text": "", "title": "T", "date": "2018-01-30", "id": "a"}',
        '{"text": "Turkey.", "title": "T", "date": "soon", "actors": 1}',
        '{"text": "Turkey.", "title": ["T"], "date": 2018, "actors": 1}',
        "nonsense",
    ]
    chunk: list[Record] = [Line(index, text.encode()) for index, text in enumerate(texts)]
    chunk.append(Cells(4, {"text": "", "title": "T\udcff"}))
    chunk.append(File(5, "2018-01-27 empty.txt", b""))
    done = classify_chunk(load_bundle(tiny_bundle, threads=1), chunk, Defaults())
    rows = parse_rows(done.rows)
    assert done.failed == len(rows) == 6
    assert [(row["title"], row["date"]) for row in rows] == [
        ("T", "2018-01-30"),
        ("T", "soon"),
        (None, None),
        (None, None),
        ("T\\udcff", None),
        (None, "2018-01-27"),
    ]


DETAILS = [
    ({"date": "2018-01-31T10:00+03:00", "title": " T "}, ("T", "2018-01-31T10:00+03:00"), []),
    ({"date": 20180131, "title": ""}, (None, "2018-01-31"), []),
    ({"date": 20180131.0, "title": None}, (None, "2018-01-31"), []),
    ({"date": "20180131"}, (None, "20180131"), []),
    ({"date": float("nan"), "title": float("nan")}, (None, None), []),
    ({"date": " ", "title": " "}, (None, None), []),
    ({"date": 20181331}, (None, None), ["date_left_out"]),
    ({"date": True, "title": 7}, (None, None), ["title_left_out", "date_left_out"]),
    ({"date": "31 January 2018", "title": "T" * 1001}, (None, None), ["title_left_out", "date_left_out"]),
    ({"date": 1517356800000}, (None, None), ["date_left_out"]),
]


@pytest.mark.parametrize(("given", "kept", "codes"), DETAILS)
def test_a_bad_title_or_date_costs_no_document(
    tiny_bundle: Path, given: dict[str, Any], kept: tuple[str | None, str | None], codes: list[str]
) -> None:
    document = {"text": TEXT, "actors": ["Turkey"], **given}
    chunk: list[Record] = [Line(0, json.dumps(document).encode()), Cells(1, document)]
    rows = parse_rows(classify_chunk(load_bundle(tiny_bundle, threads=1), chunk, Defaults()).rows)
    for row in rows:
        assert (row["actor"], row["error_code"], row["title"], row["date"]) == ("Turkey", None, *kept)
        assert [one["code"] for one in row["warnings"]] == codes
        assert all(len(one["message"]) < 200 and "it was left out" in one["message"] for one in row["warnings"])
    assert len(rows) == 2


class Raising(Line):
    """A document on which something breaks."""

    def fields(self, names: object, keep: object = ()) -> dict[str, Any]:
        raise {
            b"ours": RuntimeError("bro\udc80ken"),
            b"document": DocumentError("bad"),
            b"extra": ExtraMissing("a", "b"),
        }[self.data]


def test_only_a_missing_library_stops_a_chunk(tiny_bundle: Path) -> None:
    bundle = load_bundle(tiny_bundle, threads=1)
    done = classify_chunk(bundle, [Raising(0, b"ours"), Raising(1, b"document")], Defaults())
    codes = [json.loads(line)["error_code"] for line in done.rows.splitlines()]
    assert codes == ["internal_error", "invalid_document"]
    with pytest.raises(ExtraMissing, match=r"'\.\[b\]'"):
        classify_chunk(bundle, [Raising(0, b"extra")], Defaults())


def peak(bundle: Path, source: Path) -> int:
    """MiB that the parent process of a batch holds at most, looked at often."""
    command = [*PROGRAM, source, source.with_suffix(".parquet"), "--keep", "note"]
    process = subprocess.Popen(command, env=environment(bundle), stderr=subprocess.DEVNULL)
    watched, most = psutil.Process(process.pid), 0
    while process.poll() is None:
        with suppress(psutil.Error):
            most = max(most, watched.memory_info().rss)
        time.sleep(0.02)
    assert process.returncode == 0
    return most >> 20


@pytest.mark.slow
def test_memory_does_not_grow_with_the_input(tiny_bundle: Path, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="the extra 'batch' is not installed")
    # Kept, so that what is held on to weighs much: 36 MiB of documents, or twice that of rows.
    note = "n" * 8192
    few, many = (peak(tiny_bundle, write(tmp_path / f"{count}.jsonl", count, note=note)) for count in (1500, 6000))
    assert many < 1.15 * few + 8, f"{few} MiB for 1,500 documents, {many} MiB for 6,000"
