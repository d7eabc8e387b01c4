"""Figures held against their bounds."""

from __future__ import annotations

import math
import sys

import typer
from rich.console import Console
from rich.table import Table

#: Wide enough for the tables where the output goes to a file.
CONSOLE = Console(width=None if sys.stdout.isatty() else 120)


class Bounds:
    """Collects figures with their bounds and tells at the end which do not hold."""

    def __init__(self) -> None:
        self._table = Table("bound", "figure", "allowed", "")
        self._broken: list[str] = []

    def at_least(self, name: str, figure: float, bound: float, unit: str = "") -> None:
        """A figure that must not be lower."""
        self._add(name, f"{figure:.3g}{unit}", f"at least {bound:g}{unit}", not math.isnan(figure) and figure >= bound)

    def at_most(self, name: str, figure: float, bound: float, unit: str = "") -> None:
        """A figure that must not be higher."""
        self._add(name, f"{figure:.3g}{unit}", f"at most {bound:g}{unit}", not math.isnan(figure) and figure <= bound)

    def _add(self, name: str, figure: str, allowed: str, holds: bool) -> None:
        self._table.add_row(name, figure, allowed, "holds" if holds else "[bold red]BROKEN")
        if not holds:
            self._broken.append(f"{name}: {figure}, allowed is {allowed}")

    def leave(self) -> None:
        """Print all; leave with 1 if any bound is broken, saying which."""
        CONSOLE.print(self._table)
        for line in self._broken:
            CONSOLE.print(f"broken: {line}", highlight=False)
        raise typer.Exit(1 if self._broken else 0)
