from __future__ import annotations

import io
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from serving import reading
from serving.batch.chunks import Defaults, classify_chunk
from serving.batch.records import File
from serving.batch.rows import parse_rows
from serving.reading import read_file
from serving.schemas import ClassifyRequest
from serving.texts import MAX_FILE, find_date, read_text, unwrap
from stance.bundle import load_bundle
from stance.errors import DocumentError

ROOT = Path(__file__).resolve().parents[2]

HTML = b"""<!DOCTYPE html><html><head><title>Talks open in Sochi</title>
<meta property="article:published_time" content="2018-01-30T08:00:00Z"></head>
<body><nav><a href="/">Home</a> <a href="/sport">Sport</a></nav>
<article><h1>Talks open in Sochi</h1>
<p>Turkey will send a delegation to Sochi, its foreign minister said on Monday after a meeting of the cabinet.</p>
<p>The Higher Negotiations Committee said that it would stay away, because the agenda left out the main question.</p>
</article><footer>Copyright 2018. All rights reserved.</footer></body></html>"""


def pdf(*lines: str, title: str = "", cmap: str = "", encoding: str = "") -> bytes:
    """A PDF of one page, written by hand; ``cmap`` says what its letters mean, or the name ``encoding`` does."""
    shown = " ".join(f"({line}) Tj T*" for line in lines)
    stream = f"BT /F1 12 Tf 14 TL 72 720 Td {shown} ET".encode("ascii")
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 5 0 R"
        b" /Resources << /Font << /F1 4 0 R >> >> >>",
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica %s%s >>"
        % (b"/ToUnicode 7 0 R" if cmap else b"", f" /Encoding /{encoding}".encode() if encoding else b""),
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream),
        f"<< /Title ({title}) >>".encode("ascii"),
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(cmap), cmap.encode("ascii")),
    ]
    data = io.BytesIO(b"%PDF-1.4\n")
    data.seek(0, io.SEEK_END)
    places = []
    for number, one in enumerate(objects, 1):
        places.append(data.tell())
        data.write(b"%d 0 obj\n%s\nendobj\n" % (number, one))
    table = data.tell()
    data.write(b"xref\n0 8\n0000000000 65535 f \n" + b"".join(b"%010d 00000 n \n" % place for place in places))
    data.write(b"trailer << /Size 8 /Root 1 0 R /Info 6 0 R >>\nstartxref\n%d\n%%%%EOF\n" % table)
    return data.getvalue()


def test_plain_text_stays_as_it_is() -> None:
    assert read_text("\ufeffA line.\n\nÉtat.  ".encode(), "a.txt").text == "A line.\n\nÉtat.  "


def test_a_row_of_comments_is_looked_at_in_no_time() -> None:
    assert read_text(b"<!---->" * 500 + b"Turkey", "-").text.endswith("Turkey")


@pytest.mark.parametrize("name", ["page.html", "page.HTM", "-"])
def test_of_a_page_the_article_is_read(name: str) -> None:
    pytest.importorskip("trafilatura", reason="the extra 'batch' is not installed")
    read = read_text(HTML, name)
    assert "Turkey will send a delegation to Sochi" in read.text
    assert "stay away" in read.text
    assert "Sport" not in read.text
    assert "Copyright" not in read.text
    assert (read.title, read.date) == ("Talks open in Sochi", "2018-01-30")


@pytest.mark.parametrize(
    ("name", "text", "date"),
    [
        ("2018-01-27_hnc.txt", "Turkey.", "2018-01-27"),
        ("sub/hnc 2018-01-27.txt", "date 2018-01-31 Turkey.", "2018-01-27"),
        ("2018-01-27/hnc.txt", "Turkey.", None),
        ("hnc.txt", " \n Date: 2018-01-31\nTurkey.", "2018-01-31"),
        ("hnc.txt", "Turkey. date 2018-01-31", None),
        ("hnc.txt", "date 2018-01-311", None),
        ("2018-02-30.txt", "date 2018-01-31 Turkey.", "2018-01-31"),
        ("2018-13-01.txt", "date 2018-02-30", None),
        ("12018-01-27.txt", "Turkey.", None),
    ],
)
def test_the_date_is_of_the_name_or_of_the_first_line(name: str, text: str, date: str | None) -> None:
    assert find_date(name, text) == date
    assert read_text(text.encode(), name).date == date


def test_the_date_inside_a_page_is_before_that_of_its_name() -> None:
    pytest.importorskip("trafilatura", reason="the extra 'batch' is not installed")
    assert read_text(HTML, "2011-03-15.html").date == "2018-01-30"


def test_a_pdf_has_the_date_of_its_name() -> None:
    pytest.importorskip("pypdf", reason="the extra 'batch' is not installed")
    assert read_text(pdf("Turkey."), "2018-01-27.pdf").date == "2018-01-27"


@pytest.mark.parametrize("name", ["talks.pdf", "-"])
def test_of_a_pdf_the_lines_are_joined(name: str) -> None:
    pytest.importorskip("pypdf", reason="the extra 'batch' is not installed")
    read = read_text(pdf("Turkey will send a dele-", "gation to", "Sochi.", title="Talks"), name)
    assert read.text == "Turkey will send a delegation to Sochi."
    assert read.title == "Talks"


def test_halves_of_characters_in_a_pdf_cost_no_document() -> None:
    halves = "begincmap 2 beginbfchar <41> <D834> <42> <DD1E> endbfchar endcmap"
    assert read_text(pdf("xABx", cmap=halves), "a.pdf").text == "x\U0001d11ex"
    assert read_text(pdf("xAx", cmap=halves), "a.pdf").text == "x\ufffdx"


def test_a_long_title_is_cut() -> None:
    page = read_text(HTML.replace(b"Talks open in Sochi", b"Talks " * 400), "a.html")
    assert page.title is not None
    assert 900 < len(page.title) <= 1000
    ClassifyRequest(text=page.text, title=page.title)


def test_unwrapping_keeps_paragraphs_and_compounds() -> None:
    assert unwrap("A UN-\nBacked plan.\nMore.\n\nNew  \nline.\n") == "A UN- Backed plan. More.\n\nNew line."


@pytest.mark.parametrize(
    ("data", "name", "code"),
    [
        (b"\xff\xfe\x00", "a.txt", "unreadable_file"),
        (b"<html><body></body></html>", "a.html", "no_text"),
        (b"%PDF-1.4\nnonsense", "a.pdf", "unreadable_file"),
        (b"no pdf", "a.pdf", "unreadable_file"),
        (pdf(), "a.pdf", "no_text"),
    ],
)
def test_what_holds_no_text_is_told(data: bytes, name: str, code: str) -> None:
    pytest.importorskip("pypdf", reason="the extra 'batch' is not installed")
    with pytest.raises(DocumentError) as caught:
        read_text(data, name)
    assert caught.value.code == code


@pytest.fixture(scope="module")
def endless() -> bytes:
    """A PDF that takes a minute of computing time and more; a first page of PDF takes half a second, with the imports."""
    pytest.importorskip("pypdf", reason="the extra 'batch' is not installed")
    assert read_file(pdf("Turkey."), "a.pdf").text == "Turkey."  # the reader is there, with its library
    return pdf(*["Turkey will come."] * 300_000)


def readers() -> list[psutil.Process]:
    return [one for one in psutil.Process().children() if "serving.reading" in " ".join(one.cmdline())]


def test_a_file_that_takes_too_long_is_a_row(
    endless: bytes, tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "SECONDS", 3)
    chunk = [File(0, "a.pdf", endless), File(1, "b.pdf", pdf("Turkey will come to Sochi.")), File(2, "c.html", HTML)]
    done = classify_chunk(load_bundle(tiny_bundle, threads=1), chunk, Defaults())
    rows = {row["doc_index"]: row for row in parse_rows(done.rows)}
    assert done.failed == 1
    assert [rows[n]["error_code"] for n in range(3)] == ["read_timeout", None, None]
    assert "3 seconds" in rows[0]["error_message"]
    assert len(readers()) == 1


def test_the_terminal_goes_on_after_a_file_that_takes_too_long(
    endless: bytes, tiny_bundle: Path, tmp_path: Path
) -> None:
    (tmp_path / "a.pdf").write_bytes(endless)
    (tmp_path / "b.pdf").write_bytes(pdf("Turkey will come to Sochi."))
    code = "from serving import reading; reading.SECONDS = 3; from serving.cli import app; app()"
    done = subprocess.run(
        [sys.executable, "-c", code, "classify", str(tmp_path / "a.pdf"), str(tmp_path / "b.pdf")],
        cwd=ROOT,
        env={**os.environ, "STANCE_BUNDLE": str(tiny_bundle)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 1, done.stderr
    assert "a.pdf: the file took longer" in done.stderr
    assert "b.pdf\tTurkey" in done.stdout


def test_a_reader_that_dies_costs_the_file_in_hand_alone(endless: bytes) -> None:
    read_file(pdf("Turkey."), "a.pdf")
    [reader] = readers()
    timer = threading.Timer(0.2, reader.kill)
    timer.start()
    with pytest.raises(DocumentError, match="died") as caught:
        read_file(endless, "a.pdf")
    timer.join()
    assert caught.value.code == "unreadable_file"
    assert read_file(pdf("Turkey."), "a.pdf").text == "Turkey."
    [reader] = readers()
    reader.kill()
    reader.wait(timeout=60)
    assert read_file(pdf("Iran."), "a.pdf").text == "Iran."


@pytest.fixture
def new_reader(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Has the next file read by a process of its own."""
    pytest.importorskip("pypdf", reason="the extra 'batch' is not installed")
    monkeypatch.setattr(reading, "_IDLE", [])
    yield
    while reading._IDLE:
        reading._IDLE.pop().close()


@pytest.mark.usefixtures("new_reader")
def test_a_file_that_takes_too_much_memory_costs_itself_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MEMORY", 96 << 20)
    with pytest.raises(DocumentError, match="takes more than 96 MiB of memory to read") as caught:
        read_file(pdf("x) Tj " + "0 " * 1_000_000 + "(y"), "a.pdf")
    assert caught.value.code == "unreadable_file"
    assert read_file(pdf("Turkey."), "a.pdf").text == "Turkey."


@pytest.mark.usefixtures("new_reader")
def test_what_a_file_says_commands_no_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    assert read_file(pdf("Turkey.", encoding="#1b#5d0;owned#07"), "a.pdf").text
    assert capfd.readouterr().err == ""


def test_plain_text_needs_no_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_IDLE", [])
    assert read_file(b"Turkey", "a.txt").text == "Turkey"
    with pytest.raises(DocumentError, match="at most"):
        read_file(b"%PDF-" + bytes(MAX_FILE), "a.pdf")
    assert not reading._IDLE


def test_what_is_wrong_with_a_file_comes_back_from_its_reader() -> None:
    pytest.importorskip("pypdf", reason="the extra 'batch' is not installed")
    with pytest.raises(DocumentError, match="without text") as caught:
        read_file(pdf(), "a.pdf")
    assert (caught.value.code, caught.value.field) == ("no_text", "text")
