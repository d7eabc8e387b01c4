"""The way from rows to a table of events that docs/batch.md shows."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from serving.batch.rows import COLUMNS, Row, arrow_schema, error_row
from serving.schemas import ErrorOut

pa = pytest.importorskip("pyarrow", reason="the extra 'batch' is not installed")
pytest.importorskip("pandas")

ROOT = Path(__file__).resolve().parents[3]
SHOW = "\nprint(events.drop(columns='sentence').to_json(orient='values', date_format='iso', date_unit='s'))\n"


def row(index: int, actor: str, **changes: object) -> Row:
    empty: Row = dict.fromkeys(COLUMNS) | {"mentions": [], "warnings": []}
    evidence = [{"start": 0, "end": 1, "text": text, "score": score} for text, score in (("a", 0.4), ("b", 0.6))]
    told = {"doc_index": index, "doc_id": f"d{index}", "date": "2018-01-30", "text_sha256": f"{index}"}
    told |= {"process_name": "Sochi process", "actor": actor, "found": True, "evidence": evidence}
    return empty | told | {"stance": "boycott", "plausible": ["boycott"]} | changes


ROWS = [
    row(0, "HNC", actor_id="higher-negotiations-committee", actor_country="SY"),
    row(0, "Negotiations Committee", actor_id="higher-negotiations-committee"),
    row(0, "Oman", found=False, stance="none", plausible=["none"], evidence=[]),
    row(0, "Delta Council", date="2018-01-31T01:00:00+03:00"),
    row(1, "HNC", actor_id="higher-negotiations-committee", text_sha256="0"),
    row(2, "Delta Council", plausible=["boycott", "none"]),
    row(3, "Delta Council", date=None),
    error_row(4, "d4", ErrorOut(code="empty_text", message="text is empty")),
]


def test_the_way_to_events_runs_as_it_is_shown(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    (example,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "batch.md").read_text(), re.DOTALL)
    pq.write_table(pa.Table.from_pylist(ROWS, arrow_schema()), tmp_path / "stances.parquet")
    (tmp_path / "data").symlink_to(ROOT / "data")
    command = [sys.executable, "-W", "error", "-c", example + SHOW + "print([*events['sentence']])"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    table, sentences = done.stdout.splitlines()
    hnc = '"higher-negotiations-committee","Higher Negotiations Committee","SY"'
    assert table == (
        f'[["d0","2018-01-30T00:00:00Z",{hnc},"Sochi process","boycott"],'
        '["d0","2018-01-30T22:00:00Z","Delta Council",null,null,"Sochi process","boycott"],'
        '["d3",null,"Delta Council",null,null,"Sochi process","boycott"]]'
    )
    assert sentences == "['b', 'b', 'b']"
