"""How answers and progress look in a terminal, and plainly where there is none."""

from __future__ import annotations

import time
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from serving.schemas import ActorOut, ClassifyResponse

_STYLES = {"support": "green", "boycott": "red", "conditional": "yellow", "none": "dim"}
#: Seconds between the lines that tell a batch's progress where there is no terminal.
_SECONDS = 30.0
#: Documents after which a pace can be told: the first few say more of their own lengths than of the archive.
_ENOUGH = 10


def visible(text: str) -> str:
    """The text without control characters: what is read must not command the terminal."""
    lines = text.replace("\r\n", "\n")
    return "".join("\ufffd" if unicodedata.category(char) == "Cc" and char not in "\n\t" else char for char in lines)


def best_evidence(actor: ActorOut) -> str:
    """The sentence with the largest share of the evidence, on one line; empty for none."""
    best = max(actor.evidence, key=lambda one: one.score, default=None)
    return visible(" ".join(best.text.split())) if best else ""


def table_of(response: ClassifyResponse) -> Table:
    """A row an actor: stance, probability, what else it may be, and the sentence that shows it best."""
    table = Table(title=Text(visible(f"{response.id}: {response.process.name}")), title_justify="left")
    table.add_column("actor")
    table.add_column("stance", no_wrap=True)
    table.add_column("probability", justify="right")
    table.add_column("may also be")
    table.add_column("evidence", overflow="fold")
    for one in response.actors:
        probability = f"{one.probabilities[one.stance]:.2f}"
        stance = Text(one.stance, style=_STYLES[one.stance])
        others = ", ".join(label for label in one.plausible if label != one.stance)
        table.add_row(Text(visible(one.actor)), stance, probability, others, Text(best_evidence(one)))
    return table


def lines_of(response: ClassifyResponse) -> Iterator[str]:
    """Without a terminal: a line an actor, its cells parted by tabs, the file's name first; no other labels."""
    for one in response.actors:
        cells = (
            response.id or "",
            one.actor,
            one.stance,
            f"{one.probabilities[one.stance]:.2f}",
            best_evidence(one),
        )
        yield "\t".join(" ".join(visible(cell).split()) for cell in cells)


def marked_text(text: str, response: ClassifyResponse) -> Text:
    """The text, each mention in its actor's colour and in brackets with the stance, for colour alone may not show."""
    places = sorted((one.start, one.end, actor.stance) for actor in response.actors for one in actor.mentions)
    marked = Text()
    at = 0
    for start, end, stance in places:
        if start < at:
            continue
        marked.append(visible(text[at:start]))
        marked.append(f"[{visible(text[start:end])}: {stance}]", style=f"bold {_STYLES[stance]}")
        at = end
    marked.append(visible(text[at:]))
    return marked


class _Rate(ProgressColumn):
    """Documents a second."""

    def render(self, task: Task) -> Text:
        return Text("" if task.speed is None else f"{task.speed:.1f}/s", style="progress.data.speed")


@contextmanager
def shown_progress(console: Console) -> Iterator[Callable[[int, int, int], None]]:
    """What a batch is to call with documents done, with an error, and in all: a bar, or a line now and then."""
    if not console.is_terminal:
        yield _Lines(console)
        return
    columns = (BarColumn(), MofNCompleteColumn(), _Rate(), TimeRemainingColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=console, speed_estimate_period=120) as bar:
        task = None

        def show(done: int, failed: int, total: int) -> None:
            nonlocal task
            if task is None:
                task = bar.add_task("", total=total, completed=done)
            bar.update(task, completed=done, description=f"{failed:,} with an error" if failed else "")

        yield show


class _Lines:
    """Tells the progress in lines, one each half minute after the first call."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._begun: tuple[float, int] | None = None
        self._told = 0.0

    def __call__(self, done: int, failed: int, total: int) -> None:
        """Take note of the documents done."""
        now = time.monotonic()
        if self._begun is None:  # getting ready may have taken long, and says nothing of the pace
            self._begun, self._told = (now, done), now
        if now - self._told < _SECONDS:
            return
        self._told = now
        pace = _pace(done - self._begun[1], now - self._begun[0], total - done)
        self._console.print(f"{done:,} of {total:,} documents, {failed:,} with an error, {pace}", soft_wrap=True)


def _pace(done: int, seconds: float, left: int) -> str:
    """Documents a second, or a minute where they are few, and the time left; not before enough are done to tell."""
    if done < _ENOUGH:
        return "time left unknown"
    rate = done / seconds
    shown = f"{rate:.1f}/s" if rate >= 1 else f"{60 * rate:.1f}/min"
    return f"{shown}, {left / rate / 60:,.0f} min left"
