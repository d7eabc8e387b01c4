"""Tasks for Label Studio, and what comes back: a region for each mention and each piece of evidence.

Each region has the actor's name in a text field; the stance is chosen at one of the actor's mentions.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from stance.schema import LABELS
from training.labelling.annotators import Annotation, settle
from training.labelling.judged import JudgedActor, Quote, Suggestion
from training.labelling.labelled import LabelledText, Reading
from training.labelling.regions import ACTOR, AMBIGUOUS, EVIDENCE, NAME, SPAN, STANCE, Region, parse_regions

_CHOICES = "\n".join(f'    <Choice value="{label}"/>' for label in LABELS)
#: The labelling interface: Settings, Labeling Interface, Code.
CONFIG = f"""<View>
  <Style>.htx-text {{ white-space: pre-wrap; }}</Style>
  <Header value="Where does each actor stand toward this process?"/>
  <Header value="$process" size="5"/>
  <Labels name="{SPAN}" toName="text">
    <Label value="{ACTOR}" background="#56b4e9" hotkey="a"/>
    <Label value="{EVIDENCE}" background="#f0e442" hotkey="e"/>
  </Labels>
  <Text name="text" value="$text" granularity="word" saveTextResult="yes"/>
  <TextArea name="{NAME}" toName="text" perRegion="true" displayMode="region-list" editable="true" maxSubmissions="1"
            placeholder="The actor's name; at evidence, whose it is: several with ; between"/>
  <Choices name="{STANCE}" toName="text" choice="single" showInline="true"
           perRegion="true" whenTagName="{SPAN}" whenLabelValue="{ACTOR}">
{_CHOICES}
  </Choices>
  <Choices name="{AMBIGUOUS}" toName="text" choice="multiple" showInline="true"
           perRegion="true" whenTagName="{SPAN}" whenLabelValue="{ACTOR}">
    <Choice value="{AMBIGUOUS}"/>
  </Choices>
</View>
"""


def to_tasks(suggestions: Sequence[Suggestion]) -> list[dict[str, Any]]:
    """Tasks as Label Studio imports them, each with the model's reading as a prediction."""
    return [_task(one) for one in suggestions]


def _task(one: Suggestion) -> dict[str, Any]:
    judged = one.judged
    data = {"document": one.name, "process": judged.process, "title": judged.title, "date": judged.date}
    results = [item for number, actor in enumerate(judged.actors) for item in _actor_results(number, actor)]
    prediction = {"model_version": judged.model, "score": round(1 - judged.uncertainty, 4), "result": results}
    return {
        "data": {key: value for key, value in {**data, "text": one.text}.items() if value is not None},
        "predictions": [prediction],
    }


def _actor_results(number: int, actor: JudgedActor) -> Iterator[dict[str, Any]]:
    for place, quote in enumerate(actor.mentions):
        name = f"actor-{number}-mention-{place}"
        yield _result(name, SPAN, "labels", quote, labels=[ACTOR], text=quote.text)
        yield _result(name, NAME, "textarea", quote, text=[actor.name])
        if place == 0:
            yield _result(name, STANCE, "choices", quote, choices=[actor.stance])
    for place, quote in enumerate(actor.evidence):
        name = f"actor-{number}-evidence-{place}"
        yield _result(name, SPAN, "labels", quote, labels=[EVIDENCE], text=quote.text)
        yield _result(name, NAME, "textarea", quote, text=[actor.name])


def _result(region: str, control: str, kind: str, quote: Quote, **value: Any) -> dict[str, Any]:
    place = {"start": quote.start, "end": quote.end}
    return {"id": region, "from_name": control, "to_name": "text", "type": kind, "value": {**place, **value}}


def read_export(path: Path) -> Reading:
    """A project exported as JSON; faults are told as ``file:task``, by the task's id in Label Studio."""
    reading = Reading(path)
    for number, task in enumerate(_load_tasks(reading), start=1):
        place = task["id"] if isinstance(task, dict) and isinstance(task.get("id"), int) else number
        given = _annotations(reading, place, task)
        if given:
            data = task["data"]
            actors = settle(reading, place, [_read_annotation(path, place, one, data["text"]) for one in given])
            if actors is not None:
                reading.texts.append(LabelledText(place, data["process"], data["text"], actors))
    return reading


def _load_tasks(reading: Reading) -> list[Any]:
    try:
        value = json.loads(reading.path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        reading.faults.append(f"{reading.path}: cannot be read: {error.strerror}")
        return []
    except ValueError as error:  # also what is no UTF-8
        reading.faults.append(f"{reading.path}: no valid JSON: {error}")
        return []
    if not isinstance(value, list):
        reading.faults.append(f"{reading.path}: must be a list of tasks; export the project as JSON")
        return []
    return value


def _annotations(reading: Reading, place: int, task: Any) -> list[Mapping[str, Any]]:
    """The annotations that were not cancelled; none if the task is at fault."""
    if not isinstance(task, dict) or not isinstance(task.get("annotations"), list):
        reading.fault(place, "annotations: there are none; export the project as JSON, not JSON-MIN")
        return []
    data = task.get("data")
    for name in ("text", "process"):
        if not isinstance(data, dict) or not isinstance(data.get(name), str) or not data[name].strip():
            reading.fault(place, f"data.{name}: must be a text; label the tasks that `train suggest` wrote")
            return []
    given = [one for one in task["annotations"] if isinstance(one, dict) and not one.get("was_cancelled")]
    if not given:
        reading.left_out["not labelled"] += 1
    return given


def _read_annotation(path: Path, place: int, annotation: Mapping[str, Any], text: str) -> Annotation:
    aside = Reading(path)  # the faults of an annotation that does not count are none of the file
    given = annotation.get("result")
    who = annotation.get("completed_by") or f"annotation {annotation.get('id')}"
    results = [one for one in given if isinstance(one, dict)] if isinstance(given, list) else []
    actors = _actors(aside, place, parse_regions(results, text))
    name = who.get("email") or who.get("id") if isinstance(who, dict) else who
    return Annotation(str(name), bool(annotation.get("ground_truth")), actors, aside.faults)


def _actors(reading: Reading, place: int, regions: Sequence[Region]) -> list[dict[str, Any]]:
    mentions = [one for one in regions if one.kind == ACTOR]
    owners = {one.text: one.names[0] for one in mentions if one.names}
    names = list(dict.fromkeys(_owner(one, owners) for one in mentions))
    regions = [_with_related(one, owners) for one in regions]
    for one in mentions:
        if len(one.names) > 1:
            told = ", ".join(map(repr, one.names))
            reading.fault(place, f"mention {one.text!r}: received the names {told}; it may name one actor")
    for one in regions:
        if one.kind == EVIDENCE:
            _check_evidence(reading, place, one, names)
    return [_actor(reading, place, name, regions, owners) for name in names]


def _owner(region: Region, owners: Mapping[str, str]) -> str:
    """The actor that a mention names: as told, as told of the same words elsewhere, or the words themselves."""
    return region.names[0] if region.names else owners.get(region.text, region.text)


def _with_related(region: Region, owners: Mapping[str, str]) -> Region:
    """A region that names the actors that arrows join it to as well."""
    related = (_owner(one, owners) for one in region.related)
    return replace(region, names=tuple(dict.fromkeys((*region.names, *related))))


def _check_evidence(reading: Reading, place: int, region: Region, names: Sequence[str]) -> None:
    known = ", ".join(map(repr, names)) or "none"
    if not region.names:
        reading.fault(place, f"evidence {region.text!r}: whose it is, is not told; write a name there, of {known}")
    for name in region.names:
        if name not in names:
            reading.fault(place, f"evidence {region.text!r}: {name!r} is no actor of this text; they are {known}")


def _actor(
    reading: Reading, place: int, name: str, regions: Sequence[Region], owners: Mapping[str, str]
) -> dict[str, Any]:
    own = [one for one in regions if one.kind == ACTOR and _owner(one, owners) == name]
    stances = list(dict.fromkeys(one.stance for one in own if one.stance))
    ambiguous = any(one.ambiguous for one in own)
    if len(stances) > 1:
        reading.fault(place, f"{name}: received the stances {', '.join(stances)}; choose one, at one of its mentions")
    elif not stances and not ambiguous:
        reading.fault(place, f"{name}: no stance; choose one at one of its mentions, or write there whose name this is")
    label = stances[0] if stances else "none"
    evidence = [one.text for one in regions if one.kind == EVIDENCE and name in one.names and label != "none"]
    return {
        "actor": name,
        "mentions": list(dict.fromkeys(one.text for one in own)),
        "label": label,
        "evidence": list(dict.fromkeys(evidence)),
        "ambiguous": ambiguous,
    }
