"""Actors as texts, for classifiers that see one actor at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from transformers import PreTrainedTokenizerFast

from stance.actors import Lexicon
from stance.schema import LABEL2ID, Span
from stance.text import find_sentences
from training.corpus import Located, ProcessNames, Record


@dataclass(frozen=True, slots=True)
class TextCase:
    """A clear actor: the question (actor and process), the window of the text around it, and the label's id."""

    question: str
    window: str
    label: int


class CaseMaker:
    """Cuts records into a text case for each clear actor.

    Args:
        width: tokens that question and window may take up together, special tokens not counted.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerFast, lexicon: Lexicon, names: ProcessNames, width: int) -> None:
        self._tokenizer = tokenizer
        self._lexicon = lexicon
        self._names = names
        self._width = width

    def __call__(self, located: Sequence[Located]) -> list[TextCase]:
        """The clear actors of the records, in order."""
        return [case for one in located for case in self._cases(one.record)]

    def _cases(self, record: Record) -> Iterator[TextCase]:
        sentences = find_sentences(record.text)
        pieces = [record.text[one.start : one.end] for one in sentences]
        process = self._names.resolve(record.process).name_in(record.text)
        sizes = self._sizes(pieces)
        for actor, found in record.mentioned(self._lexicon):
            if not actor.ambiguous:
                question = f"{actor.actor} / {process}"
                room = self._width - self._sizes([question])[0]
                kept = nearest_sentences(sentences, sizes, found.mentions, room)
                yield TextCase(question, " ".join(pieces[place] for place in kept), LABEL2ID[actor.label])

    def _sizes(self, pieces: Sequence[str]) -> list[int]:
        return [len(ids) for ids in self._tokenizer(list(pieces), add_special_tokens=False, verbose=False)["input_ids"]]


def nearest_sentences(
    sentences: Sequence[Span], sizes: Sequence[int], mentions: Sequence[Span], room: int
) -> list[int]:
    """The places of the sentences nearest to an actor's mentions, as many as fit, in the order of the text.

    Args:
        sizes: tokens of each sentence.
        mentions: of the actor; without any, the text's opening is taken.
        room: tokens; the nearest sentence is taken even where it is longer.
    """
    named = [
        place
        for place, sentence in enumerate(sentences)
        if any(sentence.start <= span.start < sentence.end for span in mentions)
    ] or [0]
    order = sorted(range(len(sentences)), key=lambda place: min(abs(place - other) for other in named))
    kept: list[int] = []
    for place in order:
        if kept and sum(sizes[one] for one in kept) + sizes[place] > room:
            break
        kept.append(place)
    return sorted(kept)
