"""What requests take is given back: BentoML holds on to each for as long as its own time limit."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

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
    tiny_bundle: Path,
) -> None:
    limits = Limits(deadline=1, body_timeout=1)
    environment = {
        "STANCE_WORKERS": "1",
        "STANCE_DEADLINE": str(limits.deadline),
        "STANCE_BODY_TIMEOUT": str(limits.body_timeout),
    }
    sizes = []
    with serve(tiny_bundle, **environment) as url:
        for _ in range(3):
            with closing(HTTPConnection(urlsplit(url).netloc)) as client:  # httpx takes as long as the service
                for _ in range(REQUESTS):
                    client.request("GET", "/livez")
                    with client.getresponse() as answer:
                        assert answer.status == 200
                        answer.read()
            time.sleep(limits.longest_answer + 2)
            parent = find_server(url)
            family = (parent, *parent.children(recursive=True))
            sizes.append(sum(one.memory_full_info().pss for one in family) / 2**20)
    # A heap may grow once, where more requests were alive at a time; what is held on to grows every time.
    left = min(later - earlier for earlier, later in itertools.pairwise(sizes))
    assert left < LEFT, f"{left:.1f} MiB were left by {REQUESTS} requests"
