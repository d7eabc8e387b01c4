"""The report in a real browser: it draws, searches and sorts, runs nothing that it was not meant to, and asks nobody."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest

pytest.importorskip("altair")
pytest.importorskip("vl_convert")
pytest.importorskip("networkx")
sync_api = pytest.importorskip("playwright.sync_api")

from serving.batch.rows import COLUMNS, PROBABILITIES, Row, dump_rows  # noqa: E402
from serving.report.build import write_report  # noqa: E402

if TYPE_CHECKING:
    from playwright.sync_api import Page

HOSTILE = "</script><img src=http://127.0.0.1:9/x onerror=document.title='run'><b>A</b>"
PATIENCE = 60_000  # milliseconds


def row(index: int, actor: str, stance: str, process: str, **changes: object) -> Row:
    text = f"{actor} spoke of {process}."
    evidence = [{"start": 0, "end": len(text), "text": text, "score": 1.0}]
    told = {"doc_index": index, "doc_id": f"d{index}", "title": HOSTILE, "date": f"2018-01-{index + 1:02}"}
    told |= {"process_name": process, "actor": actor, "stance": stance, "evidence": evidence}
    told |= {"mentions": [{"start": 0, "end": len(actor), "text": actor}]}
    return dict.fromkeys(COLUMNS) | told | dict.fromkeys(PROBABILITIES.values(), 0.25) | changes


ROWS = [
    *(row(index, actor, "support", "Sochi") for index in range(4) for actor in ("Russia", "Iran")),
    *(row(index, HOSTILE, "boycott" if index < 2 else "conditional", "Sochi") for index in range(4)),
    row(4, "Turkey", "support", "Geneva", plausible=["support", "conditional"]),
]


def write(folder: Path, rows: list[Row]) -> Path:
    (folder / "rows.jsonl").write_bytes(dump_rows(rows))
    write_report([folder / "rows.jsonl"], folder / "report.html")
    return folder / "report.html"


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("report"), ROWS)


@contextmanager
def browsing(report: Path, width: int, scheme: Literal["light", "dark"]) -> Iterator[Page]:
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("no chromium; install it with: apt-get install chromium")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"], timeout=PATIENCE)
        page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        page.set_default_timeout(PATIENCE)
        faults: list[str] = []
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda line: faults.append(line.text) if line.type == "error" else None)
        page.on(
            "request", lambda asked: faults.append(asked.url) if not asked.url.startswith(("file:", "blob:")) else None
        )
        page.goto(report.as_uri())
        yield page
        browser.close()
    assert faults == []


@pytest.fixture(params=[(1200, "light"), (390, "dark")], ids=["wide and light", "narrow and dark"])
def opened(request: pytest.FixtureRequest, report: Path) -> Iterator[Page]:
    with browsing(report, *request.param) as page:
        yield page


def test_it_draws_what_is_shown(opened: Page) -> None:
    sochi = opened.locator("[data-process='0']")
    sync_api.expect(sochi.locator(".chart svg.marks")).to_have_count(3 + 3, timeout=PATIENCE)
    assert opened.locator("[data-process='1'] svg.marks").count() == 0
    assert opened.title() == "Stances in rows.jsonl"
    assert opened.locator("img").count() == 0
    opened.locator("#process").select_option("1")
    sync_api.expect(opened.locator("[data-process='1'] .chart svg.marks")).to_have_count(3, timeout=PATIENCE)
    assert not sochi.is_visible()
    assert opened.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_rows_are_found_and_sorted(opened: Page) -> None:
    lines = opened.locator("#table tbody tr")
    assert lines.count() == len(ROWS)
    opened.locator("#search").fill("geneva turkey")
    assert lines.count() == 1
    assert "1 of 13 rows" in opened.locator("#found").inner_text()
    opened.locator("#search").fill("")
    opened.locator("#stance").select_option(label="boycott")
    assert lines.count() == 2
    opened.locator("#stance").select_option("")
    opened.get_by_label("Unsure only").check()
    assert lines.count() == 1
    assert "conditional" in lines.locator("td[data-label='may also be']").inner_text()
    opened.get_by_label("Unsure only").uncheck()
    button = opened.get_by_role("button", name="actor", exact=True)
    button.click()
    assert HOSTILE in lines.first.inner_text()
    button.click()
    assert "Turkey" in lines.first.inner_text()
    assert opened.locator("th[aria-sort=descending]").inner_text().strip().startswith("actor")


def test_axe_finds_nothing_serious(opened: Page) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    sync_api.expect(opened.locator("[data-process='0'] .chart svg.marks")).to_have_count(6, timeout=PATIENCE)
    for summary in opened.locator("[data-process='0'] .facts > summary").all():
        summary.click()
    opened.get_by_role("button", name="actor").click()
    violations = axe.Axe().run(opened).response["violations"]
    assert [one["nodes"][0]["html"] for one in violations if one["impact"] in ("serious", "critical")] == []


def test_a_chart_has_a_name_and_its_facts_in_a_table(opened: Page) -> None:
    for name in ("Documents by actor and label", "Stance over time: Russia"):
        drawing = opened.get_by_role("img", name=name, exact=True)
        sync_api.expect(drawing).to_be_visible(timeout=PATIENCE)
    assert opened.get_by_label("Save the chart: Documents by actor and label").count() == 1
    opened.locator("[data-process='0'] .shares .facts > summary").click()
    rows = opened.locator("[data-process='0'] .shares .facts tbody tr")
    sync_api.expect(rows.first).to_be_visible(timeout=PATIENCE)  # it is made when it is opened
    assert ["Russia", "support", "4", "100%"] in [row.locator("td").all_inner_texts() for row in rows.all()]


def test_the_last_page_keeps_the_focus_and_is_read_out(tmp_path: Path) -> None:
    rows = [row(index, f"Actor {index}", "support", "Sochi", date="2018-01-01") for index in range(60)]
    with browsing(write(tmp_path, rows), 1200, "light") as page:
        page.get_by_role("button", name="Next").focus()
        for _ in range(2):
            page.keyboard.press("Enter")
            assert page.get_by_role("status").filter(has_text="page 2 of 2").count() == 1
            assert page.evaluate("document.activeElement.id") == "next"
        assert page.locator("#table tbody tr").count() == 10
        assert page.get_by_role("table", name="All rows").count() == 1


def test_paper_has_whole_charts_and_says_which_rows_it_has(tmp_path: Path) -> None:
    rows = [
        row(index, f"Actor {index}", "support", "Sochi", date=f"2018-{1 + index // 28:02}-{1 + index % 28:02}")
        for index in range(60)
    ]
    with browsing(write(tmp_path, rows), 1200, "light") as page:
        drawings = page.locator(".chart svg.marks")
        sync_api.expect(drawings.first).to_be_visible(timeout=PATIENCE)
        page.emulate_media(media="print")
        page.set_viewport_size({"width": 720, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        edges = drawings.evaluate_all("all => all.map((one) => one.getBoundingClientRect().right)")
        assert max(edges) <= 720
        for told in ("#found", "#where"):
            assert page.locator(told).is_visible()
        for control in ("#search", "#next"):
            assert not page.locator(control).is_visible()
        assert page.locator(".sign").first.evaluate("one => getComputedStyle(one).printColorAdjust") == "exact"


def test_files_can_be_saved(opened: Page) -> None:
    with opened.expect_download() as saved:
        opened.get_by_role("button", name="Save network.graphml").click()
    data = json.loads(opened.locator("#data").inner_text())
    assert Path(saved.value.path()).read_text(encoding="utf-8") == data["files"]["network.graphml"]
