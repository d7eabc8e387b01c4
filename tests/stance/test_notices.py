"""What an answer's reader is told of a text that is no plain English."""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from stance.notices import make_notices
from stance.schema import Document, Process

ROOT = Path(__file__).resolve().parents[2]
SOCHI = Process("Sochi process", ("Sochi",))
TEXT = "Iran will boycott the Sochi congress. Turkey will send a delegation."


def told(text: str) -> set[str]:
    codes = {notice.code for notice in make_notices(Document(text, SOCHI, ()), ())}
    return codes & {"looks_like_markup", "not_english"}


def foreign() -> Iterator[tuple[str, str]]:
    """Languages and sentences, five of each in Latin letters, which mostly name Sochi."""
    for line in (Path(__file__).parent / "foreign.txt").read_text(encoding="utf-8").splitlines():
        language, sentence = line.split("\t")
        yield language, sentence


@pytest.mark.parametrize(
    "text",
    [
        f"<article><p>{TEXT}</p><script>var Iran='will boycott Sochi';</script></article>",
        f"<p>{TEXT}</p><p>{TEXT}</p>",
        f'{TEXT}<br>\n{TEXT}<BR/><a href="https://example.org">{TEXT}',
        f'<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Strict//EN">\n{TEXT}',
        f'\n<?xml version="1.0"?><news>{TEXT}</news>',
        rf"{{\rtf1\ansi {TEXT}\par}}",
        f"&quot;{TEXT}&quot; he said&nbsp;on Monday",
        f"&lt;p&gt;{TEXT}&#8217;&lt;/p&gt;",
    ],
)
def test_source_of_a_page_is_told(text: str) -> None:
    assert told(text) == {"looks_like_markup"}


@pytest.mark.parametrize(
    "text",
    [
        TEXT,
        f"The site put the word <b>boycott</b> in bold. {TEXT}",
        f"They closed the <script> tag too late. {TEXT}",
        f"Let p <a and b> c, a <b and c> d, u <i and s> t, x < 3 and y > 4. {TEXT}",
        f"AT&T; R&D; Q&A. The headline read &quot;No&quot;. {TEXT}",
        f"{TEXT} <https://example.org/a> <user@example.org> <1> <2> <3>",
        f"# {TEXT}\n\n* one\n* two\n\n**{TEXT}**",
    ],
)
def test_a_tag_that_is_quoted_is_no_markup(text: str) -> None:
    assert told(text) == set()


def test_texts_in_other_languages_are_told() -> None:
    texts = defaultdict(list)
    for language, sentence in foreign():
        texts[language].append(sentence)
    missed = [sentence for sentences in texts.values() for sentence in sentences if told(sentence) != {"not_english"}]
    assert len(missed) <= 5, missed  # of 66, two of them of too few words
    paragraphs = {language: " ".join(sentences) for language, sentences in texts.items()}
    assert len(paragraphs) == 18
    assert [language for language, text in paragraphs.items() if told(text) != {"not_english"}] == []


@pytest.mark.parametrize(
    "text",
    [
        "Sochi",
        "Sergei Lavrov, Recep Tayyip Erdogan",
        "Сочи",
        f"{TEXT} “Мы не поедем в Сочи”, the envoy added.",
        "Kurdish council, three rebel alliances stay home as Sochi opens; Cairo group sends half a delegation; Iran, Turkey "
        "ministers land",
    ],
)
def test_a_few_names_or_words_are_no_other_language(text: str) -> None:
    assert told(text) == set()


@pytest.mark.slow
def test_no_text_of_the_data_is_told() -> None:
    paths = [*(ROOT / "data" / "corpus").glob("*.jsonl"), *(ROOT / "data" / "gold").glob("*.jsonl")]
    texts = {json.loads(line)["text"] for path in paths for line in path.read_text(encoding="utf-8").splitlines()}
    assert len(texts) > 13_000
    assert [text for text in texts if told(text)] == []


@pytest.mark.parametrize("piece", ["<p a", "= ", "<p = ", " ", "&a", "&#1", "<a href=", "</p", "слово"])
def test_looking_takes_time_in_line_with_the_length(piece: str) -> None:
    started = time.process_time()
    told(f"<p {piece * (49_000 // len(piece))}")
    assert time.process_time() - started < 2
