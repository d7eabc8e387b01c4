"""Prometheus metrics of a bounded size: labels come from fixed lists only.

The client library is imported late: BentoML sets its multi-process folder after our modules are loaded.
"""

from __future__ import annotations

import functools
import os
from typing import Any


@functools.cache
def _collectors() -> tuple[Any, Any]:
    """The process's collectors, made once however many apps are."""
    from prometheus_client import Counter, Histogram

    requests = Counter("stance_requests", "Requests answered.", ["path", "status"])
    return requests, Histogram("stance_request_seconds", "Seconds to an answer.", ["path"])


class Metrics:
    """Counts answers and learns how fast they come."""

    def __init__(self) -> None:
        from prometheus_client import CONTENT_TYPE_LATEST

        self.content_type = CONTENT_TYPE_LATEST
        self._requests, self._seconds = _collectors()
        #: A running mean of the time that a byte of a body takes, for Retry-After.
        self.seconds_per_byte = 1e-5

    def observe(self, path: str, status: int, seconds: float) -> None:
        """Count an answer. ``path`` is one of the known paths or "unknown"."""
        self._requests.labels(path, str(status)).inc()
        self._seconds.labels(path).observe(seconds)

    def learn_speed(self, size: int, seconds: float) -> None:
        """Take an answered body into the mean."""
        self.seconds_per_byte += 0.1 * (seconds / max(size, 1) - self.seconds_per_byte)

    def render(self) -> bytes:
        """All metrics in the text format, over all workers where there are several."""
        import prometheus_client
        from prometheus_client.multiprocess import MultiProcessCollector

        if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
            return prometheus_client.generate_latest()
        registry = prometheus_client.CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return prometheus_client.generate_latest(registry)
