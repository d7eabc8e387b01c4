from __future__ import annotations

import json
from pathlib import Path

import pytest

from stance.actors import Lexicon, find_all, find_given
from stance.bundle import parse_actors
from stance.names import surname
from stance.schema import Actor, Span

DATA = Path(__file__).resolve().parents[2] / "data"


@pytest.fixture(scope="module")
def lexicon() -> Lexicon:
    return Lexicon(parse_actors(json.loads((DATA / "actors.json").read_text(encoding="utf-8"))))


def found(text: str, lexicon: Lexicon, *tagged: str) -> dict[str, list[str]]:
    spans = [Span(text.index(one), text.index(one) + len(one)) for one in tagged]
    return {
        one.actor.name: [text[span.start : span.end] for span in one.mentions] for one in find_all(text, lexicon, spans)
    }


def given(text: str, lexicon: Lexicon, *actors: Actor) -> list[list[str]]:
    return [[text[s.start : s.end] for s in one.mentions] for one in find_given(text, actors, lexicon)]


def test_the_lexicon_holds_the_cast(lexicon: Lexicon) -> None:
    assert len(lexicon.actors) >= 120
    names = [actor.id for actor in lexicon.actors]
    assert len(set(names)) == len(names)
    assert {actor.kind for actor in lexicon.actors} <= {"state", "body", "ministry", "party", "group", "person"}


def test_no_two_actors_share_a_name(lexicon: Lexicon) -> None:
    for actor in lexicon.actors:
        for name in actor.names:
            assert lexicon.find(name) is actor, name


def test_one_actor_under_several_names_is_one(lexicon: Lexicon) -> None:
    text = "The High Negotiations Committee met. The HNC, or Syrian Negotiation Commission, voted."
    assert list(found(text, lexicon)) == ["Higher Negotiations Committee"]


@pytest.mark.parametrize("name", ["Jaysh al-Islam", "Jaish al-Islam", "JAYSH AL-ISLAM", "Jaish al Islam"])
def test_transliterations_are_one_actor(lexicon: Lexicon, name: str) -> None:
    assert list(found(f"{name} said no.", lexicon)) == ["Jaysh al-Islam"]


def test_the_longest_name_wins(lexicon: Lexicon) -> None:
    assert list(found("The Syrian Democratic Council left Syrian Democratic Forces out.", lexicon)) == [
        "Syrian Democratic Council",
        "Syrian Democratic Forces",
    ]


def test_a_capital_is_the_government_only_where_it_acts(lexicon: Lexicon) -> None:
    text = "MOSCOW (AP) - At talks in Moscow, Ankara and Moscow disagreed."
    assert found(text, lexicon) == {"Turkey": ["Ankara"], "Russia": ["Moscow"]}


def test_an_abbreviation_needs_its_capitals(lexicon: Lexicon) -> None:
    assert "United States" not in found("They told us who is who.", lexicon)
    assert found("The US left.", lexicon) == {"United States": ["US"]}


def test_lower_case_texts_are_read_too(lexicon: Lexicon) -> None:
    assert list(found("turkey and russia will come", lexicon)) == ["Turkey", "Russia"]


def test_an_abbreviation_that_the_text_introduces(lexicon: Lexicon) -> None:
    text = "The Syrian Jasmine Party (SJP) will come. The SJP named two delegates."
    assert found(text, lexicon, "Syrian Jasmine Party") == {
        "Syrian Jasmine Party": ["Syrian Jasmine Party", "SJP", "SJP"]
    }


def test_a_surname_after_a_full_name(lexicon: Lexicon) -> None:
    text = "Hassan al-Omari came. Omari spoke, and al-Omari left."
    assert found(text, lexicon, "Hassan al-Omari") == {"Hassan al-Omari": ["Hassan al-Omari", "Omari", "Omari"]}


def test_names_that_nobody_listed_come_from_the_tags(lexicon: Lexicon) -> None:
    text = "The Lake Bishops' Conference welcomed it. Turkey did not."
    assert list(found(text, lexicon, "Lake Bishops' Conference", "Turkey")) == ["Lake Bishops' Conference", "Turkey"]


def test_tags_that_are_no_names_are_left_out(lexicon: Lexicon) -> None:
    assert found("the group and Council said no", lexicon, "the group", "Council") == {}


def test_given_actors_come_back_in_order_even_when_absent(lexicon: Lexicon) -> None:
    assert given("Ankara will come.", lexicon, Actor("Delta Council"), Actor("Turkey")) == [[], ["Ankara"]]


def test_the_lexicon_lends_no_name_that_another_given_actor_claims(lexicon: Lexicon) -> None:
    actors = (Actor("Turkey"), Actor("Turkish delegation", ("Ankara",)))
    assert given("Turkey spoke. Ankara did not.", lexicon, *actors) == [["Turkey"], ["Ankara"]]


def test_two_people_of_one_surname_are_kept_apart(lexicon: Lexicon) -> None:
    text = "Ahmad Haddad and Rana Haddad came. Haddad spoke."
    assert given(text, lexicon, Actor("Ahmad Haddad"), Actor("Rana Haddad")) == [["Ahmad Haddad"], ["Rana Haddad"]]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Yahya al-Aridi", "Aridi"),
        ("Staffan de Mistura", "Mistura"),
        ("Delta Council", None),
        ("South Sudan", None),
        ("Jaysh al-Nasr", None),
        ("HNC", None),
        ("Lavrov", None),
    ],
)
def test_surname(name: str, expected: str | None) -> None:
    assert surname(name, None) == expected
