from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stance.schema import Span
from training.augment import (
    Passage,
    apply_edits,
    change_case,
    drop_sentences,
    find_strings,
    make_pool,
    misspell,
    swap_names,
)

TEXT = "Hassan Omari of the Delta Council (DC) will come. Omari said the DC, or the group, agreed."


def passage() -> Passage:
    return Passage(
        TEXT,
        (find_strings(TEXT, ["Hassan Omari"]), find_strings(TEXT, ["Delta Council", "DC", "the group"])),
        (find_strings(TEXT, ["will come"]), find_strings(TEXT, ["agreed"])),
    )


def strings(one: Passage, spans: tuple[Span, ...]) -> list[str]:
    return [one.text[span.start : span.end] for span in spans]


def test_names_are_replaced_by_names_of_their_kind_everywhere() -> None:
    pool = make_pool(["Rana Haddad", "Lake Bishops' Conference", "XYZ"])
    swapped = swap_names(passage(), pool, 1.0, random.Random(1))
    assert strings(swapped, swapped.mentions[0]) == ["Rana Haddad"]
    assert strings(swapped, swapped.mentions[1]) == ["Lake Bishops' Conference", "LBC", "LBC", "the group"]
    assert strings(swapped, swapped.evidence[0]) == ["will come"]
    assert strings(swapped, swapped.evidence[1]) == ["agreed"]
    assert "Delta" not in swapped.text


def test_rate_zero_changes_nothing() -> None:
    assert swap_names(passage(), make_pool(["Rana Haddad"]), 0.0, random.Random(1)) == passage()


def test_a_pool_sorts_by_kind() -> None:
    pool = make_pool(["Rana Haddad", "HNC", "Delta Council", "the group"])
    assert (pool.people, pool.acronyms, pool.others) == (("Rana Haddad",), ("HNC",), ("Delta Council",))


@given(st.data())
def test_spans_move_with_the_text(data: st.DataObject) -> None:
    words = data.draw(st.lists(st.text("abc", min_size=1, max_size=4), min_size=3, max_size=12))
    text = " ".join(words)
    starts = [sum(len(word) + 1 for word in words[:n]) for n in range(len(words))]
    spans = [Span(start, start + len(word)) for start, word in zip(starts, words, strict=True)]
    chosen = sorted(data.draw(st.sets(st.integers(0, len(words) - 1), max_size=4)))
    one = Passage(text, (tuple(spans),), ((Span(0, len(text)),),))
    edited = apply_edits(one, [(spans[n], f"<{n}>") for n in chosen])
    assert strings(edited, edited.mentions[0]) == [f"<{n}>" if n in chosen else word for n, word in enumerate(words)]
    assert strings(edited, edited.evidence[0]) == [edited.text]


@pytest.mark.parametrize(("needle", "expected"), [(["DC"], 2), (["nobody"], 0), (["."], 2)])
def test_every_place_is_found(needle: list[str], expected: int) -> None:
    assert len(find_strings(TEXT, needle)) == expected


REPORT = "Alpha came. Beta stayed away, Gamma said. Delta waits."


def test_sentences_go_with_the_mentions_and_evidence_in_them() -> None:
    names, acts = ("Alpha", "Beta", "Delta"), ("came", "stayed away", "waits")
    mentions, evidence = (
        tuple((Span(REPORT.index(words), REPORT.index(words) + len(words)),) for words in kind)
        for kind in (names, acts)
    )
    seen = set()
    for seed in range(40):
        left = drop_sentences(Passage(REPORT, mentions, evidence), 0.4, random.Random(seed))
        seen.add(left.text)
        for spans, words in zip((*left.mentions, *left.evidence), (*names, *acts), strict=True):
            assert [left.text[one.start : one.end] for one in spans] == [words] * (words in left.text)
    assert {"Alpha came. Delta waits.", REPORT, "Delta waits."} <= seen
    assert "" not in seen


def test_case_changes_and_every_span_stays() -> None:
    headed = f"Delta Council to come\n{TEXT} In \u0130zmir, stra\u00dfe."
    one = Passage(headed, (find_strings(headed, ["Delta Council"]),), ((),))
    seen = {change_case(one, random.Random(seed)).text for seed in range(60)}
    assert all(len(text) == len(headed) and text.casefold()[:21] == headed.casefold()[:21] for text in seen)
    assert f"delta council to come{headed[21:]}" in seen  # the headline alone
    assert any(
        "hassan omari" in text and text.endswith("in \u0130zmir, stra\u00dfe.") for text in seen
    )  # \u0130 would become two
    assert any("Will Come." in text for text in seen)


@pytest.mark.parametrize("seed", range(20))
def test_words_outside_names_are_misspelt(seed: int) -> None:
    careless = misspell(passage(), 1.0, random.Random(seed))
    assert strings(careless, careless.mentions[0]) == ["Hassan Omari"]
    assert strings(careless, careless.mentions[1]) == ["Delta Council", "DC", "DC", "the group"]
    assert "will come" not in careless.text
    assert "agreed" not in careless.text
    assert strings(careless, careless.evidence[1])[0][0] == "a"  # the first letter stays
    assert misspell(passage(), 0.0, random.Random(seed)) == passage()
