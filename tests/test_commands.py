"""What the documents say of the commands is what is so."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.parametrize(
    ("module", "name", "document"),
    [("serving.cli", "stance", "docs/cli.md"), ("training.cli", "train", "docs/train.md")],
)
def test_the_commands_are_documented_as_they_are(module: str, name: str, document: str) -> None:
    """`make docs` mends it."""
    made = subprocess.run(
        [sys.executable, "-m", "typer", module, "utils", "docs", "--name", name],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert str(ROOT) not in made.stdout
    assert made.stdout.strip() == (ROOT / document).read_text(encoding="utf-8").strip()
