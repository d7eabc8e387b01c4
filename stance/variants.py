"""Whether two names in one text are of one actor: "Khartoum", "Sudan's government" and "the Sudanese" are; so are
"Houthis" and "the Houthi delegation".
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from pathlib import Path

from stance.text import Word, find_words

#: States with their adjectives, peoples and seats of government. Peoples that live in several states are left out.
_STATES = Path(__file__).with_name("states.json")
_ARTICLES = frozenset(("the", "a", "an"))
#: Nouns that stand for those who act for a state: "the Sudanese government".
_OF_A_STATE = frozenset(
    """
    government governments authorities leadership side delegation officials administration team negotiators regime
    """.split()
)
#: Nouns that stand for those who act for a group, and for the group itself: "the Houthi movement".
_OF_A_GROUP = frozenset(
    """
    side delegation movement rebels group leadership negotiators team representatives delegates militia officials
    leaders fighters alliance authorities
    """.split()
)
_JOINTS = frozenset(("of", "in", "from"))
_FEDERAL = frozenset(("federal", "central", "transitional", "national", "interim", "legitimate"))


@dataclass(frozen=True, slots=True)
class Root:
    """What is left of a name without the nouns that stand for those who act.

    Attributes:
        name: of a state as the table has it; else the words, or a stem of the only one.
        is_state: whether it is a state's.
        acts: whether the name had such a noun.
    """

    name: str
    is_state: bool = False
    acts: bool = field(default=False, compare=False)


@lru_cache(maxsize=4096)
def find_roots(name: str) -> frozenset[Root]:
    """All that a name can be short or long for; two names that share one are of one actor."""
    words = [word for word in find_words(name) if word.form not in _ARTICLES]
    core, head = _without_head(words)
    if not core:
        return frozenset()
    state = _states().get(tuple(word.form for word in core))
    if state is not None and (head is None or head in _OF_A_STATE):
        return frozenset((Root(state, is_state=True, acts=head is not None),))
    if head is not None and head not in _OF_A_GROUP:
        return frozenset()
    return frozenset(_group_roots(core, head is not None, name))


def _without_head(words: Sequence[Word]) -> tuple[Sequence[Word], str | None]:
    """A name's own words, and the noun for those who act that came with them."""
    heads = _OF_A_STATE | _OF_A_GROUP
    if len(words) > 1 and words[-1].form in heads:
        core = words[:-1]
        return (core[:-1] if len(core) > 1 and core[-1].form in _FEDERAL else core), words[-1].form
    if len(words) > 2 and words[0].form in heads and words[1].form in _JOINTS:
        return [word for word in words[2:] if word.form not in _ARTICLES], words[0].form
    return words, None


def _group_roots(core: Sequence[Word], acts: bool, name: str) -> Iterator[Root]:
    whole = " ".join(word.form for word in core)
    if acts and name[core[-1].end : core[-1].end + 1] in ("'", "’"):
        return  # "Juan's delegation" is not Juan
    yield Root(whole)
    if len(core) == 1 and not core[0].surface.isupper() and (acts or _is_plural(core[0])):
        yield Root(_stem(whole), acts=acts)


def _is_plural(word: Word) -> bool:
    return word.surface[0].isupper() and word.form.endswith("s") and len(word.form) > 4


def _stem(form: str) -> str:
    """What an adjective and a plural of one group share: "houthi" and "houthis", "kurdish" and "kurds"."""
    form = form.removesuffix("s")
    for ending in ("ish", "ian", "an", "i"):
        if form.endswith(ending) and len(form) - len(ending) > 3:
            return form.removesuffix(ending)
    return form


@lru_cache(maxsize=4096)
def seats(name: str) -> tuple[str, ...]:
    """The seats of government of the state that a name means."""
    return tuple(seat for row in _rows_of(name) for seat in row["seats"])


@lru_cache(maxsize=4096)
def governments(name: str) -> tuple[str, ...]:
    """How else the government of a state is called, for a name that means one: "Sudan government" matches its
    possessive too.
    """
    if not any(root.acts for root in find_roots(name)):
        return ()
    nouns = ("government", "authorities")
    return tuple(
        written
        for row in _rows_of(name)
        for noun in nouns
        for written in (
            *(f"{one} {noun}" for one in (*row["names"], *row["adjectives"])),
            *(f"{noun} of {one}" for one in row["names"]),
            *(f"{noun} in {one}" for one in row["seats"]),
        )
    )


def _rows_of(name: str) -> list[dict[str, list[str]]]:
    named = {root.name for root in find_roots(name) if root.is_state}
    return [row for row in _rows() if row["names"][0] in named]


@lru_cache(maxsize=4096)
def is_seat(name: str) -> bool:
    """Whether a name is that of a seat of government, which is an actor only where it acts."""
    return _forms(name) in {_forms(seat) for row in _rows() for seat in row["seats"]}


@lru_cache(maxsize=4096)
def is_adjective(name: str) -> bool:
    """Whether a name is a state's adjective, which alone is no actor."""
    return _forms(name) in {_forms(one) for row in _rows() for one in row["adjectives"]}


def is_of_state(word: str) -> bool:
    """Whether a word is a state's name or adjective, or a part of one."""
    return not _parts().isdisjoint(_forms(word))


@cache
def _parts() -> frozenset[str]:
    return frozenset(form for row in _rows() for one in (*row["names"], *row["adjectives"]) for form in _forms(one))


def _forms(name: str) -> tuple[str, ...]:
    return tuple(word.form for word in find_words(name))


@cache
def _states() -> dict[tuple[str, ...], str]:
    """States by the words of their names, adjectives, peoples and seats."""
    table: dict[tuple[str, ...], str] = {}
    for row in _rows():
        for one in (*row["names"], *row["adjectives"], *row["people"], *row["seats"]):
            table.setdefault(_forms(one), row["names"][0])
    return table


@cache
def _rows() -> list[dict[str, list[str]]]:
    rows: list[dict[str, list[str]]] = json.loads(_STATES.read_text(encoding="utf-8"))
    return rows
