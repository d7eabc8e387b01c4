"""Prometheus metrics of a bounded size: labels come from fixed lists only.

The client library is imported late: BentoML sets its multi-process folder after our modules are loaded.
"""

from __future__ import annotations

import functools
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stance.schema import Classification

_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15, 20, 25, 30, 60)
_CONFIDENCES = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1)


@dataclass(frozen=True, slots=True)
class _Collectors:
    requests: Any
    seconds: Any
    in_progress: Any
    pending: Any
    documents: Any
    tokens: Any
    labels: Any
    confidence: Any
    starts: Any


@functools.cache
def _collectors() -> _Collectors:
    """The process's collectors, made once however many apps are."""
    from prometheus_client import Counter, Gauge, Histogram

    live = {"multiprocess_mode": "livesum"}
    return _Collectors(
        requests=Counter("stance_requests", "Requests answered; 499 is a client that went away.", ["path", "status"]),
        seconds=Histogram("stance_request_seconds", "Seconds to an answer.", ["path"], buckets=_SECONDS),
        in_progress=Gauge("stance_requests_in_progress", "Requests for a classification in work or waiting.", **live),  # type: ignore[arg-type]
        pending=Gauge("stance_pending_bytes", "Bytes of bodies not answered, and of answers not taken.", **live),  # type: ignore[arg-type]
        documents=Counter("stance_documents", "Documents by outcome: classified, or an error's code.", ["outcome"]),
        tokens=Counter("stance_tokens", "Tokens of the texts classified."),
        labels=Counter("stance_labels", "Actors by the stance they were given.", ["stance"]),
        confidence=Histogram("stance_confidence", "Probability of the stance given.", buckets=_CONFIDENCES),
        starts=Counter(
            "stance_worker_starts", "Workers started, those that took the place of an ended one among them."
        ),
    )


def count_classification(result: Classification) -> None:
    """Take a classified document in: its tokens, and its actors' stances with their probabilities."""
    collectors = _collectors()
    collectors.documents.labels("classified").inc()
    collectors.tokens.inc(result.tokens)
    for one in result.actors:
        collectors.labels.labels(one.stance).inc()
        collectors.confidence.observe(one.probabilities[one.stance])


def count_fault(code: str) -> None:
    """Take a document in that was not classified; ``code`` is the error's."""
    _collectors().documents.labels(code).inc()


def count_start() -> None:
    """This worker has started; from here on all metrics are there, those that stand at 0 too."""
    _collectors().starts.inc()


def count_answer(path: str, status: int, seconds: float) -> None:
    """Count an answer. ``path`` is one of the known paths or "unknown"."""
    collectors = _collectors()
    collectors.requests.labels(path, str(status)).inc()
    collectors.seconds.labels(path).observe(seconds)


def take_in(size: int) -> None:
    """A part of a body has come, or an answer is to be sent."""
    _collectors().pending.inc(size)


def let_go(size: int) -> None:
    """A body was answered, an answer taken, or either given up."""
    _collectors().pending.dec(size)


def track() -> Any:
    """A context in which a request is in progress."""
    return _collectors().in_progress.track_inprogress()


def render() -> tuple[bytes, str]:
    """All metrics in the text format, over all workers where there are several, and the format's media type."""
    import prometheus_client
    from prometheus_client.multiprocess import MultiProcessCollector

    registry = prometheus_client.REGISTRY
    if _FOLDER in os.environ:
        _forget_the_dead(Path(os.environ[_FOLDER]))
        registry = prometheus_client.CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return prometheus_client.generate_latest(registry), prometheus_client.CONTENT_TYPE_LATEST


def _forget_the_dead(folder: Path) -> None:
    """Take what a killed worker had in hand out of the gauges."""
    from prometheus_client.multiprocess import mark_process_dead

    for path in folder.glob("gauge_live*_*.db"):
        pid = path.stem.rsplit("_", 1)[1]
        if not Path("/proc", pid).exists() and Path("/proc").exists():
            mark_process_dead(int(pid))  # type: ignore[no-untyped-call]
