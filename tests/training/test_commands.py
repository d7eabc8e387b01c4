"""What the documents say of the commands of `train` is what is so."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_commands_are_documented_as_they_are() -> None:
    """`make docs` mends it."""
    made = subprocess.run(
        [sys.executable, "-m", "typer", "training.cli", "utils", "docs", "--name", "train"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert str(ROOT) not in made.stdout
    assert made.stdout.strip() == (ROOT / "docs" / "train.md").read_text(encoding="utf-8").strip()
