"""What a file says: plain text as it is, the article of a web page, the text of a PDF."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from pathlib import PurePath

from serving.schemas import MAX_TITLE_LENGTH
from stance.errors import DocumentError, needs

#: Most bytes of a file that is read.
MAX_FILE = 64 << 20
#: Endings of the files that a folder is searched for.
SUFFIXES: tuple[str, ...] = (".txt", ".text", ".md", ".html", ".htm", ".xhtml", ".pdf")
# Atomic, lest a row of comments be tried in every way there is to part it.
_HTML = re.compile(
    rb"(?:\s|\xef\xbb\xbf|(?><!--.*?-->)|<\?xml[^>]*>)*+<(?:!doctype\s+html|html)\b", re.IGNORECASE | re.DOTALL
)
# The page reads dates in the same way: serving/page/files.js.
_NAMED_DATE = re.compile(r"(?<![0-9])([0-9]{4}-[0-9]{2}-[0-9]{2})(?![0-9])")
_FIRST_DATE = re.compile(r"\s*+date:?\s+([0-9]{4}-[0-9]{2}-[0-9]{2})(?![0-9])", re.IGNORECASE)
_HYPHENATED = re.compile(r"(?<=[a-z])-\n(?=[a-z])")
_WRAPPED = re.compile(r"(?<!\n)\n(?!\n)")


@dataclass(frozen=True, slots=True)
class FileText:
    """The text of a file; ``title`` and ``date`` (ISO 8601) where the file, or for a date its name, tells them."""

    text: str
    title: str | None = None
    date: str | None = None


def read_text(data: bytes, name: str) -> FileText:
    """The text of a file's bytes; what kind it is, its first bytes tell, or else its ending.

    Raises:
        DocumentError: if the bytes are too many, or hold no text.
        ExtraMissing: if the library that reads this kind is not installed.
    """
    if len(data) > MAX_FILE:
        raise unreadable(f"has {len(data):,} bytes; at most {MAX_FILE:,} are read", code="file_too_large")
    read = _reader(data, PurePath(name).suffix.lower())(data)
    title = whole_characters(read.title)[:MAX_TITLE_LENGTH].strip() or None if read.title else None
    return replace(read, text=whole_characters(read.text), title=title, date=read.date or find_date(name, read.text))


def whole_characters(text: str) -> str:
    """The text with the halves of surrogate pairs put together, as PDFs may have them, and U+FFFD for one alone."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def find_date(name: str, text: str) -> str | None:
    """The date (ISO 8601) that a file's name holds, or else a first line such as "date 2018-01-31"."""
    found = (_NAMED_DATE.search(PurePath(name).name), _FIRST_DATE.match(text))
    return next((one[1] for one in found if one and _is_date(one[1])), None)


def _is_date(digits: str) -> bool:
    try:
        date.fromisoformat(digits)
    except ValueError:
        return False
    return True


def is_plain(data: bytes, name: str) -> bool:
    """Whether these bytes are plain text, with nothing in them to be parsed."""
    return _reader(data, PurePath(name).suffix.lower()) is _read_plain


def _reader(data: bytes, suffix: str) -> Callable[[bytes], FileText]:
    if data.startswith(b"%PDF-") or suffix == ".pdf":
        return _read_pdf
    if suffix in (".html", ".htm", ".xhtml") or _HTML.match(data[:4096]):
        return _read_html
    return _read_plain


def _read_plain(data: bytes) -> FileText:
    try:
        return FileText(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise unreadable(f"is no text in UTF-8 ({error.reason} at byte {error.start}); convert it first") from error


def _read_html(data: bytes) -> FileText:
    with needs("trafilatura", "batch"):
        import trafilatura

    page = trafilatura.bare_extraction(data, with_metadata=True, include_comments=False)
    if page is None or isinstance(page, dict) or not page.text:
        raise unreadable("is a web page in which no article was found; save the article as text", code="no_text")
    return FileText(page.text, page.title or None, page.date or None)


def _read_pdf(data: bytes) -> FileText:
    with needs("pypdf", "batch"):
        from pypdf import PdfReader

    try:
        reader = PdfReader(io.BytesIO(data))
        pages = [page.extract_text() for page in reader.pages]
        title = reader.metadata.title if reader.metadata else None
    except MemoryError:
        raise
    except Exception as error:  # pypdf raises whatever a broken file leads it to
        raise unreadable(f"is a PDF that cannot be read ({error}); open it and save it anew") from error
    text = unwrap("\n\n".join(pages))
    if not text.strip():
        raise unreadable("is a PDF without text, such as a scan; run it through OCR first", code="no_text")
    return FileText(text, title or None)


def unwrap(text: str) -> str:
    """Join the lines of each paragraph and the words that a line's end broke: a line break would end a sentence."""
    lines = "\n".join(line.strip() for line in text.splitlines())
    return _WRAPPED.sub(" ", _HYPHENATED.sub("", lines)).strip()


def unreadable(message: str, *, code: str = "unreadable_file") -> DocumentError:
    """The error of a file that gives no text; the message goes on after "the file"."""
    return DocumentError(f"the file {message}", code=code, field="text")
