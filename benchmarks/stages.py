"""One article in process: the engine alone, the share of each stage, and what actors and length cost."""

from __future__ import annotations

import re
import statistics
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from articles import Article

from serving.schemas import ClassifyRequest, to_response
from stance.actors import find_given
from stance.bundle import Bundle
from stance.classify import classify_document
from stance.schema import MAX_TEXT_LENGTH, Actor, Document
from stance.text import find_sentences

ACTORS = (1, 2, 5, 10, 20, 50)
LENGTHS = (1, 2, 4, 8)


def to_documents(bundle: Bundle, articles: Sequence[Article]) -> list[Document]:
    """The articles as the library takes them."""
    return [ClassifyRequest.model_validate(one.fields).to_document(bundle) for one in articles]


def time_engine(bundle: Bundle, documents: Sequence[Document]) -> list[float]:
    """Milliseconds of the session alone for each document, fed ready arrays."""
    engine: Any = bundle.engine

    def run(feeds: list[dict[str, Any]]) -> None:
        for one in feeds:
            engine._session.run(["logits"], one)

    windows = [engine._encoder.encode(one.text, one.process).windows for one in documents]
    return time_each(run, [[engine.feeds(one) for one in some] for some in windows])


def time_each(call: Callable[[Any], object], values: Sequence[Any]) -> list[float]:
    """Milliseconds of a call with each value, after the first to warm up."""
    call(values[0])
    times = []
    for value in values:
        started = time.perf_counter()
        call(value)
        times.append(1000 * (time.perf_counter() - started))
    return times


def profile_stages(bundle: Bundle, articles: Sequence[Article]) -> dict[str, float]:
    """Mean milliseconds of an article in each stage, by running the stages of ``classify_document`` one by one."""
    engine: Any = bundle.engine
    documents = to_documents(bundle, articles)
    results = [classify_document(bundle, one) for one in documents]
    encodings = [engine._encoder.encode(one.text, one.process) for one in documents]
    whole = time_each(lambda one: classify_document(bundle, one), documents)
    stages = {
        "JSON in": time_each(lambda one: ClassifyRequest.model_validate_json(one.body).to_document(bundle), articles),
        "tokenising": time_each(lambda one: engine._encoder.encode(one.text, one.process), documents),
        "model": time_each(lambda one: engine.run_windows(one.windows), encodings),
        "finding mentions": time_each(lambda one: find_given(one.text, one.actors, bundle.lexicon), documents),
        "finding sentences": time_each(lambda one: find_sentences(one.text), documents),
        "JSON out": time_each(lambda one: to_response(bundle, one).model_dump_json(), results),
    }
    means = {name: statistics.mean(times) for name, times in stages.items()}
    inside = sum(means[name] for name in ("tokenising", "model", "finding mentions", "finding sentences"))
    means["judging"] = max(0.0, statistics.mean(whole) - inside)
    return means


def time_actors(bundle: Bundle, document: Document, repeats: int) -> dict[int, float]:
    """Median milliseconds for 1 to 50 actors in a text; its commonest words stand for them, so that all are named."""
    words = Counter(re.findall(r"[A-Za-z]{5,}", document.text))
    names = [Actor(word) for word, _ in words.most_common(max(ACTORS))]
    given = {count: Document(document.text, document.process, tuple(names[:count])) for count in ACTORS}
    return {count: _median(bundle, one, repeats) for count, one in given.items()}


def time_lengths(bundle: Bundle, document: Document, repeats: int) -> dict[int, float]:
    """Median milliseconds for the text once, and over and over."""
    texts = {times: "\n\n".join([document.text] * times) for times in LENGTHS}
    return {
        times: _median(bundle, Document(text, document.process, document.actors), repeats)
        for times, text in texts.items()
        if len(text) <= MAX_TEXT_LENGTH
    }


def _median(bundle: Bundle, document: Document, repeats: int) -> float:
    return statistics.median(time_each(lambda one: classify_document(bundle, one), [document] * repeats))
