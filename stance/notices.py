"""What the reader of an answer ought to know: actors that a text does not name, or a process."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from stance.names import GENERIC, NO_ACTORS
from stance.schema import MAX_MENTIONS, Document, Mentioned, Notice, Process
from stance.text import Word, find_words
from stance.variants import is_seat, is_state


def make_notices(document: Document, mentioned: Sequence[Mentioned]) -> list[Notice]:
    """What to tell of a document's answer.

    Args:
        mentioned: the actors that were judged.
    """
    told = [*_actor_notices(document, mentioned), *_left_out(mentioned)]
    return told if _names_process(document) else [_not_named(document.process), *told]


def _names_process(document: Document) -> bool:
    """Whether a text has one of the process's names, or all words of one that no other has: "Sochi"."""
    telling = _telling_words(document.process)
    if not telling or document.process.is_named_in(document.text):
        return True
    words = {word.form for word in find_words(document.text)}
    return any(group <= words for group in telling)


def _not_named(process: Process) -> Notice:
    names = ", ".join(dict.fromkeys((process.name, *process.aliases[:3])))
    return Notice("process_not_named", f"the text has no name of the process ({names}...); see that it is about it")


def _left_out(mentioned: Sequence[Mentioned]) -> list[Notice]:
    total = sum(len(one.mentions) for one in mentioned)
    if total <= MAX_MENTIONS:
        return []
    told = (
        f"the text has {total:,} mentions of the actors; all were judged by, but the first {MAX_MENTIONS:,} are listed"
    )
    return [Notice("mentions_left_out", f"{told}, shared out evenly; ask for fewer actors, or send less text, at once")]


def _actor_notices(document: Document, mentioned: Sequence[Mentioned]) -> list[Notice]:
    if document.actors is None:
        return [] if mentioned else [Notice("no_actor_found", "no actor was found in the text; name them in 'actors'")]
    if not document.actors:
        return [Notice("no_actor_asked", "'actors' is an empty list; leave it out to have them found in the text")]
    return [
        Notice(
            "actor_not_found",
            f"the text does not name {one.actor.name!r}, or only by names that another actor has; add the names "
            "it goes by as 'aliases'",
            actor=one.actor.name,
        )
        for one in mentioned
        if not one.mentions
    ]


@lru_cache(maxsize=256)
def _telling_words(process: Process) -> frozenset[frozenset[str]]:
    """Of each of a process's names the words that tell it from others: "Sochi", but neither "Syrian" nor "talks"."""
    names = (process.name, *process.aliases)
    groups = (frozenset(word.form for word in find_words(name) if _is_telling(word)) for name in names)
    return frozenset(filter(None, groups))


def _is_telling(word: Word) -> bool:
    is_common = word.surface[0].islower() or word.form in GENERIC or word.form in NO_ACTORS
    is_short = len(word.form) < 3 or word.form.isdecimal()
    return not is_common and not is_short and (is_seat(word.surface) or not is_state((word,)))
