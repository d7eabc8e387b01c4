"""What the documents say of commands and rows is what is so."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer

from serving.batch.records import FIELDS
from serving.batch.rows import COLUMNS, arrow_schema
from serving.cli import app
from serving.texts import SUFFIXES

ROOT = Path(__file__).resolve().parents[3]
GROUP = typer.main.get_command(app)
COMMANDS = GROUP.commands  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_an_example_and_tells_its_exit_codes(name: str) -> None:
    told = COMMANDS[name].help
    assert f"Example: stance {name} " in told
    assert "Exit codes: 0 " in told


def test_the_columns_are_documented_as_they_are() -> None:
    document = (ROOT / "docs" / "batch.md").read_text(encoding="utf-8")
    table = "\n".join(f"| `{name}` | `{kind}` | {meaning} |" for name, (kind, meaning) in COLUMNS.items())
    assert table in document
    for word in (*SUFFIXES, *FIELDS):
        assert f"`{word}`" in document


def test_the_columns_are_those_of_the_schema() -> None:
    pytest.importorskip("pyarrow", reason="the extra 'batch' is not installed")
    schema = arrow_schema()
    assert schema.names == list(COLUMNS)
    assert [str(one.type).replace("item: ", "").replace("element: ", "") for one in schema] == [
        k for k, _ in COLUMNS.values()
    ]
