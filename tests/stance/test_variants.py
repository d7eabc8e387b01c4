from __future__ import annotations

from itertools import pairwise

import pytest

from stance.text import find_words
from stance.variants import (
    all_states,
    find_roots,
    find_state,
    governments,
    is_adjective,
    is_people,
    is_seat,
    is_state,
    other_governments,
    seats,
    those_who_act_for,
)


@pytest.mark.parametrize(
    "names",
    [
        ("Sudan's government", "Khartoum", "the Sudanese authorities", "government of Sudan", "the Sudanese"),
        ("Ethiopia's federal government", "Addis Ababa", "the Ethiopian delegation"),
        ("Federal Government of Somalia", "Somalia's Transitional Federal Government", "Mogadishu"),
        ("Yemen's internationally recognised government", "Yemeni government", "Yemeni government delegation"),
        ("Royal Thai Government", "Bangkok"),
        ("Houthis", "the Houthi movement", "Houthi side"),
        ("the Kurds", "Kurdish officials"),
        ("Palestinians", "Palestinian leadership"),
        ("Taliban", "the Taliban delegation"),
        ("MUD", "the MUD alliance"),
        ("Bogotá", "Bogota", "the Colombian government"),
    ],
)
def test_names_of_one_actor_share_a_root(names: tuple[str, ...]) -> None:
    for one, other in pairwise(names):
        assert find_roots(one) & find_roots(other), (one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Sudan", "South Sudan"),
        ("Sudanese government", "Sudanese army"),
        ("Syrian government", "Syrian opposition"),
        ("Maduro", "the Maduro government"),
        ("Juan", "Juan's delegation"),
        ("Syrian Kurds", "Kurds"),
        ("Albanians", "Albania"),
        ("Sudan Liberation Movement", "Sudan Liberation Army"),
        ("Hamas", "Hama delegation"),
        ("Kurdish rebels", "Kurdish authorities"),
        ("Idlib", "Officials in Idlib"),
        ("the", "a"),
    ],
)
def test_names_of_two_actors_share_none(one: str, other: str) -> None:
    assert not find_roots(one) & find_roots(other)


def test_a_government_is_called_many_names() -> None:
    assert {"Chad government", "Chadian government", "government of Chad"} <= set(governments("Chadian government"))
    assert governments("Chad") == governments("Chadian opposition") == ()
    assert seats("the Azerbaijani government") == seats("Azerbaijan") == ("Baku",)
    assert seats("Houthis") == ()


def test_governments_whose_names_hold_anothers_are_told() -> None:
    assert "South Sudan government" in other_governments("Sudanese government")
    assert {"government of Guinea-Bissau", "Equatorial Guinea government"} <= set(
        other_governments("Guinean government")
    )
    assert other_governments("Nigerian government") == ()


def test_a_state_is_known_by_all_its_names_and_by_those_who_act_for_it() -> None:
    for name in ("Cuba", "Havana", "Cuban officials", "Cuba's government"):
        state = find_state(name)
        assert state is not None
        assert (state.name, state.id, state.kind, state.country) == ("Cuba", "cuba", "state", "CU")
    for name in ("Cuban opposition", "Havana Front", "officials"):
        assert find_state(name) is None
    assert {"Russian officials", "Russian side"} <= set(those_who_act_for("Russia"))
    assert those_who_act_for("Houthis") == ()


def test_the_states_of_the_world_are_known() -> None:
    countries = {state.country for state, _ in all_states() if state.country}
    assert len(countries) == 198  # the members and observers of the United Nations, and three more
    called = {name for _, governments in all_states() for name in governments}
    assert {"Cape Verdean government", "government of Vanuatu"} <= called


def test_words_of_states_are_known() -> None:
    assert is_seat("New Delhi")
    assert is_seat("The Hague")
    assert not is_seat("Sochi")
    assert is_adjective("Norwegian")
    assert not any(map(is_adjective, ("Norway", "Karabakh")))
    assert is_people("Swiss")
    assert not is_people("Norwegian")
    assert all(is_state(find_words(one)) for one in ("South Sudan", "the Sudanese", "Yemen", "The Hague"))
    assert not any(is_state(find_words(one)) for one in ("South", "Democratic", ""))
