"""Any text at all: answered with offsets of whole words and sentences, or refused in our own words; with the released
bundle.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from unicodedata import normalize

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stance.actors import find_all, find_given
from stance.bundle import Bundle, load_bundle
from stance.classify import classify_document
from stance.errors import DocumentError
from stance.schema import LABELS, Actor, Document, Process, Span
from stance.text import find_sentences, find_words, join_lines, normalise

RELEASED = Path(__file__).resolve().parents[2] / "models" / "default"
#: What has broken readers of texts: surrogates, marks without width, of direction, that combine, that grow when folded.
PIECES = [
    *(
        "Turkey",
        "Ankara",
        "Higher Negotiations Committee (HNC)",
        "the HNC's",
        "Sergey Lavrov",
        "Sochi",
        "U.S.",
        "will not",
    ),
    *(
        "\ud800",
        "\udfff",
        "\ud83c\udde9",
        "\u202e",
        "\u202c",
        "\u2066",
        "\u2069",
        "\u200b",
        "\u200d",
        "\ufeff",
        "\x00",
        "\x1f",
    ),
    *(
        "e\u0301",
        "\u0345" * 9,
        "\u0130",
        "\u00df",
        "\ufb03",
        "\ufdfd",
        "\U0001f1f8\U0001f1fe",
        "\u2028",
        "\x85",
        "\r\n",
    ),
    *(" ", "\n\n", ". ", '."', "(", ")", "\u2018", "\u00ab", "?!", "..."),
]
ANY = st.characters(exclude_categories=())
TEXTS = st.lists(st.sampled_from(PIECES) | ANY, min_size=1, max_size=80).map("".join)
NAMES = st.lists(st.sampled_from(PIECES) | ANY, min_size=1, max_size=4).map("".join).filter(str.strip)


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return load_bundle(RELEASED, threads=1)


@pytest.mark.parametrize(
    "piece", ["\ufdfa", "\ufdfa ", "\u0130\ufb03", "\u3300", "\u00a8", "\u2026", "\u571f", " ", "a"]
)
def test_a_text_has_no_more_tokens_than_characters(bundle: Bundle, piece: str) -> None:
    text = "Turkey came. " + piece * 300 + " Russia too."
    encoding = bundle.engine._encoder.encode(text, bundle.process("sochi"))
    assert len(encoding.offsets) == sum(window.count for window in encoding.windows) <= len(text)
    assert len(np.unique(encoding.offsets[:, 1])) == len(encoding.offsets)
    first, last = encoding.token_range(Span(text.index("Russia"), text.index("Russia") + 6))
    assert text[encoding.offsets[first][0] : encoding.offsets[last - 1][1]] == "Russia"


@settings(max_examples=60, deadline=None)
@given(
    text=TEXTS,
    actors=st.none() | st.lists(NAMES.map(Actor), max_size=4).map(tuple),
    process=st.none() | NAMES.map(lambda name: Process(name)),
)
def test_any_text_actors_and_process(
    bundle: Bundle, text: str, actors: tuple[Actor, ...] | None, process: Process | None
) -> None:
    try:
        result = classify_document(bundle, Document(text, process or bundle.process("sochi"), actors))
    except DocumentError as error:
        assert error.code in ("empty_text", "process_name_too_long")
        return
    words, sentences = find_words(text), set(find_sentences(join_lines(text)))
    starts, ends = {word.start for word in words}, {word.end for word in words}
    assert actors is None or [one.actor.name for one in result.actors] == [one.name for one in actors]
    for one in result.actors:
        assert one.stance in LABELS
        assert sum(one.probabilities.values()) == pytest.approx(1, abs=1e-4)
        assert {span.start for span in one.mentions} <= starts
        assert all(span.end in ends or text[span.end - 1] == ")" for span in one.mentions)
        assert {evidence.span for evidence in one.evidence} <= sentences
        assert list(one.mentions) == sorted(one.mentions)


@given(
    name=st.sampled_from(["Erdoğan", "SDF", "ÖVP", "Ja'afari", "Łódź Party", "Foos", "the Çelik Group", "al-Ḥasan"]),
    respell=st.sampled_from([str.upper, str.lower, str.title, str.swapcase, normalise, partial(normalize, "NFD")]),
    before=st.sampled_from(["", "We know that ", "In Moscow, ", "THEY SAY "]),
)
def test_a_name_is_that_actor_s_however_another_spells_it(
    bundle: Bundle, name: str, respell: Callable[[str], str], before: str
) -> None:
    text = f"{before}{name} refused."
    asked = [Actor(name), Actor("Delta Group", (respell(name),))]
    own, other = find_given(text, asked, bundle.lexicon)
    assert [text[span.start : span.end] for span in own.mentions] == [name]
    assert not other.mentions


LATIN = st.sampled_from(["Erdoğan", "Çavuşoğlu", "Recep Tayyip Erdoğan", "Türkiye", "Ankara", ". ", " said ", "’s "])


@given(st.lists(LATIN | st.characters(max_codepoint=0x24F), max_size=40).map("".join))
def test_composed_and_decomposed_text_name_the_same(bundle: Bundle, text: str) -> None:
    composed, decomposed = normalize("NFC", text), normalize("NFD", text)
    assert named(bundle, composed) == named(bundle, decomposed)


def named(bundle: Bundle, text: str) -> dict[str, list[str]]:
    return {
        one.actor.name: [normalize("NFC", text[span.start : span.end]) for span in one.mentions]
        for one in find_all(text, bundle.lexicon, ())
    }
