"""What the reader of an answer ought to know: what a text is not, such as English, and whom it does not name."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import islice

from stance.names import GENERIC, NO_ACTORS
from stance.schema import MAX_MENTIONS, Document, Mentioned, Notice, Process
from stance.text import Word, find_words
from stance.variants import is_seat, is_state

_TAGS = (
    "a article aside b blockquote body br div em figcaption figure footer h[1-6] head header html i iframe img li link "
    "main meta nav ol p script section span strong style table tbody td th title tr u ul"
)
#: A tag of HTML; in "a <b and c> d" is none, for what follows a name is an attribute.
_TAG = re.compile(rf"</?(?:{_TAGS.replace(' ', '|')})(?:\s[^<>=]*+=[^<>]*+|\s*+/?)>", re.IGNORECASE)
_ENTITY = re.compile(r"&(?:[a-z]{2,8}[0-9]{0,2}|#[0-9]{2,6}|#x[0-9a-f]{2,5});", re.IGNORECASE)
_FIRST_SIGN = re.compile(r"\s*(?:\{\\rtf|<!doctype\s|<\?xml\s)", re.IGNORECASE)
#: So many tags, or entities, are no quotation any more.
_FEW = 3

#: Words that English texts have, and others hardly ever: "in", "a", "was" and "for" are other languages' words too.
_ENGLISH = frozenset(
    "about after against all also and another any are back because been before being between both could did does "
    "during each first friday from had half has have here him his how if into it its last might monday more most "
    "must my nor not of off only other our out people said saturday says she should some still such sunday than that "
    "the their them then there these they this those three through thursday to tuesday two until up upon wednesday "
    "week were what when where which while who whom whose why with within without would yet you your".split()
)
#: Below this share of such words a text is another language's; English headlines have 4 % and more.
_MIN_ENGLISH = 0.03
#: Fewer words, or letters of another script, tell too little.
_MIN_WORDS = 14
_LAST_LATIN = "\u02ff"


def make_notices(document: Document, mentioned: Sequence[Mentioned]) -> list[Notice]:
    """What to tell of a document's answer.

    Args:
        mentioned: the actors that were judged.
    """
    words = find_words(document.text)
    told = _text_notices(document.text, words)
    if not _names_process(document, words):
        told.append(_not_named(document.process))
    return [*told, *_actor_notices(document, mentioned), *_left_out(mentioned)]


def _text_notices(text: str, words: Sequence[Word]) -> list[Notice]:
    told = []
    if _is_markup(text):
        message = "the text looks like HTML or RTF, whose tags are read as words; send the article as plain text"
        told.append(Notice("looks_like_markup", message))
    if _is_foreign(text, words):
        message = "the text does not look like English, the one language that is read; send a translation"
        told.append(Notice("not_english", message))
    return told


def _is_markup(text: str) -> bool:
    """Whether a text begins as HTML, XML or RTF does, or has more tags or entities than a quotation would."""
    if _FIRST_SIGN.match(text):
        return True
    return any(len(list(islice(sign.finditer(text), _FEW))) == _FEW for sign in (_TAG, _ENTITY))


def _is_foreign(text: str, words: Sequence[Word]) -> bool:
    """Whether next to no word is an English one, or most letters are another script's, which may part no words."""
    letters = [char for char in text if char.isalpha()]
    others = sum(char > _LAST_LATIN for char in letters)
    if 2 * others > len(letters):
        return others >= _MIN_WORDS
    english = sum(word.surface.lower() in _ENGLISH for word in words)
    return len(words) >= _MIN_WORDS and english < _MIN_ENGLISH * len(words)


def _names_process(document: Document, found: Sequence[Word]) -> bool:
    """Whether a text has one of the process's names, or all words of one that no other has: "Sochi"."""
    telling = _telling_words(document.process)
    if not telling or document.process.is_named_in(document.text):
        return True
    words = {word.form for word in found}
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
