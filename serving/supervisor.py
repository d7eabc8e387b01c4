"""A worker that dies is started again at once.

`bentoml serve` looks after its workers every ten seconds and has no setting for it. What is changed here is private to
BentoML 1.4: if another version does it differently, its own pace holds.
"""

from __future__ import annotations

import functools
from typing import Any

from bentoml._internal.utils import circus

#: Seconds between two looks at the workers.
CHECK_SECONDS = 1


def look_often() -> None:
    """Have `bentoml serve`, once it has loaded the service in this process, look after its workers every second."""
    start: Any = getattr(circus, "create_standalone_arbiter", None)
    if start is not None:
        circus.create_standalone_arbiter = functools.partial(start, check_delay=CHECK_SECONDS)
