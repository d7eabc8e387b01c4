from __future__ import annotations

import time

import pytest

from stance.pronouns import add_pronouns
from stance.schema import Actor, Mentioned, Span
from stance.text import find_sentences

HNC, RUSSIA, LAVROV = Actor("HNC", kind="group"), Actor("Russia", kind="state"), Actor("Lavrov", kind="person")
SAQR = Actor("Saqr")  # nobody knows what it is


def place(text: str, name: str) -> Span:
    start = text.index(name)
    return Span(start, start + len(name))


def pronouns(text: str, *actors: Actor, tagged: tuple[str, ...] = ()) -> dict[str, list[str]]:
    mentioned = [Mentioned(one, (place(text, one.name),) if one.name in text else ()) for one in actors]
    found = add_pronouns(text, find_sentences(text), mentioned, [place(text, name) for name in tagged])
    assert [(one.actor, one.mentions) for one in found] == [(one.actor, one.mentions) for one in mentioned]
    return {one.actor.name: [text[span.start :].split()[0] for span in one.pronouns] for one in found}


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("HNC sits in Geneva. It stayed away.", ["It"]),
        ("HNC sits in Geneva.\n\nThey stayed away.", ["They"]),
        ("HNC sits in Geneva. It stayed away. It was not asked why.", ["It"]),  # a chain is not followed
        ("HNC sits in Geneva. Rain fell. It stayed away.", []),
        ("HNC sits in Geneva. Italy stayed away.", []),
        ("HNC sits in Geneva, and it stayed away.", []),
        ("It stayed away. HNC sits in Geneva.", []),
    ],
)
def test_a_pronoun_that_opens_a_sentence_means_the_actor_named_before(text: str, meant: list[str]) -> None:
    assert pronouns(text, HNC) == {"HNC": meant}


@pytest.mark.parametrize(
    ("sentence", "meant"),
    [
        ("It was not immediately clear whether anybody came.", []),
        ("It is understood that a date is set.", []),
        ("It has been reported that buses came.", []),
        ("It seems that nobody was asked.", []),
        ("It remains to be seen who comes.", []),
        ("It is hard to say who came.", []),
        ("It is expected to stay away.", ["It"]),
        ("It is likely to come.", ["It"]),
        ("It has agreed that a date is set.", ["It"]),
        ("It said that it was not clear whether anybody came.", ["It"]),
        ("It was not asked.", ["It"]),
    ],
)
def test_it_that_stands_for_a_clause_is_nobody(sentence: str, meant: list[str]) -> None:
    assert pronouns(f"HNC sits in Geneva. {sentence}", HNC) == {"HNC": meant}


def test_a_pronoun_that_can_mean_two_actors_means_neither() -> None:
    text = "HNC met Russia. It stayed away."
    assert pronouns(text, HNC, RUSSIA) == {"HNC": [], "Russia": []}
    assert pronouns(text, HNC, tagged=("Russia",)) == {"HNC": []}
    assert pronouns(text, HNC, tagged=("HNC",)) == {"HNC": ["It"]}


@pytest.mark.parametrize(
    ("pronoun", "meant"),
    [("He", "Lavrov"), ("She", "Lavrov"), ("It", "HNC"), ("They", None)],
)
def test_a_pronoun_means_an_actor_of_its_kind(pronoun: str, meant: str | None) -> None:
    found = pronouns(f"HNC met Lavrov. {pronoun} stayed away.", HNC, LAVROV)
    assert found == {name: [pronoun] if name == meant else [] for name in ("HNC", "Lavrov")}
    assert pronouns(f"Saqr met in Beirut. {pronoun} stayed away.", SAQR) == {"Saqr": [pronoun]}


def test_he_is_no_group_and_it_no_person() -> None:
    assert pronouns("HNC sits in Geneva. He stayed away.", HNC) == {"HNC": []}
    assert pronouns("Lavrov sits in Geneva. It rained.", LAVROV) == {"Lavrov": []}


def test_actors_that_are_one_and_the_same_share_their_pronouns() -> None:
    text = "HNC sits in Geneva. It stayed away."
    mentions = (place(text, "HNC"),)
    one, other = add_pronouns(text, find_sentences(text), [Mentioned(HNC, mentions), Mentioned(SAQR, mentions)], ())
    assert one.pronouns == other.pronouns == (place(text, "It"),)
    assert one.spans == (*mentions, *one.pronouns)


def test_a_name_that_begins_like_a_pronoun_is_none() -> None:
    assert pronouns("HNC sits in Geneva. They Stand stayed away.", HNC, Actor("They Stand"))["HNC"] == []


def test_actors_that_are_not_named_have_no_pronouns() -> None:
    assert pronouns("Rain fell. It stayed away.", HNC, RUSSIA) == {"HNC": [], "Russia": []}
    assert add_pronouns("", [], [], []) == []


def test_time_grows_with_the_text() -> None:
    def seconds(count: int) -> float:
        text = "HNC met. It left. " * count
        mentions = tuple(Span(start, start + 3) for start in range(0, len(text), 18))
        sentences = find_sentences(text)
        start = time.process_time()
        found = add_pronouns(text, sentences, [Mentioned(HNC, mentions)], mentions)
        assert len(found[0].pronouns) == count
        return time.process_time() - start

    assert min(seconds(2_000) for _ in range(3)) < 8 * max(min(seconds(500) for _ in range(3)), 0.001)
