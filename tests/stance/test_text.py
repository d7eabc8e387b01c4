from __future__ import annotations

import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stance.text import MAX_SENTENCE, find_sentences, find_words, join_lines, normalise


def sentences(text: str) -> list[str]:
    return [text[span.start : span.end] for span in find_sentences(text)]


@pytest.mark.parametrize("blank", [" ", "\u2003"])
def test_a_sentence_longer_than_any_is_parted(blank: str) -> None:
    text = "He came. " + blank.join(["Word"] * 5000) + ". She left."
    first, *parts, last = sentences(text)
    assert (first, last) == ("He came.", "She left.")
    assert max(map(len, parts)) <= MAX_SENTENCE
    assert len(parts) <= 14
    assert sum(part.count("W") for part in parts) == 5000
    assert blank != " " or all(part.startswith("Word") for part in parts)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("He came. She left.", ["He came.", "She left."]),
        ("Gen. Ahmad al-Ali met Mr. Lavrov. They spoke.", ["Gen. Ahmad al-Ali met Mr. Lavrov.", "They spoke."]),
        ("The U.S. delegation stayed. It left.", ["The U.S. delegation stayed.", "It left."]),
        ('"Will you come?" he asked. No.', ['"Will you come?" he asked.', "No."]),
        ("He said: “We will not go.” Then he left.", ["He said: “We will not go.”", "Then he left."]),
        ("Headline without a stop\nThe lead follows.", ["Headline without a stop", "The lead follows."]),
        ("It cost 3.5 million. Good.", ["It cost 3.5 million.", "Good."]),
        ("   ", []),
    ],
)
def test_sentences(text: str, expected: list[str]) -> None:
    assert sentences(text) == expected


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_lines_that_were_broken_to_a_width_are_joined(end: str) -> None:
    told = (
        "The Delta Council said that it would stay away from the meeting in Arden. Its allies, among them Rivertown's "
    )
    told += "Foreign Ministry, were still waiting for an answer to the letter that they sent to the mediator on Monday."
    text = f"Delta stays away{end}{end}{end.join(textwrap.wrap(told, 60))}{end}{end}More on Tuesday"
    joined = join_lines(text)
    assert len(joined) == len(text)
    assert [" ".join(one.split()) for one in sentences(joined)] == [
        "Delta stays away",
        *sentences(told),
        "More on Tuesday",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "Delta stays away from talks\nthe council will not come, its head said on Monday, and nobody else will.",
        "Wanted:\na constitution\nTurkey\nRussia",
        "Signed by:\nFree Syrian Army\nahrar al-sham\njaysh al-islam\nall others",
        "One line, longer than those that are broken to a width.\n" * 3,
        "",
    ],
)
def test_other_lines_stay(text: str) -> None:
    assert join_lines(text) == text


@given(st.text(max_size=400))
def test_sentences_are_ordered_stripped_and_cover_every_character(text: str) -> None:
    spans = find_sentences(text)
    position = 0
    for span in spans:
        assert not text[position : span.start].strip()
        piece = text[span.start : span.end]
        assert piece
        assert piece == piece.strip()
        position = span.end
    assert not text[position:].strip()


def test_words_leave_the_possessive_out() -> None:
    assert [word.surface for word in find_words("Turkey's envoy and al-Aridi’s aide")] == [
        "Turkey",
        "envoy",
        "and",
        "al",
        "Aridi",
        "aide",
    ]


@given(st.text(max_size=200))
def test_word_offsets_are_exact(text: str) -> None:
    for word in find_words(text):
        assert text[word.start : word.end] == word.surface


def test_marks_that_combine_and_soft_hyphens_part_no_words() -> None:
    text = "E\u0301lyse\u0301e’s Erdog\u0306an\u2019s \u0301 Cavu\u00adsoglu said \u0301no. Go"
    words = find_words(text)
    assert [word.form for word in words] == ["elysee", "erdogan", "cavusoglu", "said", "no", "go"]
    assert all(text[word.start : word.end] == word.surface for word in words)


@pytest.mark.parametrize(("left", "right"), [("Erdoğan", "ERDOGAN"), ("Türkiye", "turkiye"), ("Ja'afari", "Jaʼafari")])
def test_spellings_of_one_name_are_equal(left: str, right: str) -> None:
    assert normalise(left) == normalise(right)
