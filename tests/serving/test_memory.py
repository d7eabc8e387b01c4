"""What requests take is given back: BentoML holds on to each for as long as its own time limit."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from contextlib import AbstractContextManager

import httpx
import psutil
import pytest

from serving.settings import Limits

REQUESTS = 3000
#: MiB that so many requests may leave behind; held on to, they take about 12.
LEFT = 4


@pytest.mark.slow
def test_answered_requests_leave_nothing_behind(
    serve: Callable[..., AbstractContextManager[str]],
    find_server: Callable[[str], psutil.Process],
) -> None:
    limits = Limits(deadline=1, body_timeout=1)
    environment = {
        "STANCE_WORKERS": "1",
        "STANCE_DEADLINE": str(limits.deadline),
        "STANCE_BODY_TIMEOUT": str(limits.body_timeout),
    }
    sizes = []
    with serve(**environment) as url, httpx.Client(base_url=url) as client:
        for _ in range(3):
            for _ in range(REQUESTS):
                assert client.get("/livez").status_code == 200
            time.sleep(limits.longest_answer + 2)
            parent = find_server(url)
            family = (parent, *parent.children(recursive=True))
            sizes.append(sum(one.memory_full_info().pss for one in family) / 2**20)
    # A heap may grow once, where more requests were alive at a time; what is held on to grows every time.
    left = min(later - earlier for earlier, later in itertools.pairwise(sizes))
    assert left < LEFT, f"{left:.1f} MiB were left by {REQUESTS} requests"
