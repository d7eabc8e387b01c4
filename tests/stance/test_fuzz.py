"""Any text at all: answered with exact offsets, or refused in our own words; with the released bundle."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stance.bundle import Bundle, load_bundle
from stance.classify import classify_document
from stance.errors import DocumentError
from stance.schema import LABELS, Actor, Document, Process

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


@settings(max_examples=60, deadline=None)
@given(
    text=TEXTS,
    actors=st.none() | st.lists(NAMES.map(Actor), max_size=4).map(tuple),
    process=st.none() | NAMES.map(lambda name: Process("", name)),
)
def test_any_text_actors_and_process(
    bundle: Bundle, text: str, actors: tuple[Actor, ...] | None, process: Process | None
) -> None:
    try:
        result = classify_document(bundle, Document(text, process or bundle.process("sochi"), actors))
    except DocumentError as error:
        assert error.code in ("empty_text", "process_name_too_long")
        return
    assert actors is None or [one.actor.name for one in result.actors] == [one.name for one in actors]
    for one in result.actors:
        assert one.stance in LABELS
        assert sum(one.probabilities.values()) == pytest.approx(1, abs=1e-4)
        spans = [*one.mentions, *(evidence.span for evidence in one.evidence)]
        assert all(0 <= span.start < span.end <= len(text) for span in spans)
        assert list(one.mentions) == sorted(one.mentions)
