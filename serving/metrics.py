"""Prometheus metrics of a bounded size: labels come from fixed lists only."""

from __future__ import annotations

import os


class Metrics:
    """What is counted. The client library is imported late: BentoML sets its multi-process folder after our modules load."""

    def __init__(self) -> None:
        import prometheus_client

        self._client = prometheus_client
        self.content_type = prometheus_client.CONTENT_TYPE_LATEST
        self._requests = _once(
            "stance_requests",
            lambda: prometheus_client.Counter("stance_requests", "Requests answered.", ["path", "status"]),
        )
        self._seconds = _once(
            "stance_request_seconds",
            lambda: prometheus_client.Histogram("stance_request_seconds", "Seconds to an answer.", ["path"]),
        )
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
        if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
            return bytes(self._client.generate_latest())
        from prometheus_client.multiprocess import MultiProcessCollector

        registry = self._client.CollectorRegistry()
        MultiProcessCollector(registry)
        return bytes(self._client.generate_latest(registry))
