"""Who "it" is: a pronoun that opens a sentence and can mean one actor only is another place to read that one's stance.

Names alone leave "The HNC represents the opposition in Geneva. It did not attend the congress" to what a model makes of
"HNC" in the first sentence.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from stance.schema import Mentioned, Span
from stance.text import overlaps

_PRONOUN = re.compile(r"(?:It|They|He|She)\b")
_OF_PERSONS, _OF_OTHERS = frozenset(("He", "She")), frozenset(("It",))
#: "It was not clear whether", "It has been reported that", "It seems that", "It remains to be seen": no actor at all.
_NOBODY = re.compile(
    r"It\s+(?:(?:seem|appear|follow|emerge|transpire)(?:s|ed)\s+that|remain(?:s|ed)\s+to\s+be\s+seen"
    r"|(?:is|was|remain(?:s|ed)|bec(?:omes|ame)|(?:ha[sd]\s+been)|(?:will|would|may|might)\s+be)\s+(?:\w+\s+){0,2}?(?:"
    r"(?:(?:un)?(?:clear|known|likely)|true|doubtful|evident|obvious|apparent|inevitable|understood|said|reported"
    r"|believed|hoped|expected|thought|noted|feared|rumoured|agreed|announced|estimated)"
    r"\s+(?:that|whether|if|how|when|where|who|which|what|why)"
    r"|(?:(?:im)?possible|important|vital|crucial|necessary|essential|difficult|hard|easy)\s+(?:that|for|to)))\b"
)


def add_pronouns(
    text: str, sentences: Sequence[Span], mentioned: Sequence[Mentioned], tagged: Sequence[Span]
) -> list[Mentioned]:
    """The actors with the pronouns that open a sentence and can mean none but them.

    A pronoun means the one actor that the sentence before names; of several the one whose kind it can have: "he" is a
    person, "it" is none. It means nobody where that sentence has a further name.

    Args:
        tagged: stretches that the model takes for actors' names.
    """
    starts = [sentence.start for sentence in sentences]
    numbers = {one.mentions: number for number, one in enumerate(mentioned)}  # one for actors that are one and the same
    named: dict[int, set[int]] = defaultdict(set)
    for mentions, number in numbers.items():
        for span in mentions:
            named[bisect_right(starts, span.start) - 1].add(number)
    claimed = sorted({span for mentions in numbers for span in mentions})
    others = {bisect_right(starts, span.start) - 1 for span in tagged if not overlaps(span, claimed)}
    pronouns: dict[int, list[Span]] = defaultdict(list)
    for before, sentence in enumerate(sentences[1:]):
        found = _PRONOUN.match(text, sentence.start, sentence.end)
        if found is None or before in others or _NOBODY.match(text, sentence.start, sentence.end):
            continue
        if overlaps(Span(*found.span()), claimed):  # "It Takes Two" is a name
            continue
        meant = [number for number in named[before] if _agrees(found.group(), mentioned[number].actor.kind)]
        if len(meant) == 1:
            pronouns[meant[0]].append(Span(*found.span()))
    return [replace(one, pronouns=tuple(pronouns.get(numbers[one.mentions], ()))) for one in mentioned]


def _agrees(pronoun: str, kind: str | None) -> bool:
    """Whether a pronoun can mean an actor of a kind, ``None`` where nobody knows it."""
    return kind is None or pronoun not in (_OF_OTHERS if kind == "person" else _OF_PERSONS)
