from __future__ import annotations

import csv
import gzip
import json
import os
import tracemalloc
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.batch.chunks import gather
from serving.batch.folders import Folder
from serving.batch.records import KEPT, Fault, Line
from serving.batch.sources import MAX_LINE, MOST_NAMES, Source, open_source
from stance.errors import BatchError, DocumentError


def source_of(path: Path, **names: str) -> Source:
    return open_source(path, names, path.parent / "files.sqlite")


def fields_of(source: Source, **names: str) -> list[Any]:
    found: list[Any] = []
    for record in source.records({}):
        assert record.index == len(found)
        try:
            found.append(record.fields(names))
        except DocumentError as error:
            found.append(error.code)
    assert len(found) == source.count()
    return found


def test_json_lines(tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    lines = [b'{"text": "a", "source": 1}', b"", b"[]", b"nonsense", b'{"text": "\\ud800"}', b"\xff", b'{"text": null}']
    path.write_bytes(b"\xef\xbb\xbf" + b"\r\n".join(lines))
    assert fields_of(source_of(path)) == [{"text": "a"}, *["invalid_request"] * 4, {}]


def test_lines_tell_a_column_that_any_of_them_has(tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    many = {f"n{n}": n for n in range(40)}
    path.write_text("\n".join(["nonsense", "[]", json.dumps(many), *['{"text": "a"}'] * 2000, '{"day": 1}']))
    found = source_of(path).columns(["text", "day", "none"])
    assert found is not None
    assert {"text", "day"} <= set(found)
    assert "none" not in found
    assert len(found) <= MOST_NAMES + 2
    path.write_text("nonsense")
    assert source_of(path).columns(["text"]) is None


def test_a_line_without_end_is_one_fault(tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    path.write_bytes(b'{"text": "a"}\n' + b"x" * (3 * MAX_LINE) + b'\n{"text": "b"}')
    assert fields_of(source_of(path)) == [{"text": "a"}, "document_too_large", {"text": "b"}]


@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_csv(tmp_path: Path, mark: str) -> None:
    path = tmp_path / "in.csv"
    rows = [["body", "id", "actors"], ['"two\nlines"', "", '"Turkey; HNC"'], ["b", "7", ""]]
    path.write_text("\n".join(mark.join(row) for row in rows), encoding="utf-8-sig")
    found = fields_of(source_of(path, text="body"), text="body")
    assert found == [{"text": "two\nlines", "actors": ["Turkey", "HNC"]}, {"text": "b", "id": "7"}]


@pytest.mark.parametrize("name", ["text; long; of; it", 'a ""text""; or; so', "text;\nover; two; lines"])
def test_marks_in_quoted_names_part_no_columns(tmp_path: Path, name: str) -> None:
    path = tmp_path / "in.csv"
    path.write_text(f'id,"{name}"\n7,a; b; c')
    assert source_of(path).columns(()) == ["id", name.replace('""', '"')]
    assert fields_of(source_of(path, text=name.replace('""', '"')), text=name.replace('""', '"')) == [
        {"text": "a; b; c", "id": "7"}
    ]


def test_a_quote_within_a_name_quotes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "in.csv"
    path.write_text('size 5";text;id\n7;a, b;c')
    assert source_of(path).columns(()) == ['size 5"', "text", "id"]


def test_packed_files_and_tsv_are_read_as_the_plain_ones(tmp_path: Path) -> None:
    contents = {
        "a.jsonl.gz": gzip.compress(b'{"text": "a, b"}\n\n{"text": "c"}', mtime=0),
        "a.csv.gz": gzip.compress('\ufefftext;id\n"a, b";\nc;'.encode()),
        "a.tsv": b"text\na, b\nc\n",
        "a.TSV.GZ": gzip.compress(b"text\tid\na, b\t\nc\t\n", mtime=0),
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
        source = source_of(tmp_path / name)
        assert (source.columns(["text"]) or [])[0] == "text"
        assert fields_of(source) == [{"text": "a, b"}, {"text": "c"}]


@pytest.mark.parametrize(
    "content", [b"text\na", gzip.compress(b"text\n" + b"a\n" * 9999, mtime=0)[:-20], b"\x1f\x8b\x08" + b"\0" * 30]
)
@pytest.mark.parametrize("name", ["a.csv.gz", "a.jsonl.gz"])
def test_what_cannot_be_unpacked_is_told(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BatchError, match=r"\.gz: cannot be unpacked"):
        source_of(tmp_path / name).count()


def test_an_encoding_that_is_not_utf8_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes("id,text\n1,caf\u00e9\n".encode("latin-1"))
    (tmp_path / "b.csv").write_bytes("id,text\n1,caf\u00e9\n".encode("utf-16"))
    (tmp_path / "a.jsonl").write_bytes('{"text": "caf\u00e9"}'.encode("latin-1"))
    (tmp_path / "b.jsonl").write_bytes('{"text": "caf\u00e9"}'.encode("utf-16"))
    (tmp_path / "c.csv").write_bytes("id,text,opm\u00e6rk\n1,a,b\n".encode("latin-1"))
    (record,) = source_of(tmp_path / "a.jsonl").records({})
    with pytest.raises(DocumentError, match="is not UTF-8; convert the file first"):
        record.fields({})
    for name in ("b.csv", "b.jsonl"):
        with pytest.raises(BatchError, match=r"is not UTF-8; convert it first, such as with iconv -f utf-16"):
            source_of(tmp_path / name).columns(["text"])
    assert source_of(tmp_path / "c.csv").columns(["text"]) == ["id", "text", "opm\ufffdrk"]


def test_maps_and_decimals_of_parquet_are_read(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    table = pa.table(
        {
            "text": ["a"],
            "map": pa.array([[("k", 1)]], type=pa.map_(pa.string(), pa.int64())),
            "price": pa.array([Decimal("1.20")]).dictionary_encode(),
        }
    )
    pq.write_table(table, tmp_path / "in.parquet")
    keep = ("map", "price")
    (record,) = open_source(tmp_path / "in.parquet", {}, tmp_path / "files.sqlite", keep).records({})
    assert record.fields({}, keep)[KEPT] == {"map": '[["k", 1]]', "price": "1.20"}


def test_rows_that_are_no_csv_are_faults(tmp_path: Path) -> None:
    path = tmp_path / "in.csv"
    path.write_bytes(b'text,id\na,1\nb,2,3\nc,4\n"' + b"x" * (MAX_LINE + 1) + b'"\nd,5\n')
    found = fields_of(source_of(path))
    assert found[:3] == [{"text": "a", "id": "1"}, "invalid_request", {"text": "c", "id": "4"}]
    assert found[3:] == ["document_too_large", {"text": "d", "id": "5"}]
    assert [one.name for one in source_of(path).records({})] == list(map(str, range(len(found))))


def test_a_row_of_csv_without_end_is_one_fault_and_costs_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "in.csv"
    path.write_text(f"text,id\na,1\n{'x' * 5 * MAX_LINE}\nb,2\n{',' * 5 * MAX_LINE}\r\n\nc,3\n")
    tracemalloc.start()
    found = fields_of(source_of(path))
    assert tracemalloc.get_traced_memory()[1] < 6 * MAX_LINE
    tracemalloc.stop()
    long = "document_too_large"
    assert found == [{"text": "a", "id": "1"}, long, {"text": "b", "id": "2"}, long, {"text": "c", "id": "3"}]


def test_an_open_quote_takes_no_more_of_csv_than_a_row_may_have(tmp_path: Path) -> None:
    path = tmp_path / "in.csv"
    path.write_text('text,id\n"' + ("x" * 1023 + "\n") * (MAX_LINE // 1024 + 1) + "b,2\n")
    assert [getattr(record, "code", "") for record in source_of(path).records({})] == ["document_too_large", "", ""]


def test_rows_of_csv_keep_what_is_wanted_of_many_columns(tmp_path: Path) -> None:
    path = tmp_path / "in.csv"
    path.write_text("text," + ",".join(map(str, range(100_000))) + "\na\n" + "b," * 100_000 + "b\n" + "," * 100_001)
    assert [getattr(record, "cells", None) for record in source_of(path).records({})] == [
        {"text": "a"},
        {"text": "b"},
        None,
    ]


def test_a_header_of_csv_that_is_none_is_told(tmp_path: Path) -> None:
    path = tmp_path / "in.csv"
    path.write_text("x" * (MAX_LINE + 1) + "\na\n")
    with pytest.raises(BatchError, match="the header cannot be read: the row that ends at line 1 has more"):
        source_of(path).columns(())


def test_parquet(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow", reason="the extra 'batch' is not installed")
    import pyarrow.parquet as pq

    path = tmp_path / "in.parquet"
    pq.write_table(
        pa.table({"text": ["a", None], "date": [date(2018, 1, 30), None], "actors": [["HNC"], None], "n": [1, 2]}), path
    )
    assert fields_of(source_of(path)) == [{"text": "a", "date": "2018-01-30", "actors": ["HNC"]}, {}]
    assert source_of(path).columns(()) == ["text", "date", "actors", "n"]


def test_a_process_of_ones_own_is_a_struct_of_parquet_but_no_cell_of_csv(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow", reason="the extra 'batch' is not installed")
    import pyarrow.parquet as pq

    own = {"name": "Havana talks", "aliases": ["Cuba talks"]}
    pq.write_table(pa.table({"text": ["a", "b"], "process": [own, None]}), tmp_path / "in.parquet")
    assert fields_of(source_of(tmp_path / "in.parquet")) == [{"text": "a", "process": own}, {"text": "b"}]
    with (tmp_path / "in.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([["text", "process"], ["a", json.dumps(own)], ["b", ""]])
    assert fields_of(source_of(tmp_path / "in.csv")) == [{"text": "a", "process": json.dumps(own)}, {"text": "b"}]


def test_values_of_parquet_that_cannot_be_read_are_faults(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow", reason="the extra 'batch' is not installed")
    import pyarrow.parquet as pq

    path = tmp_path / "in.parquet"
    texts = pa.array([b"a", b"\xff\xfe", None, b"d", b"e"], pa.binary()).view(pa.string())
    days = pa.array([17_000, 17_000, 17_000, 2**31 - 1, None], pa.int32()).view(pa.date32())
    pq.write_table(pa.table({"text": texts, "date": days, "id": [1, 2, 3, 4, 5]}), path)
    day = "2016-07-18"
    good = [{"text": "a", "id": 1, "date": day}, {"id": 3, "date": day}, {"text": "e", "id": 5}]
    assert fields_of(source_of(path)) == [good[0], "invalid_request", good[1], "invalid_request", good[2]]
    told = [record.message for record in source_of(path).records({}) if isinstance(record, Fault)]
    assert "'text'" in told[0]
    assert "utf-8" in told[0]
    assert "'date'" in told[1]


def test_rows_of_parquet_that_unfold_beyond_measure_are_faults_and_cost_no_memory(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow", reason="the extra 'batch' is not installed")
    import pyarrow.parquet as pq

    large = pa.array(["a" * MAX_LINE, "b"])
    texts = pa.DictionaryArray.from_arrays(pa.array([0] * 100 + [1], pa.int32()), large)
    actors = pa.ListArray.from_arrays(range(0, 1011, 10), pa.DictionaryArray.from_arrays([1] * 1010, large))
    pq.write_table(pa.table({"text": texts, "actors": actors}), tmp_path / "in.parquet", compression="zstd")
    assert (tmp_path / "in.parquet").stat().st_size < 10_000
    tracemalloc.start()
    found = fields_of(source_of(tmp_path / "in.parquet"))
    assert tracemalloc.get_traced_memory()[1] < 2 * MAX_LINE
    tracemalloc.stop()
    assert found == [*["document_too_large"] * 100, {"text": "b", "actors": ["b"] * 10}]


@pytest.mark.parametrize("kind", ["struct", "list", "struct of lists"])
def test_what_a_row_of_parquet_holds_is_measured_at_any_depth(tmp_path: Path, kind: str) -> None:
    pa = pytest.importorskip("pyarrow", reason="the extra 'batch' is not installed")
    import pyarrow.parquet as pq

    long = pa.array(["a" * 1000, "b"])
    many = pa.ListArray.from_arrays([0, 1, 5001], pa.DictionaryArray.from_arrays([1] + [0] * 5000, long))
    process = {
        "struct": pa.array([{"name": "b"}, {"name": "a" * (MAX_LINE + 1)}]),
        "list": many,
        "struct of lists": pa.StructArray.from_arrays([many], ["aliases"]),
    }
    pq.write_table(pa.table({"text": ["a", "b"], "process": process[kind]}), tmp_path / "in.parquet")
    first, second = fields_of(source_of(tmp_path / "in.parquet"))
    assert first["text"] == "a"
    assert second == "document_too_large"


def test_a_folder(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    (folder / "sub").mkdir(parents=True)
    (folder / ".git").mkdir()
    for name in ("2018-01-27 b.txt", "sub/a.TXT", "notes.docx", "sub/notes.md", ".hidden.txt", ".git/c.txt"):
        (folder / name).write_text(name)
    (folder / "gone.txt").symlink_to("nowhere")
    source = source_of(folder)
    (folder / "later.txt").write_text("came later")
    assert fields_of(source) == [
        {"text": "2018-01-27 b.txt", "date": "2018-01-27", "id": "2018-01-27 b.txt"},
        "unreadable_file",
        {"text": "sub/a.TXT", "id": "sub/a.TXT"},
        {"text": "sub/notes.md", "id": "sub/notes.md"},
    ]
    assert isinstance(source, Folder)
    assert source.left_out() == 1


def test_links_and_pipes_in_a_folder_are_faults(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (tmp_path / "secret").write_text("outside")
    (folder / "a.txt").symlink_to(tmp_path / "secret")
    os.mkfifo(folder / "b.txt")
    (folder / "c.txt").write_text("inside")
    (tmp_path / "link").symlink_to(folder)
    found = list(source_of(tmp_path / "link").records({}))
    assert [getattr(record, "message", None) for record in found] == [
        "the file cannot be read: it is a link; put the file itself there",
        "the file cannot be read: it is a pipe, a socket or a device",
        None,
    ]
    assert [getattr(record, "code", "") for record in found] == ["unreadable_file", "unreadable_file", ""]
    assert found[2].fields({})["text"] == "inside"


def test_a_file_that_changed_since_it_was_listed_is_a_fault(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("a.txt", "b.txt"):
        (folder / name).write_text(name)
    source = source_of(folder)
    (folder / "b.txt").write_text("other words")
    first, second = source.records({})
    assert first.fields({})["text"] == "a.txt"
    with pytest.raises(DocumentError, match="not as it was when the batch was begun; begin anew with --overwrite"):
        second.fields({})


def test_what_a_batch_writes_in_its_folder_is_no_part_of_it(tmp_path: Path) -> None:
    (tmp_path / "out.jsonl.parts").mkdir()
    for name in ("a.txt", "notes.docx", "out.jsonl.parts/lock", "out.jsonl.parts/b.txt"):
        (tmp_path / name).write_text(name)
    source = open_source(tmp_path, {}, tmp_path / "out.jsonl.parts" / "files.sqlite")
    assert isinstance(source, Folder)
    assert (source.count(), source.left_out()) == (1, 1)


@pytest.mark.parametrize("name", ["in.docx", "none.jsonl", "empty"])
def test_what_cannot_be_read_is_told(tmp_path: Path, name: str) -> None:
    (tmp_path / "in.docx").touch()
    (tmp_path / "empty").mkdir()
    with pytest.raises(BatchError, match=name):
        source_of(tmp_path / name)


def test_no_parquet_is_told(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="the extra 'batch' is not installed")
    (tmp_path / "in.parquet").write_text("text")
    with pytest.raises(BatchError, match="no Parquet file"):
        source_of(tmp_path / "in.parquet").count()


@pytest.mark.parametrize("kind", ["jsonl", "csv", "folder"])
def test_what_is_done_is_left_out(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"in.{kind}"
    write: dict[str, Callable[[], object]] = {
        "jsonl": lambda: path.write_text("".join(json.dumps({"text": f"t{n}"}) + "\n" for n in range(10))),
        "csv": lambda: path.write_text("text\n" + "".join(f"t{n}\n" for n in range(10))),
        "folder": lambda: [path.mkdir(), *((path / f"{n}.txt").write_text(f"t{n}") for n in range(10))],
    }
    write[kind]()
    left = list(source_of(path).records({2: 3, 6: 1, 9: 1}))
    assert [(record.index, record.fields({})["text"]) for record in left] == [(n, f"t{n}") for n in (0, 1, 5, 7, 8)]


@given(st.sets(st.integers(0, 60)), st.integers(1, 7), st.integers(0, 2_000_000))
def test_chunks_have_no_gaps_and_lose_nothing(indices: set[int], most: int, size: int) -> None:
    data = b"x" * size
    chunks = list(gather((Line(index, data) for index in sorted(indices)), most))
    assert [record.index for chunk in chunks for record in chunk] == sorted(indices)
    for chunk in chunks:
        assert len(chunk) <= most
        assert [record.index for record in chunk] == list(range(chunk[0].index, chunk[0].index + len(chunk)))
        assert len(chunk) == 1 or sum(record.size for record in chunk) <= 4 << 20


def test_a_fault_tells_its_code() -> None:
    with pytest.raises(DocumentError, match="words"):
        Fault(0, "a", "code", "words").fields({})


def test_a_damaged_row_group_costs_its_own_rows(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow", reason="the extra 'batch' is not installed")
    import pyarrow.parquet as pq

    path = tmp_path / "in.parquet"
    texts = [f"Turkey said so in report number {number}." for number in range(30)]
    pq.write_table(pa.table({"text": texts}), path, row_group_size=10, compression="gzip", use_dictionary=False)
    column = pq.ParquetFile(path).metadata.row_group(1).column(0)
    data = bytearray(path.read_bytes())
    middle = column.data_page_offset + column.total_compressed_size // 2
    data[middle : middle + 20] = b"\xff" * 20
    path.write_bytes(data)
    records = list(source_of(path).records({}))
    assert [record.index for record in records] == list(range(30))
    assert [isinstance(record, Fault) for record in records] == [10 <= number < 20 for number in range(30)]
    assert "row group 1 of the file is damaged" in records[10].message
    assert records[29].fields({}) == {"text": texts[29]}


def test_a_row_group_that_ends_early_keeps_its_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pa = pytest.importorskip("pyarrow", reason="the extra 'batch' is not installed")
    import pyarrow.parquet as pq

    class Short(pq.ParquetFile):
        """As pyarrow gives some damaged pages: fewer rows, and no error."""

        def iter_batches(self, *args: Any, **kwargs: Any) -> Any:
            for batch in super().iter_batches(*args, **kwargs):
                yield batch.slice(0, batch.num_rows - 2)

    pq.write_table(pa.table({"text": ["a", "b", "c", "d", "e", "f"]}), tmp_path / "in.parquet", row_group_size=3)
    monkeypatch.setattr(pq, "ParquetFile", Short)
    gone = "invalid_request"
    assert fields_of(source_of(tmp_path / "in.parquet")) == [{"text": "a"}, gone, gone, {"text": "d"}, gone, gone]
