"""The report, from rows as `stance batch` writes them; each number is checked against one counted by hand."""

from __future__ import annotations

import csv
import io
import json
import os
import random
import time
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("altair")
pytest.importorskip("vl_convert")
nx = pytest.importorskip("networkx")

from typer.testing import CliRunner  # noqa: E402

from serving.batch.rows import COLUMNS, PROBABILITIES, Row, arrow_schema, dump_rows, error_row  # noqa: E402
from serving.cli import app  # noqa: E402
from serving.report import page as page_room  # noqa: E402
from serving.report.build import write_report  # noqa: E402
from serving.report.camps import find_camps  # noqa: E402
from serving.report.figures import NO_DATE, choose_unit, find_moments, find_positions, shares_of  # noqa: E402
from serving.report.results import Article, Results, Statement, load_results, parse_moment  # noqa: E402
from serving.report.views import MAX_DRAWN_ACTORS, MAX_PROCESSES, build_views  # noqa: E402
from serving.schemas import ErrorOut  # noqa: E402
from stance.errors import ReportError  # noqa: E402
from stance.schema import LABELS  # noqa: E402

#: Seconds that docs/report.md tells, several times over: a busy machine is no fault of the report.
SECONDS_10_000 = 120
HOSTILE = "</script><script>alert(1)</script><img src=//evil.example onerror=alert(2)>\u0007{{ 7*7 }}"


def row(index: int, actor: str | None, stance: str = "support", **changes: object) -> Row:
    empty: Row = dict.fromkeys(COLUMNS) | {"plausible": [], "mentions": [], "evidence": [], "warnings": []}
    base: Row = {**empty, "doc_index": index, "doc_id": f"d{index}", "date": f"2018-01-{index % 28 + 1:02}"}
    base |= {"process_key": "sochi", "process_name": "Sochi process", "model_name": "default", "model_version": "1"}
    if actor is not None:
        text = f"{actor} said so in {index}."
        evidence = [] if stance == "none" else [{"start": 0, "end": len(text), "text": text, "score": 1.0}]
        mentions = [{"start": 0, "end": len(actor), "text": actor}]
        base |= {"actor": actor, "stance": stance, "plausible": [stance], "mentions": mentions, "evidence": evidence}
        base |= {column: 0.7 if label == stance else 0.1 for label, column in PROBABILITIES.items()}
    return {**base, **changes}


def write_rows(path: Path, rows: Iterable[Row]) -> Path:
    path.write_bytes(dump_rows(rows))
    return path


SMALL = [
    row(0, "Russia"),
    row(0, "HNC", "boycott"),
    row(1, "Russia"),
    row(1, "Iran"),
    row(1, "HNC", "boycott"),
    row(2, "Iran"),
    row(2, "Russia"),
    row(2, "UN", "none"),
    row(3, "HNC", "conditional"),
    row(4, None),
    error_row(5, "bad.txt", ErrorOut(code="empty_text", message="text is empty", field="text")),
    row(6, "Russia", date=None),
]


class Page(HTMLParser):
    """A page as a browser takes it apart: tags with attributes, text outside scripts, and the scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.scripts: list[str] = []
        self._in: str = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._in = tag if tag in ("script", "style") else ""

    def handle_endtag(self, tag: str) -> None:
        self._in = ""

    def handle_data(self, data: str) -> None:
        if self._in == "script":
            self.scripts.append(data)
        elif self._in != "style":
            self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())

    @property
    def data(self) -> dict[str, Any]:
        return json.loads(self.scripts[-2])

    def count(self, tag: str, **attributes: str) -> int:
        return sum(name == tag and attributes.items() <= found.items() for name, found in self.tags)


def page_of(tmp_path: Path, rows: Iterable[Row]) -> Page:
    out = tmp_path / "report.html"
    write_report([write_rows(tmp_path / "rows.jsonl", rows)], out)
    return Page(out.read_text(encoding="utf-8"))


def statements(*stances: tuple[int, str, str], start: str | None = "2018-01-01") -> list[Statement]:
    day = date.fromisoformat(start) if start else None
    return [
        Statement(
            Article(index, f"d{index}", None, day + timedelta(days=index) if day else None),
            "Sochi",
            actor,
            label,
            0.7,
            "s",
        )
        for index, actor, label in stances
    ]


def test_results_are_counted(tmp_path: Path) -> None:
    results = load_results([write_rows(tmp_path / "rows.jsonl", [*SMALL, row(7, None, date=None)])])
    assert (results.documents, results.silent, results.undated) == (8, 2, 1), "the heat map has none without an actor"
    assert results.errors == {"empty_text": 1}
    assert [one.actor for one in results.statements[:3]] == ["Russia", "HNC", "Russia"]
    assert results.statements[0].sentence == "Russia said so in 0."


def test_actors_that_no_text_names_are_counted_apart(tmp_path: Path) -> None:
    rows = [row(0, "Russia"), row(0, "Oman", "none", mentions=[]), row(1, "Oman", "none", mentions=[], date=None)]
    results = load_results([write_rows(tmp_path / "rows.jsonl", rows)])
    assert [one.actor for one in results.statements] == ["Russia"]
    assert (results.documents, results.silent, results.undated, results.not_named) == (2, 1, 0, 2)
    page = page_of(tmp_path, rows)
    assert "2 documents, 1 actor, 1 row" in page.text
    assert "Asked for, not named: 2 rows" in page.text
    done = CliRunner().invoke(app, ["report", str(tmp_path / "rows.jsonl"), "-o", str(tmp_path / "a.html")])
    assert "2 documents, 1 rows; asked for, not named: 2" in done.output


def test_copies_of_a_day_count_once_where_that_is_asked_for(tmp_path: Path) -> None:
    copy = {"text_sha256": "a", "date": "2018-01-30T10:00"}
    rows = [
        *(row(n, "Russia", **copy) for n in range(3)),
        row(3, "Russia", **copy | {"date": "2018-01-31"}),
        row(4, "Russia", **copy, process_name="Geneva talks"),
        row(5, "Russia", date=copy["date"]),
        row(6, "Russia", date=copy["date"]),
        row(7, "Russia", text_sha256="a", date=None),
        row(8, "Russia", text_sha256="a", date=None),
        error_row(9, "d9", ErrorOut(code="unknown_process", message="m"), copy),
    ]
    path = write_rows(tmp_path / "rows.jsonl", rows)
    assert (load_results([path]).documents, len(load_results([path]).statements)) == (10, 9)
    results = load_results([path], dedupe=True)
    assert (results.documents, results.copies, results.silent) == (8, 2, 0)
    assert [(one.article.id, one.process) for one in results.statements] == [
        ("d0", "Sochi process"),
        ("d3", "Sochi process"),
        ("d4", "Geneva talks"),
        ("d5", "Sochi process"),
        ("d6", "Sochi process"),
        ("d7", "Sochi process"),
        ("d8", "Sochi process"),
    ]
    done = CliRunner().invoke(app, ["report", str(path), "-o", str(tmp_path / "a.html"), "--dedupe"])
    assert "8 documents, 7 rows; copies left out: 2" in done.output
    assert "Copies left out: 2 documents" in (tmp_path / "a.html").read_text()


def test_rows_of_before_are_reported_on_but_for_copies(tmp_path: Path) -> None:
    old = {name: value for name, value in row(0, "Russia").items() if name != "text_sha256"}
    path = write_rows(tmp_path / "rows.jsonl", [old])
    assert load_results([path]).documents == 1
    with pytest.raises(ReportError, match="no column 'text_sha256', by which copies are known"):
        load_results([path], dedupe=True)


def test_a_file_whose_name_is_no_utf8_is_reported_on(tmp_path: Path) -> None:
    out = tmp_path / "report.html"
    write_report([write_rows(tmp_path / os.fsdecode(b"\xff.jsonl"), SMALL)], out)
    assert "\\xff.jsonl" in out.read_text(encoding="utf-8")


def test_what_else_a_stance_may_be_is_told(tmp_path: Path) -> None:
    rows = [row(0, "Russia", plausible=["support", "none", "conditional"]), row(0, "HNC", "boycott")]
    page = page_of(tmp_path, rows)
    assert [[LABELS[label] for label in cells[6]] for cells in page.data["table"]["rows"]] == [
        ["none", "conditional"],
        [],
    ]
    heat = {one["actor"]: one for one in page.data["charts"][0]["heat"]["data"]["values"]}
    assert (heat["Russia"]["sign"], heat["Russia"]["may also be"]) == ("S?", "none, conditional")
    assert heat["HNC"]["sign"] == "B"
    assert "p = 0.70, may also be none, conditional" in page.text
    assert "all 2 1" in page.text


def test_the_most_probable_statement_tells_whether_a_cell_is_unsure(tmp_path: Path) -> None:
    rows = [row(0, "A", plausible=["support", "none"], p_support=0.5), row(28, "A"), row(56, "A", "boycott")]
    found = load_results([write_rows(tmp_path / "rows.jsonl", rows)]).statements
    (position,) = find_positions(found, "day")["A"]
    assert (position.is_unsure, position.is_mixed) == (False, True)
    (position,) = find_positions(found[::2], "day")["A"]
    assert (position.stance, position.is_unsure) == ("boycott", False)
    (position,) = find_positions(found[:1], "day")["A"]
    assert position.is_unsure


def test_parquet_and_lines_give_the_same(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    pq.write_table(pa.Table.from_pylist(SMALL, arrow_schema()), tmp_path / "rows.parquet")
    assert load_results([tmp_path / "rows.parquet"]) == load_results([write_rows(tmp_path / "rows.jsonl", SMALL)])


def test_an_actor_of_the_lexicon_goes_by_one_name(tmp_path: Path) -> None:
    rows = [row(0, "Higher Negotiations Committee", actor_id="hnc"), row(1, "HNC", actor_id="hnc")]
    results = load_results([write_rows(tmp_path / "rows.jsonl", rows)])
    assert {one.actor for one in results.statements} == {"Higher Negotiations Committee"}


def test_a_document_tells_once_of_an_actor_asked_for_by_two_names(tmp_path: Path) -> None:
    rows = [row(n, name, "boycott", actor_id="hnc") for n in range(2) for name in ("HNC", "Negotiations Committee")]
    told = load_results([write_rows(tmp_path / "rows.jsonl", rows)]).statements
    assert [(one.article.index, one.actor) for one in told] == [(0, "HNC"), (1, "HNC")]


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        (
            "rows.csv",
            b"",
            "must be .parquet or .jsonl that stance batch wrote; for articles run it first: stance batch IN ",
        ),
        ("rows.jsonl", b"{]\n", "rows.jsonl:1: no valid JSON"),
        ("rows.jsonl", b"[1]\n", "must be an object"),
        ("rows.jsonl", b'{"id": "a", "text": "no row"}\n', "looks like articles, not results"),
        ("rows.jsonl", b'{"id": "a", "text": "no row"}\n', "rows.jsonl stances.parquet"),
        ("rows.jsonl", b'{"body": "no row"}\n', "has no column 'doc_index'"),
        ("rows.jsonl", dump_rows([row(0, "A") | {"doc_index": None}]), "row 1: is no row of stance batch"),
        ("rows.jsonl", dump_rows([row(0, "A") | {"stance": "maybe"}]), "'maybe' is no stance; allowed are support"),
        ("rows.jsonl", dump_rows([row(0, "A", plausible=["perhaps"])]), "'perhaps' is no stance"),
        ("rows.parquet", b"nothing", "no Parquet file"),
    ],
)
def test_what_are_no_results_is_told(tmp_path: Path, name: str, content: bytes, told: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ReportError, match=told.replace(".", r"\.")):
        load_results([tmp_path / name])


def test_articles_in_parquet_are_told_from_results(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"id": ["a"], "text": ["no row"]}), tmp_path / "articles.parquet")
    with pytest.raises(ReportError, match="looks like articles, not results"):
        load_results([tmp_path / "articles.parquet"])


def test_documents_of_several_files_are_kept_apart(tmp_path: Path) -> None:
    first = write_rows(tmp_path / "a.jsonl", [row(0, "Russia"), row(0, "HNC", "boycott"), SMALL[10]])
    second = write_rows(tmp_path / "b.jsonl", [row(0, "Russia", "boycott"), row(0, "Iran")])
    results = load_results([first, second])
    assert results.documents == 3
    assert [(one.article.id, one.article.index) for one in results.statements] == [
        *[("a.jsonl: d0", 0)] * 2,
        *[("b.jsonl: d0", 2)] * 2,
    ]
    assert [one.id for one in results.failures] == ["a.jsonl: bad.txt"]
    camps = find_camps(results.statements, ["HNC", "Iran"])
    assert not camps.together.any()
    write_report([first, second], tmp_path / "report.html")
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert "Stances in a.jsonl, b.jsonl" in page.text
    assert "3 documents, 3 actors, 4 rows" in page.text
    assert len(page.data["table"]["documents"]) == 2


def test_files_of_one_name_go_by_their_paths_and_none_counts_twice(tmp_path: Path) -> None:
    for folder in ("old", "new"):
        (tmp_path / folder).mkdir()
        write_rows(tmp_path / folder / "rows.jsonl", [row(0, "Russia")])
    paths = [tmp_path / "old" / "rows.jsonl", tmp_path / "new" / "rows.jsonl"]
    assert len({one.article.id for one in load_results(paths).statements}) == 2
    with pytest.raises(ReportError, match="is given twice"):
        load_results([paths[0], tmp_path / "new" / ".." / "old" / "rows.jsonl"])


def test_rows_in_another_order_are_of_the_same_documents(tmp_path: Path) -> None:
    rows = write_rows(tmp_path / "rows.jsonl", [row(0, "Russia"), row(1, "Russia"), row(0, "HNC"), row(1, "HNC")])
    assert load_results([rows]).documents == 2


def test_failures_are_told_one_by_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_room, "MAX_FAILURES", 2)
    codes = ("empty_text", "no_text", "no_text")
    page = page_of(
        tmp_path,
        [
            error_row(index, f"{index}.pdf", ErrorOut(code=code, message=f"<b>{code}</b> of {index}"))
            for index, code in enumerate(codes)
        ],
    )
    assert "0.pdf empty_text <b>empty_text</b> of 0 1.pdf no_text <b>no_text</b> of 1 The first 2; 1 more" in page.text
    assert "2 documents could not be classified: no_text" in page.text
    assert page.count("details", **{"class": "failed"}) == 1


def test_actors_without_a_dated_stance_are_one_line(tmp_path: Path) -> None:
    page = page_of(tmp_path, [*SMALL, row(7, "Egypt", date=None), row(8, "France", "none")])
    assert "In no dated document with a stance: Egypt , France , UN ." in page.text
    assert page.count("details", **{"class": "actor"}) == 3
    assert [bool(one) for one in page.data["charts"][0]["points"]] == [True] * 3


def test_the_report_does_not_overwrite_its_results(tmp_path: Path) -> None:
    rows = write_rows(tmp_path / "rows.jsonl", SMALL)
    with pytest.raises(ReportError, match=r"must end in \.html"):
        write_report([rows], rows)
    assert rows.read_bytes() == dump_rows(SMALL)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2018-01-30", datetime(2018, 1, 30)),
        ("2018-01-30T23:00:00", datetime(2018, 1, 30, 23)),
        ("2018-01-31T01:30:00+03:00", datetime(2018, 1, 30, 22, 30)),
        ("2018-01-30T22:30:00Z", datetime(2018, 1, 30, 22, 30)),
        ("0001-01-01T00:00:00+03:00", None),
        ("soon", None),
        (None, None),
    ],
)
def test_moments_are_read_in_utc(text: str | None, moment: datetime | None) -> None:
    assert parse_moment(text) == moment


def test_two_zones_of_one_moment_are_one_day_and_exports_keep_the_hour(tmp_path: Path) -> None:
    times = ("2018-01-31T01:30:00+03:00", "2018-01-30T22:30:00Z")
    rows = write_rows(tmp_path / "rows.jsonl", [row(n, "Russia", date=one) for n, one in enumerate(times)])
    assert {one.article.day for one in load_results([rows]).statements} == {date(2018, 1, 30)}
    write_report([rows], tmp_path / "report.html", tmp_path / "net")
    events = csv.DictReader((tmp_path / "net" / "statements.csv").read_text().splitlines(), delimiter=";")
    assert [one["time"] for one in events] == ["2018-01-30 22:30:00"] * 2


def test_shares_add_up() -> None:
    found = statements((0, "A", "support"), (0, "B", "support"), (1, "A", "boycott"), (1, "B", "none"))
    found[0] = replace(found[0], others=("none",))
    assert [(one.label, one.count, one.share, one.unsure) for one in shares_of(found)] == [
        ("support", 2, 0.5, 1),
        ("boycott", 1, 0.25, 0),
        ("conditional", 0, 0.0, 0),
        ("none", 1, 0.25, 0),
    ]


@pytest.mark.parametrize(
    ("days", "unit"), [(54, "day"), (55, "week"), (400, "month"), (3000, "quarter"), (9000, "year"), (0, "day")]
)
def test_the_unit_grows_with_the_days(days: int, unit: str) -> None:
    assert choose_unit(date(2010, 1, 1) + timedelta(days=day) for day in range(days)) == unit


def test_moments_are_first_and_changes() -> None:
    found = statements(
        (0, "A", "none"), (1, "A", "boycott"), (2, "A", "none"), (3, "A", "boycott"), (5, "A", "support")
    )
    moments = find_moments(find_positions(found, "day")["A"])
    assert [(one.before, one.after.stance, one.after.period) for one in moments] == [
        (None, "boycott", "2018-01-02"),
        ("boycott", "support", "2018-01-06"),
    ]


def test_a_period_has_the_stance_of_most_and_a_star() -> None:
    found = statements((0, "A", "support"), (1, "A", "boycott"), (2, "A", "boycott"), (3, "A", "none"))
    (position,) = find_positions(found, "month")["A"]
    assert (position.stance, position.is_mixed) == ("boycott", True)
    assert position.counts == {"support": 1, "boycott": 2, "none": 1}


def test_what_has_no_date_has_a_column_and_no_line() -> None:
    positions = find_positions(statements((0, "A", "support"), start=None), "day")["A"]
    assert [one.period for one in positions] == [NO_DATE]
    assert find_moments(positions) == []


def test_camps_are_those_who_stand_together() -> None:
    found = [
        one
        for index in range(4)
        for one in statements(
            (index, "A", "support"), (index, "B", "support"), (index, "C", "boycott"), (index, "D", "boycott")
        )
    ]
    camps = find_camps([*found, *statements((9, "E", "support"))], ["A", "B", "C", "D", "E"])
    names = [{camps.actors[index] for index in camp} for camp in camps.camps]
    assert names == [{"A", "B"}, {"C", "D"}]
    assert camps.actors[-1] == "E"
    place = {name: index for index, name in enumerate(camps.actors)}
    assert camps.agreement[place["A"], place["B"]] == pytest.approx(4 / 5)
    assert camps.agreement[place["A"], place["C"]] == pytest.approx(-4 / 5)
    assert camps.together[place["A"], place["E"]] == 0


@pytest.mark.parametrize("actors", [[], ["A"]])
def test_camps_of_nobody_and_of_one(actors: Sequence[str]) -> None:
    camps = find_camps(statements(*((0, one, "support") for one in actors)), actors)
    assert camps.camps == ()
    assert list(camps.actors) == list(actors)


def test_the_page_shows_the_numbers(tmp_path: Path) -> None:
    page = page_of(tmp_path, SMALL)
    assert "7 documents, 4 actors, 10 rows; read by default 1" in page.text
    assert "1 document could not be classified: empty_text" in page.text
    assert "1 document with no actor that counts" in page.text
    assert "1 document without a date" in page.text
    assert "2 changes" not in page.text
    assert "boycott → C conditional" in page.text
    charts = page.data["charts"][0]
    heat = {(one["actor"], one["period"]): one["sign"] for one in charts["heat"]["data"]["values"]}
    assert heat["Russia", "2018-01-01"] == "S"
    assert heat["HNC", "2018-01-04"] == "C"
    assert heat["Russia", NO_DATE] == "S"
    assert heat["UN", "2018-01-03"] == "·"
    pairs = {(one["actor"], one["other"]): one["agreement"] for one in charts["camps"]["data"]["values"]}
    assert pairs["Russia", "Iran"] == pytest.approx(2 / 3, abs=0.01)
    assert pairs["HNC", "Russia"] == pytest.approx(-2 / 3, abs=0.01)
    assert sum(one["documents"] for one in charts["bars"]["data"]["values"]) == 10
    assert len(page.data["table"]["rows"]) == 10


def test_the_page_asks_nobody(tmp_path: Path) -> None:
    page = page_of(tmp_path, SMALL)
    assert not [found for _, found in page.tags if "src" in found or "href" in found or "action" in found]
    (policy,) = [found["content"] for _, found in page.tags if found.get("http-equiv")]
    assert policy is not None
    assert policy.startswith("default-src 'none'")
    assert "http" not in policy
    assert page.count("script") == 3
    assert "vegaEmbed" in page.scripts[0]


def test_hostile_names_stay_text(tmp_path: Path) -> None:
    evidence = [{"start": 0, "end": 1, "text": HOSTILE, "score": 1.0}]
    rows = [
        row(index, HOSTILE, label, title=HOSTILE, process_name=HOSTILE, doc_id=HOSTILE, evidence=evidence)
        for index, label in enumerate(("support", "boycott"))
    ]
    page = page_of(tmp_path, rows)
    assert page.count("script") == 3
    assert page.count("img") == 0
    assert "{{ 7*7 }}" in page.text
    assert page.data["table"]["actors"] == [HOSTILE]
    network = nx.parse_graphml(page.data["files"]["network.graphml"])
    assert {found["name"] for _, found in network.nodes(data=True)} == {HOSTILE.replace("\u0007", "\ufffd")}


def test_formulas_do_not_run_in_spreadsheets(tmp_path: Path) -> None:
    rows = write_rows(tmp_path / "rows.jsonl", [row(0, "=HYPERLINK(1)", title="@x")])
    write_report([rows], tmp_path / "report.html", tmp_path / "net")
    (edge,) = csv.DictReader(io.StringIO((tmp_path / "net" / "edges.csv").read_text()))
    assert edge["actor"] == "'=HYPERLINK(1)"


def test_the_network_can_be_read_again(tmp_path: Path) -> None:
    write_report([write_rows(tmp_path / "rows.jsonl", SMALL)], tmp_path / "report.html", tmp_path / "net")
    network = nx.read_graphml(tmp_path / "net" / "network.graphml", force_multigraph=True)
    kinds = {found["name"]: (found["variable"], found["frequency"]) for _, found in network.nodes(data=True)}
    assert kinds == {
        "Russia": ("actor", 4),
        "HNC": ("actor", 3),
        "Iran": ("actor", 2),
        "UN": ("actor", 1),
        "Sochi process": ("process", 10),
    }
    edges = {(network.nodes[ends[0]]["name"], found["stance"]): found for *ends, found in network.edges(data=True)}
    assert len(edges) == 4
    assert edges["HNC", "boycott"]["weight"] == 2
    assert edges["HNC", "boycott"]["first_date"] == "2018-01-01"
    assert edges["HNC", "boycott"]["last_date"] == "2018-01-02"
    assert edges["Russia", "support"]["weight"] == 4
    assert len({key for *_, key in network.edges(keys=True)}) == 4
    root = ET.parse(tmp_path / "net" / "network.graphml").getroot()
    assert {key.get("id") for key in root.iter("{http://graphml.graphdrawing.org/xmlns}key")} >= {"name", "weight"}


def test_the_lists_are_those_of_the_analyzer(tmp_path: Path) -> None:
    write_report([write_rows(tmp_path / "rows.jsonl", SMALL)], tmp_path / "report.html", tmp_path / "net")
    edges = list(csv.DictReader((tmp_path / "net" / "edges.csv").read_text().splitlines()))
    assert [(one["actor"], one["stance"], one["weight"]) for one in edges] == [
        ("HNC", "boycott", "2"),
        ("HNC", "conditional", "1"),
        ("Iran", "support", "2"),
        ("Russia", "support", "4"),
    ]
    events = list(csv.DictReader((tmp_path / "net" / "statements.csv").read_text().splitlines(), delimiter=";"))
    assert len(events) == 9
    assert events[1]["time"] == "2018-01-01 00:00:00"
    assert (events[1]["actor"], events[1]["stance"], events[1]["agreement"]) == ("HNC", "boycott", "0")
    assert events[1]["text"] == "HNC said so in 0."
    assert [one["agreement"] for one in events if one["stance"] == "conditional"] == [""]


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([], "no document was read"),
        ([row(0, None)], "no actor was found in any document"),
        ([error_row(0, "a", ErrorOut(code="empty_text", message="", field=None))], "could not be classified"),
    ],
)
def test_nothing_is_told(tmp_path: Path, rows: list[Row], told: str) -> None:
    page = page_of(tmp_path, rows)
    assert told in page.text
    assert page.count("section") == 0
    assert page.data["charts"] == []


def test_one_document(tmp_path: Path) -> None:
    page = page_of(tmp_path, [row(0, "Russia")])
    assert "1 document, 1 actor, 1 row;" in page.text
    assert "there are no camps to tell" in page.text
    first, last = page.data["charts"][0]["line"]["layer"][0]["encoding"]["x"]["scale"]["domain"]
    assert (first["month"], first["date"], last["date"]) == (12, 31, 2)
    assert len(page.data["charts"][0]["points"][0]) == 1


def test_no_date_at_all(tmp_path: Path) -> None:
    page = page_of(tmp_path, [row(0, "Russia", date=None)])
    assert "No document has a date, so there are no lines." in page.text
    assert page.data["charts"][0]["line"] is None


def test_each_process_has_a_section_of_its_own(tmp_path: Path) -> None:
    rows = [row(0, "A", process_name="Sochi"), row(1, "A", "boycott", process_name="Geneva"), row(2, "A")]
    page = page_of(tmp_path, rows)
    assert page.count("section", **{"class": "process"}) == 3
    assert page.count("option") == 3 + 1 + len(LABELS)


def test_what_is_not_drawn_is_told(tmp_path: Path) -> None:
    rows = [row(index, f"Actor {index}", process_name="Sochi") for index in range(MAX_DRAWN_ACTORS + 3)]
    rows += [row(100 + index, "A", process_name=f"P{index}") for index in range(MAX_PROCESSES)]
    page = page_of(tmp_path, rows)
    assert "Drawn are the 40 actors with most stances; the other 3 are in the table" in page.text
    assert "1 process with fewer rows not drawn, only in the table and the files: P7" in page.text


def big(documents: int) -> Results:
    dice = random.Random(7)
    results = Results()
    for index in range(documents):
        article = Article(index, f"d{index}", f"Title {index}", date(2015, 1, 1) + timedelta(days=dice.randrange(1500)))
        for actor in dice.sample(range(300), 6):
            label = dice.choices(LABELS, (4, 2, 1, 3))[0]
            text = (
                "" if label == "none" else f"Actor {actor} said in document {index} what it had to say on the matter."
            )
            results.statements.append(Statement(article, "Sochi process", f"Actor {actor}", label, dice.random(), text))
    results.documents = documents
    return results


def test_ten_thousand_documents(tmp_path: Path) -> None:
    rows = [
        row(
            one.article.index,
            one.actor,
            one.stance,
            date=f"{one.article.day}",
            title=one.article.title,
            **{PROBABILITIES[one.stance]: one.probability},
        )
        for one in big(10_000).statements
    ]
    path = write_rows(tmp_path / "rows.jsonl", rows)
    out = tmp_path / "report.html"
    begun = time.process_time()
    write_report([path], out)
    seconds = time.process_time() - begun
    page = Page(out.read_text(encoding="utf-8"))
    assert "10,000 documents, 300 actors, 60,000 rows" in page.text
    assert "The table holds 20,000 of 60,000 rows" in page.text
    assert "statements.csv" in page.text
    assert len(page.data["table"]["rows"]) == page_room.MAX_ROWS
    assert len(page.data["charts"][0]["heat"]["data"]["values"]) <= 54 * MAX_DRAWN_ACTORS
    assert out.stat().st_size < 16 << 20
    assert seconds < SECONDS_10_000


def test_the_table_keeps_the_most_certain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_room, "MAX_ROWS", 2)
    found = statements((0, "A", "none"), (1, "B", "support"), (2, "C", "boycott"))
    assert [one.actor for one in page_room.choose_rows(found)] == ["B", "C"]


def test_all_is_accounted_for() -> None:
    views, left_out = build_views(big(200).statements)
    assert left_out == []
    (view,) = views
    assert sum(one.count for one in view.shares) == view.statements == 1200
    assert len(view.actors) == MAX_DRAWN_ACTORS
    assert len(view.periods) <= 54


def test_the_command(tmp_path: Path) -> None:
    rows, out = write_rows(tmp_path / "rows.jsonl", SMALL), tmp_path / "a.html"
    done = CliRunner().invoke(app, ["report", str(rows), "-o", str(out), "--export", str(tmp_path / "net")])
    assert done.exit_code == 0, done.output
    assert "7 documents, 10 rows" in done.output
    assert out.stat().st_size > 800_000
    assert sorted(path.name for path in (tmp_path / "net").iterdir()) == [
        "edges.csv",
        "network.graphml",
        "statements.csv",
    ]
    assert CliRunner().invoke(app, ["report", str(tmp_path / "none.jsonl"), "-o", str(out)]).exit_code == 1
