"""Whether two names in one text are of one actor: "Khartoum", "Sudan's government" and "the Sudanese" are; so are
"Houthis" and "the Houthi delegation".
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from pathlib import Path
from typing import Literal, TypedDict

from stance.names import ARTICLES
from stance.schema import Actor
from stance.text import Word, find_words

#: States with their adjectives, peoples, seats of government, and country as ISO 3166 has it, if it does. Peoples that
#: live in several states are left out.
_STATES = Path(__file__).with_name("states.json")
#: Nouns that stand for those who act for a state: "the Sudanese government".
_OF_A_STATE = frozenset(
    """
    government governments authorities leadership side delegation officials administration team negotiators regime
    """.split()
)
#: Words before the noun that leave it the same: "the internationally recognised government".
FEDERAL = frozenset(
    """
    federal central transitional national interim legitimate elected internationally recognised recognized royal
    """.split()
)
#: What may stand before those nouns: "the Yemeni government delegation".
_BETWEEN = FEDERAL | {"government"}
#: Nouns that stand for those who speak for a group, and for the group itself: "the Houthi movement".
_OF_A_GROUP = frozenset(
    """
    side delegation movement group leadership negotiators team representatives delegates officials leaders alliance
    authorities
    """.split()
)
#: Of these, those that no person has: "the Taliban delegation" is the Taliban, "the Maduro side" not Maduro.
_OF_NO_PERSON = frozenset(
    "delegation movement leadership negotiators representatives delegates rebels fighters".split()
)
_ARMED = frozenset("rebels militia fighters".split())
#: Endings of adjectives of groups; without them and a plural's "s" the names of one group are alike.
_ADJECTIVAL = ("ista", "ish", "ian", "an", "i")

Forms = tuple[str, ...]


class _State(TypedDict):
    names: list[str]
    adjectives: list[str]
    people: list[str]
    seats: list[str]
    country: str | None


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
    words = _proper(find_words(name))
    core, head = _without_head(words)
    state = _states().get(_forms(core))
    if state is not None:
        is_whole = head is None or head in _OF_A_STATE
        return frozenset((Root(state, is_state=True, acts=head is not None),)) if is_whole else frozenset()
    return frozenset(_group_roots(core, head, name)) if core else frozenset()


def _without_head(words: Sequence[Word]) -> tuple[Sequence[Word], str | None]:
    """A name's own words, and the noun for those who act that came with them."""
    heads = _OF_A_STATE | _OF_A_GROUP | _ARMED
    while len(words) > 1 and words[0].form in FEDERAL:
        words = words[1:]
    if len(words) > 1 and words[-1].form in heads:
        core = words[:-1]
        while len(core) > 1 and core[-1].form in _BETWEEN:
            core = core[:-1]
        return core, words[-1].form
    if len(words) > 2 and words[0].form in heads and words[1].form == "of":
        core = _proper(words[2:])
        if _forms(core) in _states():
            return core, words[0].form
    return words, None


def _group_roots(core: Sequence[Word], head: str | None, name: str) -> Iterator[Root]:
    whole = " ".join(_forms(core))
    if head is None:
        yield Root(whole)
        if len(core) == 1 and _is_plural(core[0]):
            stem = _stem(whole.removesuffix("s"))
            yield Root(f"{stem} people")
            yield Root(f"{stem} in arms")
    elif head in _OF_A_GROUP | _ARMED and name[core[-1].end : core[-1].end + 1] not in ("'", "’"):
        if len(core) > 1 or core[0].surface.isupper() or head in _OF_NO_PERSON:
            yield Root(whole, acts=True)
        if len(core) == 1 and (stem := _stem(whole)) != whole:
            yield Root(f"{stem} in arms" if head in _ARMED else f"{stem} people", acts=True)


def _is_plural(word: Word) -> bool:
    return word.surface[0].isupper() and not word.surface.isupper() and word.form.endswith("s") and len(word.form) > 4


def _stem(form: str) -> str:
    """What an adjective and a people share: "houth" of "houthi", "kurd" of "kurdish"."""
    for ending in _ADJECTIVAL:
        if form.endswith(ending) and len(form) - len(ending) > 3:
            return form.removesuffix(ending)
    return form


@lru_cache(maxsize=4096)
def seats(name: str) -> tuple[str, ...]:
    """The seats of government of the state that a name means."""
    return tuple(seat for row in _rows_of(name) for seat in row["seats"])


@lru_cache(maxsize=4096)
def governments(name: str) -> tuple[str, ...]:
    """How else the government is called that a name means; "Sudan government" is "Sudan's government" too."""
    if not any(root.acts for root in find_roots(name)):
        return ()
    return tuple(_governments(_rows_of(name)))


@lru_cache(maxsize=4096)
def those_who_act_for(name: str) -> tuple[str, ...]:
    """How those are called who act for the state that a name means: "Russian officials", "the Russian side"."""
    return tuple(one for row in _rows_of(name) for one in _acting_for(row))


@lru_cache(maxsize=4096)
def other_governments(name: str) -> tuple[str, ...]:
    """How governments are called whose names hold one of those: "South Sudan government" for Sudan's."""
    own = _rows_of(name)
    called = {_forms(find_words(one)) for row in own for one in (*row["names"], *row["adjectives"])}
    others = [row for row in _rows() if row not in own and any(_hold(row, one) for one in called)]
    return tuple(dict.fromkeys((*_governments(others), *(one for row in others for one in _acting_for(row)))))


def _hold(row: _State, called: Forms) -> bool:
    longer = (_forms(find_words(one)) for one in (*row["names"], *row["adjectives"]))
    return any(one[: len(called)] == called or one[-len(called) :] == called for one in longer)


def _governments(rows: Iterable[_State]) -> Iterator[str]:
    for row in rows:
        for noun in ("government", "authorities"):
            yield from (f"{one} {noun}" for one in (*row["names"], *row["adjectives"]))
            yield from (f"{noun} of {one}" for one in row["names"])
        yield from (f"government in {one}" for one in row["names"])


def _acting_for(row: _State) -> Iterator[str]:
    return (f"{one} {noun}" for one in row["adjectives"] for noun in sorted(_OF_A_STATE))


def _rows_of(name: str) -> list[_State]:
    named = {root.name for root in find_roots(name) if root.is_state}
    return [row for row in _rows() if row["names"][0] in named]


@lru_cache(maxsize=4096)
def acts_for_state(name: str) -> bool:
    """Whether a name is that of those who act for a state: "the Chadian authorities"."""
    return any(root.is_state and root.acts for root in find_roots(name))


def find_state(name: str) -> Actor | None:
    """The state that a name means, or those who act for it: "Havana" and "Cuban officials" are Cuba."""
    rows = _rows_of(name)
    if len(rows) != 1:
        return None
    called, country = rows[0]["names"][0], rows[0]["country"]
    return Actor(called, id=called.lower().replace(" ", "-"), kind="state", country=country)


@cache
def all_states() -> tuple[tuple[Actor, tuple[str, ...]], ...]:
    """Every state by its names and seats, and what its government is called."""
    return tuple((_actor(row), tuple(_governments((row,)))) for row in _rows())


def _actor(row: _State) -> Actor:
    called, *others = row["names"]
    id = called.lower().replace(" ", "-")
    return Actor(called, tuple(others), tuple(row["seats"]), id, "state", row["country"])


def is_state(words: Sequence[Word]) -> bool:
    """Whether words are a state's name, adjective, people or seat."""
    return _forms(_proper(words)) in _states()


@lru_cache(maxsize=4096)
def is_seat(name: str) -> bool:
    """Whether a name is that of a seat of government, which is an actor only where it acts."""
    return _forms(_proper(find_words(name))) in _all_of("seats")


@lru_cache(maxsize=4096)
def is_adjective(name: str) -> bool:
    """Whether a name is a state's adjective and nothing else, which alone is no actor."""
    form = _forms(find_words(name))
    return form in _all_of("adjectives") - _all_of("names")


@lru_cache(maxsize=4096)
def is_people(name: str) -> bool:
    """Whether a name is that of a state's people, which some adjectives are too."""
    return _forms(find_words(name)) in _all_of("people")


def _proper(words: Sequence[Word]) -> Sequence[Word]:
    return words[1:] if words and words[0].form in ARTICLES else words


def _forms(words: Sequence[Word]) -> Forms:
    return tuple(word.form for word in words)


@cache
def _states() -> dict[Forms, str]:
    """States by the words of their names, adjectives, peoples and seats."""
    return {
        _forms(_proper(find_words(one))): row["names"][0]
        for row in _rows()
        for one in (*row["names"], *row["adjectives"], *row["people"], *row["seats"])
    }


@cache
def _all_of(key: Literal["names", "adjectives", "people", "seats"]) -> frozenset[Forms]:
    return frozenset(_forms(_proper(find_words(one))) for row in _rows() for one in row[key])


@cache
def _rows() -> list[_State]:
    rows: list[_State] = json.loads(_STATES.read_text(encoding="utf-8"))
    return rows
