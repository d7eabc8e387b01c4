"""What the reader of an answer ought to know: actors that a text does not name, or a process."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from stance.names import GENERIC, NO_ACTORS
from stance.schema import Document, Mentioned, Notice, Process, uses
from stance.text import Word, find_words
from stance.variants import is_seat, is_state


def make_notices(document: Document, mentioned: Sequence[Mentioned]) -> list[Notice]:
    """What to tell of a document's answer.

    Args:
        mentioned: the actors that were judged.
    """
    words = _telling_words(document.process)
    if not words or any(uses(document.text, word) for word in words):
        return _actor_notices(document, mentioned)
    told = f"the text has none of the words that name the process ({', '.join(words[:5])}); see that it is about it"
    return [Notice("process_not_named", told), *_actor_notices(document, mentioned)]


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
        )
        for one in mentioned
        if not one.mentions
    ]


@lru_cache(maxsize=256)
def _telling_words(process: Process) -> tuple[str, ...]:
    """The words of a process's names that no other has: "Sochi", but neither "Syrian" nor "talks"."""
    words = (word for name in (process.name, *process.aliases) for word in find_words(name))
    return tuple(dict.fromkeys(word.surface for word in words if _is_telling(word)))


def _is_telling(word: Word) -> bool:
    is_common = word.surface[0].islower() or word.form in GENERIC or word.form in NO_ACTORS
    return not is_common and (is_seat(word.surface) or not is_state((word,)))
