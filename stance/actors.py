"""Who is named in a text: the actors that were asked for, or all that a lexicon lists or a model tags."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial

from stance.deadline import Deadline
from stance.finder import Finder
from stance.names import ARTICLES, NameIndex, is_mere_place, make_index, split_bracketed
from stance.schema import Actor, Mentioned, Span
from stance.text import find_words, normalise, overlaps
from stance.variants import all_states, find_roots, find_state, is_state, other_governments, seats

#: What stands behind a state that only tells whose opponents somebody is: "Syria's main opposition bloc".
_OPPONENTS = re.compile(
    r"['’]s\s+(?:(?:main|largest|biggest|leading|political|armed|exiled|divided|Communist)\s+){0,2}"
    r"(?:opposition|rebels?|insurgents?|separatists|Party)\b(?!\s+(?:to|against|towards?)\b)",
    re.IGNORECASE,
)
#: Kinds of listed actors whose name may only tell a place or whose envoy somebody is.
_MAY_NOT_ACT = frozenset(("state", "body"))


class Lexicon:
    """The actors that a bundle knows by name."""

    def __init__(self, actors: Iterable[Actor]) -> None:
        self.actors = tuple(actors)
        self.index = make_index(self.actors)
        self.ids = frozenset(actor.id for actor in self.actors)
        self.known = (*self.actors, *(state for state, _ in all_states() if state.id not in self.ids))
        self.everyone = make_index(self.known)
        numbers = {actor.id: number for number, actor in enumerate(self.known)}
        for state, governments in all_states():
            for name in governments:
                if not self.everyone.owners(name):
                    self.everyone.add(name, numbers[state.id])

    def find(self, name: str) -> Actor | None:
        """The listed actor that goes by ``name``, if exactly one does; an article or an abbreviation more is no other
        name: "the HNC", "Higher Negotiations Committee (HNC)".
        """
        full, *_ = split_bracketed(name)
        words = find_words(full)
        for spelling in (full, full[words[1].start :] if words[1:] and words[0].form in ARTICLES else full):
            owners = self.index.owners(spelling)
            if len(owners) == 1:
                return self.actors[owners.pop()]
        return None

    def complete(self, requested: Actor) -> Actor:
        """The requested actor with the id, kind and country that its name has in the lexicon, or as a state's.

        Those who act for a state ("Malaysian officials") are actors of their own where they are asked for.
        """
        acts = any(root.acts for root in find_roots(requested.name))
        known = self.find(requested.name) or (None if acts else find_state(requested.name))
        return requested if known is None else replace(requested, id=known.id, kind=known.kind, country=known.country)


def find_given(
    text: str, actors: Sequence[Actor], lexicon: Lexicon, *, deadline: Deadline | None = None
) -> list[Mentioned]:
    """Mentions of just these actors, one entry for each, in the order given; none found leaves an empty tuple.

    The lexicon lends an actor the other names that it goes by, unless another of the actors has claimed them, and
    keeps names of others that contain an actor's name apart. Actors that are one and the same share their mentions; of
    others that claim one name it is that actor's whose first name it is, or else the first one's.
    An actor found nowhere is looked for in other words: "the government" for "Chadian government".

    Raises:
        DeadlineExceeded: if the deadline passed.
    """
    completed = [lexicon.complete(actor) for actor in actors]
    # Without them "the South Sudan government" would name Sudan's.
    rivals = [Actor(name) for actor in completed for name in other_governments(actor.name)]
    base = make_index(rivals, base=lexicon.index) if rivals else lexicon.index
    finder = Finder(text, completed, make_index(completed, base=base), [*rivals, *lexicon.actors], deadline=deadline)
    finder.learn_introduced()  # before the lexicon lends an actor what the text calls another
    for number, actor in enumerate(actors):
        known = lexicon.find(actor.name)
        for name in known.names if known else split_bracketed(actor.name):
            finder.learn(name, number)
        for place in known.places if known else seats(actor.name):
            finder.learn(place, number, is_place=True)
    found = finder.result(allow_bare_surnames=True)[: len(completed)]
    missing = [number for number, one in enumerate(found) if not one.mentions]
    if missing:
        finder.add_descriptions(missing)
        found = finder.result(allow_bare_surnames=True)[: len(completed)]
    shared: dict[str, set[Span]] = defaultdict(set)
    for one in found:
        shared[_identity(one.actor)].update(one.mentions)
    mentions = {identity: tuple(sorted(spans)) for identity, spans in shared.items()}
    return [Mentioned(one.actor, mentions[_identity(one.actor)]) for one in found]


def _without_opponents(text: str, one: Mentioned) -> Mentioned:
    """A state without the mentions that only tell whose opponents somebody is."""
    if one.actor.kind != "state":
        return one
    return replace(one, mentions=tuple(span for span in one.mentions if not _OPPONENTS.match(text, span.end)))


def _identity(actor: Actor) -> str:
    return actor.id or normalise(actor.name)


def find_all(
    text: str,
    lexicon: Lexicon,
    tagged: Sequence[Span],
    acts: Callable[[Span], bool] = lambda _: True,
    *,
    deadline: Deadline | None = None,
) -> list[Mentioned]:
    """Every actor that the text names, in order of first mention.

    Args:
        tagged: stretches that the model takes for an actor's name; those that no listed name
            covers become actors of their own, or further names of one.
        acts: whether the model takes a name that it did not tag for an actor's where it stands: "Syria" in "the war in
            Syria" is none. States and bodies none of whose mentions acts are left out.

    Raises:
        DeadlineExceeded: if the deadline passed.
    """
    finder = Finder(text, (), NameIndex(lexicon.everyone), lexicon.known, deadline=deadline)
    finder.add_tagged(tagged, acts)
    finder.add_common_nouns()
    marked = sorted(tagged)

    def names_place(span: Span) -> bool:
        return is_state(find_words(text[span.start : span.end])) and not overlaps(span, marked)

    kept = []
    for one in map(partial(_without_opponents, text), finder.result()):
        if one.actor.kind == "state" and one.actor.id not in lexicon.ids:
            spans = [span for span in one.mentions if not (names_place(span) and is_mere_place(text, span))]
            if any(acts(span) or not names_place(span) for span in spans):
                kept.append(replace(one, mentions=tuple(spans)))
        elif one.mentions and (one.actor.kind not in _MAY_NOT_ACT or any(map(acts, one.mentions))):
            kept.append(one)
    return sorted(kept, key=lambda one: one.mentions[0])
