from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from stance.encoding import Encoder, _readable
from stance.errors import DocumentError
from stance.schema import Process, Span

SOCHI = Process("Sochi process", key="sochi")


def sentencepiece() -> Tokenizer:
    """A small tokenizer whose tokens take the space before a word along."""
    words = "Turkey Russia Sochi Delegation number came come process said that it would".split()
    pieces = {"[CLS]": 0.0, "[SEP]": 0.0, "[UNK]": 0.0}
    pieces |= {f"\u2581{word}": -1.0 for word in words} | dict.fromkeys("\u2581.0123456789", -5.0)
    tokenizer = Tokenizer(models.Unigram(list(pieces.items()), unk_id=2))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 0), ("[SEP]", 1)]
    )
    return tokenizer


@pytest.fixture(scope="module", params=["wordpiece", "sentencepiece"])
def tokenizer(request: pytest.FixtureRequest, tiny_bundle: Path) -> Tokenizer:
    return sentencepiece() if request.param == "sentencepiece" else Tokenizer.from_file(f"{tiny_bundle}/tokenizer.json")


@pytest.fixture(scope="module")
def encoder(tokenizer: Tokenizer) -> Encoder:
    return Encoder(tokenizer, max_length=48, context=12)


@settings(max_examples=60, deadline=None)
@given(text=st.text(st.characters(codec="utf-8"), max_size=600))
def test_the_last_token_of_each_end_is_in_exactly_one_window(encoder: Encoder, tokenizer: Tokenizer, text: str) -> None:
    encoding = encoder.encode(text, SOCHI)
    assert sum(window.count for window in encoding.windows) == len(encoding.offsets)
    assert all(len(window.input_ids) <= 48 for window in encoding.windows)
    assert all(len(window.input_ids) == len(window.token_type_ids) for window in encoding.windows)
    own = [window.input_ids[window.first : window.first + window.count] for window in encoding.windows]
    alone = tokenizer.encode(text, add_special_tokens=False)
    last = {end: token for (_, end), token in zip(alone.offsets, alone.ids, strict=True)}
    assert np.concatenate(own).tolist() == list(last.values())


@settings(max_examples=60, deadline=None)
@given(text=st.text(st.sampled_from("Turkey came \n\t\u00a0\u2009."), max_size=80))
def test_offsets_are_in_order_and_begin_with_no_space(encoder: Encoder, text: str) -> None:
    offsets = encoder.encode(text, SOCHI).offsets
    assert offsets.shape[1:] == (2,)
    assert (np.diff(offsets, axis=0) >= 0).all()
    assert all(start <= end and not text[start:end][:1].isspace() for start, end in offsets.tolist())


def test_windows_break_between_sentences(encoder: Encoder) -> None:
    text = " ".join(f"Delegation number {n} said that it would come." for n in range(12))
    encoding = encoder.encode(text, SOCHI)
    assert len(encoding.windows) > 2
    starts = np.cumsum([0, *[window.count for window in encoding.windows]])[:-1]
    assert all(text[encoding.offsets[start][0] :].startswith("Delegation") for start in starts)


def test_later_windows_open_with_context(encoder: Encoder) -> None:
    encoding = encoder.encode("Turkey came. " * 40, SOCHI)
    heads = {window.first for window in encoding.windows[1:]}
    assert all(head > encoding.windows[0].first for head in heads)


def test_a_word_longer_than_a_window_is_not_lost(encoder: Encoder) -> None:
    encoding = encoder.encode("Turkey " + "x" * 5000 + " Russia", SOCHI)
    assert encoding.offsets[-1].tolist()[1] == 7 + 5000 + 1 + 6


def test_lone_surrogates_are_read_and_offsets_stay(encoder: Encoder) -> None:
    text = "\ud800 Turkey came"
    encoding = encoder.encode(text, SOCHI)
    first, last = encoding.token_range(Span(2, 8))
    assert text[encoding.offsets[first][0] : encoding.offsets[last - 1][1]] == "Turkey"


def test_a_process_name_may_not_fill_the_window(encoder: Encoder) -> None:
    with pytest.raises(DocumentError, match="at most 22 are allowed") as caught:
        encoder.encode("Turkey came.", Process("peace talks " * 30))
    assert caught.value.field == "process.name"
    long = "the peace talks that went on and on " * 8
    with pytest.raises(DocumentError, match="'the peace talks that went on a'") as caught:
        encoder.encode(f"They came to {long}.", Process("Delta talks", (long.strip(),)))
    assert caught.value.field == "process.aliases"


def test_a_process_goes_by_the_name_that_the_text_uses(encoder: Encoder) -> None:
    process = Process("Sochi process", ("Sochi congress", "Congress of National Dialogue"), key="sochi")
    text = "Turkey will come to the Congress of National Dialogue."
    named = encoder.encode(text, Process("Congress of National Dialogue"))
    assert np.array_equal(encoder.encode(text, process).windows[0].input_ids, named.windows[0].input_ids)
    assert process.name_in("Turkey will come.") == "Sochi process"


@pytest.mark.parametrize(
    ("text", "used"),
    [
        ("Ethiopia accepted this week.", "Nairobi talks"),
        ("The IS process, as it is called, began.", "IS"),
        ("They left the nairobi meeting.", "Nairobi meeting"),
        ("They left the Nairobi meetings.", "Nairobi talks"),
    ],
)
def test_a_process_s_names_are_whole_words(text: str, used: str) -> None:
    assert Process("Nairobi talks", ("IS", "Nairobi meeting")).name_in(text) == used


def test_a_headline_in_capitals_is_read_in_small_letters(encoder: Encoder) -> None:
    """Offsets stay those of the text; an abbreviation, and a line whose length would change, are read as they are."""
    loud = "TURKEY SAID THAT IT WOULD COME\nTurkey said that it would come."
    quiet = encoder.encode(loud.replace("TURKEY SAID THAT IT WOULD COME", "turkey said that it would come"), SOCHI)
    read = encoder.encode(loud, SOCHI)
    assert np.array_equal(read.windows[0].input_ids, quiet.windows[0].input_ids)
    assert np.array_equal(read.offsets, quiet.offsets)
    for kept in (
        "IT, UNSC, OSCE, SDF, HNC",
        "IT \u0645\u062c\u0644\u0633 \u0627\u0644\u0623\u0645\u0646",
        "\u0130STANBUL SAID THAT IT CAME",
    ):
        assert _readable(kept) == kept
