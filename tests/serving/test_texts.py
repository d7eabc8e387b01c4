from __future__ import annotations

import io

import pytest

from serving.texts import read_text, unwrap
from stance.errors import DocumentError

HTML = b"""<!DOCTYPE html><html><head><title>Talks open in Sochi</title>
<meta property="article:published_time" content="2018-01-30T08:00:00Z"></head>
<body><nav><a href="/">Home</a> <a href="/sport">Sport</a></nav>
<article><h1>Talks open in Sochi</h1>
<p>Turkey will send a delegation to Sochi, its foreign minister said on Monday after a meeting of the cabinet.</p>
<p>The Higher Negotiations Committee said that it would stay away, because the agenda left out the main question.</p>
</article><footer>Copyright 2018. All rights reserved.</footer></body></html>"""


def pdf(*lines: str, title: str = "") -> bytes:
    """A PDF of one page, written by hand."""
    shown = " ".join(f"({line}) Tj T*" for line in lines)
    stream = f"BT /F1 12 Tf 14 TL 72 720 Td {shown} ET".encode("ascii")
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 5 0 R"
        b" /Resources << /Font << /F1 4 0 R >> >> >>",
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream),
        f"<< /Title ({title}) >>".encode("ascii"),
    ]
    data = io.BytesIO(b"%PDF-1.4\n")
    data.seek(0, io.SEEK_END)
    places = []
    for number, one in enumerate(objects, 1):
        places.append(data.tell())
        data.write(b"%d 0 obj\n%s\nendobj\n" % (number, one))
    table = data.tell()
    data.write(b"xref\n0 7\n0000000000 65535 f \n" + b"".join(b"%010d 00000 n \n" % place for place in places))
    data.write(b"trailer << /Size 7 /Root 1 0 R /Info 6 0 R >>\nstartxref\n%d\n%%%%EOF\n" % table)
    return data.getvalue()


def test_plain_text_stays_as_it_is() -> None:
    assert read_text("\ufeffA line.\n\nÉtat.  ".encode(), "a.txt").text == "A line.\n\nÉtat.  "


@pytest.mark.parametrize("name", ["page.html", "page.HTM", "-"])
def test_of_a_page_the_article_is_read(name: str) -> None:
    pytest.importorskip("trafilatura", reason="the extra 'batch' is not installed")
    read = read_text(HTML, name)
    assert "Turkey will send a delegation to Sochi" in read.text
    assert "stay away" in read.text
    assert "Sport" not in read.text
    assert "Copyright" not in read.text
    assert (read.title, read.date) == ("Talks open in Sochi", "2018-01-30")


@pytest.mark.parametrize("name", ["talks.pdf", "-"])
def test_of_a_pdf_the_lines_are_joined(name: str) -> None:
    pytest.importorskip("pypdf", reason="the extra 'batch' is not installed")
    read = read_text(pdf("Turkey will send a dele-", "gation to", "Sochi.", title="Talks"), name)
    assert read.text == "Turkey will send a delegation to Sochi."
    assert read.title == "Talks"


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
