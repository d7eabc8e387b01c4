"""Full-length articles as requests: about 600 words, 8 actors each."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from server import ROOT

WORDS = 600
ACTORS = 8
_FEWEST_WORDS = 350


@dataclass(frozen=True, slots=True)
class Article:
    """A request for /classify, as fields and as the bytes that are sent."""

    fields: dict[str, Any]
    body: bytes

    @property
    def text(self) -> str:
        """The document."""
        return str(self.fields["text"])

    @property
    def names(self) -> list[list[str]]:
        """Of each actor the names that the text uses."""
        return [[one["name"], *one["aliases"]] for one in self.fields["actors"]]


def load_articles(count: int) -> list[Article]:
    """The articles of corpus and gold nearest to 600 words that name at least 8 actors; over and over if too few.

    Longer ones are cut after the paragraph that ends nearest to 600 words. The actors are the first eight that the
    text names.
    """
    made = list(filter(None, map(_make, _records())))
    distinct = list({one.text: one for one in made}.values())
    nearest = sorted(distinct, key=lambda one: abs(len(one.text.split()) - WORDS))[:count]
    return [nearest[number % len(nearest)] for number in range(count)]


def _records() -> Iterator[dict[str, Any]]:
    for folder in ("gold", "corpus"):
        for path in sorted((ROOT / "data" / folder).glob("*.jsonl")):
            yield from map(json.loads, path.read_text(encoding="utf-8").splitlines())


def _make(record: dict[str, Any]) -> Article | None:
    if len(record["text"].split()) < _FEWEST_WORDS:
        return None
    text = _trim(record["text"])
    actors = [
        {"name": one["actor"], "aliases": list(dict.fromkeys(one["mentions"]))[:50]}
        for one in record["actors"]
        if any(mention in text for mention in one["mentions"])
    ][:ACTORS]
    if len(actors) < ACTORS:
        return None
    fields = {"text": text, "actors": actors, "process": {"name": record["process"], "aliases": []}}
    return Article(fields, json.dumps(fields).encode())


def _trim(text: str) -> str:
    ends = [place for place in range(len(text)) if text.startswith("\n\n", place)] + [len(text)]
    return text[: min(ends, key=lambda end: abs(len(text[:end].split()) - WORDS))]
