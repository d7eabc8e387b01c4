from __future__ import annotations

import json
import time
import unicodedata
from itertools import product
from pathlib import Path

import pytest

from stance.actors import Lexicon, find_all, find_given
from stance.bundle import parse_actors
from stance.deadline import Deadline
from stance.errors import DeadlineExceeded
from stance.names import surname
from stance.schema import Actor, Span
from stance.tagged import Tagged
from stance.text import find_words
from stance.variants import find_roots, find_state, is_adjective

HNC = "higher-negotiations-committee"
DATA = Path(__file__).resolve().parents[2] / "data"


@pytest.fixture(scope="module")
def lexicon() -> Lexicon:
    return Lexicon(parse_actors(json.loads((DATA / "actors.json").read_text(encoding="utf-8"))))


def found(text: str, lexicon: Lexicon, *tagged: str) -> dict[str, list[str]]:
    spans: list[Span] = []
    for one in tagged:  # in the order of the text, as a model tags them
        start = text.index(one, spans[-1].end if spans else 0)
        spans.append(Span(start, start + len(one)))
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


def test_a_place_is_told_within_its_sentence(lexicon: Lexicon) -> None:
    assert found("The rebels left. Ankara agreed.", lexicon) == {"Turkey": ["Ankara"]}


def test_a_capital_is_the_government_only_where_it_acts(lexicon: Lexicon) -> None:
    text = "MOSCOW (AP) - At talks in Moscow, Ankara and Moscow disagreed."
    assert found(text, lexicon) == {"Turkey": ["Ankara"], "Russia": ["Moscow"]}


def test_a_capital_is_the_government_whose_view_is_told(lexicon: Lexicon) -> None:
    assert found("In Moscow's view they need Ankara.", lexicon) == {"Turkey": ["Ankara"], "Russia": ["Moscow"]}
    for place in ("Metropol Hotel", "suburbs", "city hall", "cold winter"):
        assert found(f"They met in Moscow's {place}.", lexicon) == {}


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


def test_a_state_by_another_name_is_the_listed_actor_or_has_an_id_of_its_own(lexicon: Lexicon) -> None:
    assert found("Turkish officials will come.", lexicon, "Turkish officials") == {"Turkey": ["Turkish officials"]}
    assert found("The Karabakh agreed.", lexicon, "Karabakh") == {"Nagorno-Karabakh": ["Karabakh"]}
    assert found("The Swiss agreed.", lexicon, "Swiss") == {"Switzerland": ["Swiss"]}
    assert list(found("Syrian officials will come.", lexicon, "Syrian officials")) == ["Syrian government"]
    text = "Bogota will come. Colombia's government said so, and the Colombian opposition did not."
    tagged = [Span(text.index(one), text.index(one) + len(one)) for one in ("Bogota", "Colombia's government")]
    (one,) = find_all(text, lexicon, tagged)
    assert (one.actor.name, one.actor.id, one.actor.country, len(one.mentions)) == ("Colombia", "colombia", "CO", 2)
    (asked, capital) = find_given("Cuba came. Havana left.", (Actor("Cuba"), Actor("Havana")), lexicon)
    assert (
        (asked.actor.id, asked.mentions) == (capital.actor.id, capital.mentions) == ("cuba", (Span(0, 4), Span(11, 17)))
    )


def test_listed_states_have_the_id_and_the_country_that_states_have(lexicon: Lexicon) -> None:
    states = [actor for actor in lexicon.actors if actor.kind == "state"]
    assert len(states) > 20
    for actor in states:
        state = find_state(actor.name)
        assert state is not None
        assert (state.id, state.country) == (actor.id, actor.country)


def test_an_asked_state_is_found_in_those_who_act_for_it(lexicon: Lexicon) -> None:
    text = "The Russian side was content. South Sudanese officials were not."
    assert given(text, lexicon, Actor("Russia"), Actor("Sudan")) == [["Russian side"], []]
    assert given(text, lexicon, Actor("Russia"), Actor("Russian side")) == [[], ["Russian side"]]
    assert given("Russia came; Russian officials talked.", lexicon, Actor("Russia")) == [["Russia"]]


def test_tags_that_are_no_names_are_left_out(lexicon: Lexicon) -> None:
    assert found("the group and Council said no", lexicon, "the group", "Council") == {}


@pytest.mark.parametrize(
    ("text", "tagged", "names"),
    [
        ("Khartoum agreed. Sudan's government said so.", ["Sudan's government"], ["Sudan"]),
        ("Baku agreed. The Azerbaijani side said so.", ["Baku", "Azerbaijani side"], ["Azerbaijan"]),
        ("The Houthi movement agreed. The Houthis came.", ["Houthi movement", "Houthis"], ["Houthi movement"]),
        ("Russia agreed and the Russians came.", ["Russians"], ["Russia"]),
        ("The Zapatista army (EZLN) came. The EZLN spoke.", ["Zapatista army", "EZLN"], ["Zapatista army"]),
        ("The Forces for Firm Change, or FF-C, came.", ["Forces for Firm Change", "FF-C"], ["Forces for Firm Change"]),
        ("Anna Brandt came. Ms Brandt and Anna agreed.", ["Anna Brandt", "Ms Brandt", "Anna"], ["Anna Brandt"]),
        ("General Anna Brandt came. Anna Brandt left.", ["General Anna Brandt", "Anna Brandt"], ["Anna Brandt"]),
        ("Ana Rios-Vega came. Rios-Vega left.", ["Ana Rios-Vega", "Rios-Vega"], ["Ana Rios-Vega"]),
        ("Park Sang-cheol came. Park left.", ["Park Sang-cheol", "Park"], ["Park Sang-cheol"]),
        ("Ana Luz Pena Rios came. Pena left.", ["Ana Luz Pena Rios", "Pena"], ["Ana Luz Pena Rios"]),
        ("Ana dela Cruz Rey came. Dela Cruz left.", ["Ana dela Cruz Rey", "Dela Cruz"], ["Ana dela Cruz Rey"]),
        ("Adam Wahid left. Adam Wahid al-Nur said so.", ["Adam Wahid", "Adam Wahid al-Nur"], ["Adam Wahid al-Nur"]),
        (
            "Raja Debash Tripura Roy came. Raja Roy left.",
            ["Raja Debash Tripura Roy", "Raja Roy"],
            ["Raja Debash Tripura Roy"],
        ),
        (
            "Saleh bin Farid al-Omari came. Sheikh bin Farid left.",
            ["Saleh bin Farid al-Omari", "Sheikh bin Farid"],
            ["Saleh bin Farid al-Omari"],
        ),
        ("Adam Deng, better known as Commander Owl, came.", ["Adam Deng", "Owl"], ["Adam Deng"]),
        (
            "The Harbour Resistance (Rezist) came. Rezist spoke.",
            ["Harbour Resistance", "Rezist", "Rezist"],
            ["Harbour Resistance"],
        ),
        (
            "The National Front for Harbour Unity came, FNUH men said.",
            ["National Front for Harbour Unity", "FNUH"],
            ["National Front for Harbour Unity"],
        ),
        (
            "The Juan Marti National Liberation Front came. JMLN men left.",
            ["Juan Marti National Liberation Front", "JMLN"],
            ["Juan Marti National Liberation Front"],
        ),
        (
            "The Syrian Kurdish Democratic Union Party left.",
            ["Syrian Kurdish Democratic Union Party"],
            ["Democratic Union Party"],
        ),
        (
            "The Kurdish National Council in Syria left.",
            ["Kurdish National Council in Syria"],
            ["Kurdish National Council"],
        ),
    ],
)
def test_one_actor_under_several_unlisted_names_is_one(
    lexicon: Lexicon, text: str, tagged: list[str], names: list[str]
) -> None:
    one = list(found(text, lexicon, *tagged))
    assert [name for name in one if name != "Syria"] == names


@pytest.mark.parametrize(
    ("text", "tagged"),
    [
        ("Anna Brandt (CDU) came. The CDU spoke.", ["Anna Brandt", "CDU"]),
        ("Guinea-Bissau agreed. Guinea refused.", ["Guinea-Bissau", "Guinea"]),
        ("Peru Libre left. Peru came.", ["Peru Libre", "Peru"]),
        ("Malian rebels left. The Malian militia came.", ["Malian rebels", "Malian militia"]),
        ("Hamas left. The Hama delegation came.", ["Hamas", "Hama delegation"]),
        ("The Taliban agreed. The Pakistani Taliban refused.", ["Taliban", "Pakistani Taliban"]),
        ("Greek Cypriots refused. The Cypriots left.", ["Greek Cypriots", "Cypriots"]),
        ("The Malians left. The government agreed.", ["Malians"]),
        ("Hezbollah left. Turkish Hezbollah came.", ["Hezbollah", "Turkish Hezbollah"]),
        ("The Syrian government left. The government of Jordan came.", []),
        ("The Sudanese army agreed. Sudan's government came.", ["Sudanese army", "Sudan's government"]),
        ("Juan spoke. Juan's delegation came.", ["Juan", "Juan's delegation"]),
        ("The Verdes of Anna Brandt came.", ["Verdes of", "Anna Brandt"]),
        ("For Turkey Anna Brandt came.", ["Turkey", "Anna Brandt"]),
        ("The Chad-Peru talks went on.", ["Chad", "Peru"]),
        ("They met Kim. Adam Deng left.", ["Kim", "Adam Deng"]),
        ("The rebels of Chad (FACT) left. Chad agreed.", ["Chad", "FACT"]),
        ("A group in Chad, known as Ganda Koy, left. Chad agreed.", ["Chad", "Ganda Koy"]),
        ("The Lake People's Peace Movement-North left. The LPPM came.", ["Lake People's Peace Movement-North", "LPPM"]),
    ],
)
def test_two_actors_stay_two(lexicon: Lexicon, text: str, tagged: list[str]) -> None:
    assert len(found(text, lexicon, *tagged)) == 2


@pytest.mark.parametrize(
    ("name", "tagged"),
    [
        ('Jimmy "Barber" Cherry', ["Jimmy", "ber", "Cherry"]),
        ("Volkspartij Vooruit", ["Volks", "Vooruit"]),
        ("Harbour Army-Abdul Wahid", ["Harbour Army", "Abdul Wahid"]),
        ("Harbour Movement-in-Opposition", ["Harbour Movement"]),
        ("Ma. Teresa Lim", ["Ma", "Teresa Lim"]),
        ("Institute for the Study of Peace", ["Institute for the Study of", "Peace"]),
        ("South African Harbour Party", ["Harbour Party"]),
    ],
)
def test_parts_of_a_name_that_the_model_tagged_are_one(lexicon: Lexicon, name: str, tagged: list[str]) -> None:
    assert found(f"They said that the {name} came.", lexicon, *tagged) == {name: [name]}


def test_bodies_are_found_that_the_model_did_not_tag(lexicon: Lexicon) -> None:
    text = "The Peace Monitoring Group agreed. The Front spoke at the National Assembly; the Army of Hope did not."
    assert found(text, lexicon) == {"Peace Monitoring Group": ["Peace Monitoring Group"]}
    assert find_all(text, lexicon, [], lambda _: False) == []  # where the model takes it for nobody's name


def test_a_body_is_called_by_its_noun_where_it_alone_has_it(lexicon: Lexicon) -> None:
    text = "The Harbour Front came, and the Front spoke. The Lake Council and the Hill Council left, the Council said."
    read = found(text, lexicon, "Harbour Front", "Lake Council", "Hill Council")
    assert read == {
        "Harbour Front": ["Harbour Front", "Front"],
        "Lake Council": ["Lake Council"],
        "Hill Council": ["Hill Council"],
    }


def test_a_people_is_an_actor_behind_its_article(lexicon: Lexicon) -> None:
    assert found("They met the Swiss of Bern.", lexicon, "Swiss of") == {"Switzerland": ["Swiss"]}


def test_a_forename_that_two_share_is_neither_of_them(lexicon: Lexicon) -> None:
    text = "Anna Brandt came. Anna spoke. Anna Meyer left. Anna laughed."
    assert found(text, lexicon, "Anna Brandt", "Anna", "Anna Meyer", "Anna") == {
        "Anna Brandt": ["Anna Brandt"],
        "Anna": ["Anna", "Anna"],
        "Anna Meyer": ["Anna Meyer"],
    }


@pytest.mark.parametrize("name", ["DR Congo", "Our Ukraine", "Al-Qaeda in Iraq"])
def test_names_that_look_like_something_else_are_whole(lexicon: Lexicon, name: str) -> None:
    assert found(f"The {name} agreed.", lexicon, name) == {name: [name]}


def test_roles_and_adjectives_alone_are_no_actors(lexicon: Lexicon) -> None:
    assert not found("His government and a Norwegian minister came.", lexicon, "His government", "Norwegian")


def test_a_state_where_it_is_only_a_place_is_left_out(lexicon: Lexicon) -> None:
    text = "The war in Iraq went on, and Turkey agreed. Turkey said so."
    places = {text.index("Iraq")}
    kept = find_all(text, lexicon, (), lambda span: span.start not in places)
    assert [one.actor.name for one in kept] == ["Turkey"]
    assert len(find_all(text, lexicon, ())) == 2


def test_states_are_found_that_neither_the_lexicon_lists_nor_the_model_tags(lexicon: Lexicon) -> None:
    text = "Chad agreed, as did Port Moresby and the government of Kenya. Peru's envoy came on a visit to Haiti."
    assert found(text, lexicon) == {
        "Chad": ["Chad"],
        "Papua New Guinea": ["Port Moresby"],
        "Kenya": ["government of Kenya"],
    }
    kept = find_all("Chad agreed, Peru did not.", lexicon, (), lambda span: span.start == 0)
    assert [(one.actor.id, one.actor.kind, one.actor.country) for one in kept] == [("chad", "state", "TD")]


def test_a_common_word_is_no_seat_of_a_state(lexicon: Lexicon) -> None:
    assert found("Male voters agreed.", lexicon) == {}


def test_two_towns_of_a_dateline_are_places(lexicon: Lexicon) -> None:
    assert found("CARACAS/MEXICO CITY - Bogota agreed.", lexicon) == {"Colombia": ["Bogota"]}


def test_an_abbreviation_that_the_text_introduces_is_whose_name_it_shortens(lexicon: Lexicon) -> None:
    text = "The Harbour National Council (HNC) met on Monday. The HNC will not come, nor will the SDF."
    read = found(text, lexicon, "Harbour National Council")
    assert read.pop("Harbour National Council") == ["Harbour National Council", "HNC", "HNC"]
    assert read == {"Syrian Democratic Forces": ["SDF"]}
    asked = given(text, lexicon, Actor("Higher Negotiations Committee", ("HNC",)))
    assert asked == [["HNC", "HNC"]]
    both = given(text, lexicon, Actor("High Negotiations Committee"), Actor("Harbour National Council"))
    assert both == [[], ["Harbour National Council", "HNC", "HNC"]]


@pytest.mark.parametrize(
    ("text", "mentions"),
    [
        ("Syria's main opposition bloc will not come.", []),
        ("SYRIA\u2019S OPPOSITION WILL NOT COME", []),
        ("Syria's rebels will not come, but Syria will.", [34]),
        ("Syria's government will come.", [0]),
        ("Syria's talks with the opposition go on.", [0]),
        ("Syria's opposition to the talks is known.", [0]),
    ],
)
def test_a_state_is_not_its_opponents(lexicon: Lexicon, text: str, mentions: list[int]) -> None:
    read = {one.actor.id: [span.start for span in one.mentions] for one in find_all(text, lexicon, ())}
    assert read.get("syria", read.get("syrian-government", [])) == mentions


def test_common_nouns_are_actors_or_mean_the_one_that_is_named(lexicon: Lexicon) -> None:
    assert found("The government agreed, the opposition left.", lexicon) == {
        "the government": ["government"],
        "the opposition": ["opposition"],
    }
    text = "The Syrian government agreed. The government said so, and the government forces left."
    assert found(text, lexicon) == {"Syrian government": ["Syrian government", "government"]}
    unlisted = "Chad's government came. The government agreed."
    assert found(unlisted, lexicon, "Chad's government") == {"Chad": ["Chad's government", "government"]}
    listed = "Moscow came. The Russian government agreed, the government said."
    assert found(listed, lexicon, "Russian government") == {"Russia": ["Moscow", "Russian government", "government"]}
    bystander = "Chad came. Washington agreed. The government did not."
    assert found(bystander, lexicon)["the government"] == ["government"]
    longer = "Chad's government came. The federal government agreed, the government of President Deby said."
    assert found(longer, lexicon) == {"Chad": ["Chad's government", "federal government", "government"]}
    two = "The Malian government and the Chadian government came. The government agreed."
    assert len(found(two, lexicon, "Malian government", "Chadian government")) == 2


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("Azerbaijan", "Baku agreed.", ["Baku"]),
        ("Colombian government", "Colombia's government agreed.", ["Colombia's government"]),
        ("Chadian government", "The government of Chad agreed.", ["government of Chad"]),
        ("Sri Lankan Government", "The government agreed.", ["government"]),
        ("Government of Chad", "The government agreed.", ["government"]),
        ("Serbian delegation", "The government agreed.", []),
        ("Serbian delegation", "The delegation agreed.", ["delegation"]),
        ("US government", "The U.S. government agreed.", ["U.S. government"]),
        ("Yemeni government", "The Houthi authorities in Yemen refused.", []),
        ("Sudanese government", "The South Sudanese government agreed.", []),
        ("Sudanese army", "The army agreed.", ["army"]),
        ("Sudanese foreign ministry", "The ministry agreed, the foreign ministry said.", ["foreign ministry"]),
        ("Former detainees", "Some former detainees came.", ["former detainees"]),
        ("Opposition parties", "The parties came.", []),
        ("Mediators", "The mediators came.", ["mediators"]),
        ("Opposition groups in Idlib", "Some opposition groups in Idlib came.", ["opposition groups in Idlib"]),
        ("Thai junta", "Thailand's junta left. The junta came.", ["junta"]),
        ("Sudanese army", "The army officials came.", []),
        ("Sudanese army", "The Chadian army left. The army said so.", []),
        ("Sudanese former rebels", "The South Sudanese rebels left. The rebels said so.", []),
        ("South Sudanese former rebels", "The South Sudanese rebels left. The rebels said so.", ["rebels"]),
        ("Sudanese government", "The South Sudan government and the government of South Sudan left.", []),
        ("Guinean government", "The government of Guinea-Bissau and the Equatorial Guinea government left.", []),
        ("Democratic party", "The party came.", []),
        ("May", "They may come.", []),
        ("Syrian government", "The government in Syria agreed.", ["government in Syria"]),
        ("Organisers of the congress", "The organisers wrote to them.", ["organisers"]),
        ("Self-administration of the north-east", "The self-administration agreed.", ["self-administration"]),
        ("Army of Islam", "The army agreed.", []),
        ("ULFA central executive", "The central executive agreed.", ["central executive"]),
        ("Russian Foreign Ministry", "The Foreign Ministry agreed.", ["Foreign Ministry"]),
        ("Russian Foreign Ministry", "Turkey will go, its Foreign Ministry said.", []),
        ("Syrian Red Cross", "The Red Cross came.", []),
        ("Leaders of Hamas", "The leaders met.", []),
        ("Rebels in Darfur", "The rebels from Chad left.", []),
        ("Liberation Front", "The Front of the Liberation left.", []),
        ("Iraqi National Assembly", "The Turkish National Assembly agreed.", []),
        ("Delta Army General Staff", "The General Staff of the Delta Army left.", ["General Staff of the Delta Army"]),
    ],
)
def test_an_actor_asked_for_by_name_is_found_in_other_words(
    lexicon: Lexicon, name: str, text: str, expected: list[str]
) -> None:
    assert given(text, lexicon, Actor(name)) == [expected]


def test_actors_that_are_one_and_the_same_share_all_their_mentions(lexicon: Lexicon) -> None:
    text = "The UN agreed. Turkey agreed, and so did Ankara; the United Nations had asked it to."
    for asked in (("UN", "United Nations"), ("Turkey", "Ankara")):
        one, other = given(text, lexicon, *map(Actor, asked))
        assert one == other
        assert len(one) == 2


def test_a_name_is_rather_that_actor_s_who_has_no_other(lexicon: Lexicon) -> None:
    asked = [Actor("Delta Group", ("Delta", "Turkey")), Actor("Turkey")]
    assert given("Delta came. Turkey came.", lexicon, *asked) == [["Delta"], ["Turkey"]]


@pytest.mark.parametrize(
    ("text", "name", "alias"),
    [("Erdoğan refused.", "Erdoğan", "Erdogan"), ("SDF refused.", "SDF", "Sdf"), ("Foos refused.", "Foos", "FOOS")],
)
def test_of_spellings_of_one_name_an_actor_s_own_comes_first(
    lexicon: Lexicon, text: str, name: str, alias: str
) -> None:
    own, other = Actor(name), Actor("Delta Group", (alias,))
    assert given(text, lexicon, own, other) == [[name], []]
    assert given(text, lexicon, other, own) == [[], [name]]
    assert given(text, lexicon, Actor("Gamma Group", (name,)), other) == [[name], []]


def test_many_spellings_of_one_name_cost_little(lexicon: Lexicon) -> None:
    alike = ["".join(pair) for pair in product("AÀÁÂÃÄÅĀĂĄ", "aàáâãäåāăą")]
    asked = [Actor(name, tuple(alike[:50])) for name in alike[50:]]
    started = time.process_time()
    assert not any(given("Foo aa " * 7000, lexicon, *asked))
    assert time.process_time() - started < 5


def test_a_long_stretch_that_the_model_tags_costs_time_in_line_with_its_length() -> None:
    def seconds(count: int) -> float:
        text = "a b " * count
        tagged = Tagged(text, find_words(text), lambda _: False, lambda _: True)
        started = time.process_time()
        assert tagged.names([Span(0, len(text))]) == []
        return time.process_time() - started

    assert min(seconds(12_000) for _ in range(3)) < 10 * min(seconds(2_000) for _ in range(3))


def test_past_the_deadline_no_tagged_names_are_put_together() -> None:
    text = "Foo Bar"
    tagged = Tagged(text, find_words(text), lambda _: False, lambda _: True, deadline=Deadline(-1))
    with pytest.raises(DeadlineExceeded, match="stopped while tagged names were put together"):
        tagged.names([Span(0, 3)])


def test_states_within_states_are_told_apart(lexicon: Lexicon) -> None:
    text = "The South Sudan government agreed."
    asked = [Actor("Sudanese government"), Actor("South Sudanese government")]
    assert given(text, lexicon, *asked) == [[], ["South Sudan government"]]
    assert given(text, lexicon, *reversed(asked)) == [["South Sudan government"], []]


def test_a_description_that_two_given_actors_share_is_neither_of_them(lexicon: Lexicon) -> None:
    text = "The government agreed."
    assert given(text, lexicon, Actor("Malian government"), Actor("Chadian government")) == [[], []]
    assert given("The army agreed.", lexicon, Actor("Malian army"), Actor("Malian army")) == [["army"], ["army"]]
    named = given("The army chief came.", lexicon, Actor("Malian army chief"), Actor("Chadian army"))
    assert named == [["army chief"], []]


@pytest.mark.parametrize(
    ("name", "id", "expected"),
    [
        ("the HNC", HNC, ["HNC", "Higher Negotiations Committee", "HNC"]),
        ("The Higher Negotiations Committee", HNC, ["HNC", "The Higher Negotiations Committee", "HNC"]),
        ("Higher Negotiations Committee (HNC)", HNC, ["HNC", "Higher Negotiations Committee (HNC)"]),
        ("the Foos", None, ["Foos"]),
        ("the army", None, ["the army"]),
        ("Harbour Council (HARC)", None, ["Harbour Council (HARC)", "HARC"]),
        ("Delta Party (Maoist)", None, ["Delta Party (Maoist)"]),
        ("Party for Peace, Land and Bread", None, ["Party for Peace, Land and Bread"]),
        ("Gen. Ada Lovelace", None, ["Gen. Ada Lovelace"]),
        ("Rivers & Lakes, Inc.", None, ["Rivers & Lakes, Inc"]),
    ],
)
def test_names_are_found_as_they_are_written(lexicon: Lexicon, name: str, id: str | None, expected: list[str]) -> None:
    text = (
        "HNC men left. The Higher Negotiations Committee (HNC) and Foos came, the army did, army trucks did not. "
        "Harbour Council (HARC) stayed: HARC has time, as has the Delta Party (Maoist), unlike the Delta Party. "
        "Rivers & Lakes, Inc. and the Party for Peace, Land and Bread wrote to Gen. Ada Lovelace."
    )
    (one,) = find_given(text, [Actor(name)], lexicon)
    assert (one.actor.id, [text[span.start : span.end] for span in one.mentions]) == (id, expected)


def test_a_tagged_stretch_that_is_longer_than_a_name_may_be_is_none(lexicon: Lexicon) -> None:
    longest, longer = "B" + "a" * 199, "D" + "a" * 200
    several = " ".join(["Caaaaaaaaaaaaaaaaaaaaaaa"] * 9)
    kept = find_roots.cache_info().currsize, is_adjective.cache_info().currsize
    assert found(f"{longer} and {several} said no.", lexicon, longer, several) == {}
    assert (find_roots.cache_info().currsize, is_adjective.cache_info().currsize) == kept
    assert found(f"{longest} said no.", lexicon, longest) == {longest: [longest]}


def test_tagged_names_with_brackets_and_titles_are_kept(lexicon: Lexicon) -> None:
    text = "The Delta Party (Maoist) met Gen. Ada Lovelace and the Harbour National Council (HNC). HNC men spoke."
    tagged = ("Delta Party (Maoist)", "Gen. Ada Lovelace", "Harbour National Council (HNC)")
    assert found(text, lexicon, *tagged) == {
        "Delta Party (Maoist)": ["Delta Party (Maoist)"],
        "Gen. Ada Lovelace": ["Gen. Ada Lovelace"],
        "Harbour National Council": ["Harbour National Council", "HNC", "HNC"],
    }


def test_decomposed_text_names_the_same_actors(lexicon: Lexicon) -> None:
    text = unicodedata.normalize("NFD", "President Erdoğan said so. Çavuşoğlu agreed, the ÖVP did not.")
    erdogan, cavusoglu, party = (unicodedata.normalize("NFD", one) for one in ("Erdoğan", "Çavuşoğlu", "ÖVP"))
    assert found(text, lexicon) == {"Recep Tayyip Erdogan": [erdogan], "Mevlut Cavusoglu": [cavusoglu]}
    asked = given(text, lexicon, Actor("Recep Tayyip Erdoğan"), Actor("Çavuşoğlu"), Actor("ÖVP"))
    assert asked == [[erdogan], [cavusoglu], [party]]
    assert given("They met Şçöü.", lexicon, Actor(unicodedata.normalize("NFD", "ŞÇÖÜ"))) == [[]]


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
        ("Moon Jae-in", "Moon"),
        ("Sekou Diallo-Camara", "Diallo-Camara"),
        ("Ahmedou Ould-Abdallah", "Abdallah"),
        ("Sheikh Hamad", None),
    ],
)
def test_surname(name: str, expected: str | None) -> None:
    assert surname(name, None) == expected
