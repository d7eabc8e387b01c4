from __future__ import annotations

from itertools import pairwise

import pytest

from stance.variants import find_roots, governments, is_adjective, is_of_state, is_seat, seats


@pytest.mark.parametrize(
    "names",
    [
        ("Sudan's government", "Khartoum", "the Sudanese authorities", "government of Sudan", "the Sudanese"),
        ("Ethiopia's federal government", "Addis Ababa", "the Ethiopian delegation"),
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
        ("the", "a"),
    ],
)
def test_names_of_two_actors_share_none(one: str, other: str) -> None:
    assert not find_roots(one) & find_roots(other)


def test_a_government_is_called_many_names() -> None:
    assert {"Chad government", "Chadian government", "government of Chad", "government in Ndjamena"} <= set(
        governments("Chadian government")
    )
    assert governments("Chad") == governments("Chadian opposition") == ()
    assert seats("the Azerbaijani government") == seats("Azerbaijan") == ("Baku",)
    assert seats("Houthis") == ()


def test_words_of_states_are_known() -> None:
    assert is_seat("New Delhi")
    assert not is_seat("Sochi")
    assert is_adjective("Norwegian")
    assert not is_adjective("Norway")
    assert all(map(is_of_state, ("South", "Sudanese", "Yemen")))
    assert not is_of_state("Opposition")
