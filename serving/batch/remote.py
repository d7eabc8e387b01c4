"""What runs in the actors of a Ray cluster: the count of attempts, and the classifier that learns from it."""

from __future__ import annotations

import pickle
import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from serving.batch.chunks import Chunk, Defaults, Done, classify_chunk, join, worker_died
from stance.bundle import load_bundle

if TYPE_CHECKING:
    import pyarrow as pa

#: Times that a document, alone in hand, may be begun without coming to an end; twice, for a node may be lost with it.
MOST_ATTEMPTS = 2


class Ledger:
    """An actor: counts what was begun and did not come to an end, for whoever dies of a document can tell nobody."""

    def __init__(self) -> None:
        self._begun: Counter[tuple[int, int]] = Counter()

    def begin(self, first: int, count: int) -> int:
        """Begin documents ``first`` to ``first + count``; returns how often they were begun before."""
        self._begun[first, count] += 1
        return self._begun[first, count] - 1

    def end(self, first: int, count: int) -> None:
        """They came to their end."""
        del self._begun[first, count]


class Classifier:
    """An actor: loads the bundle once, then classifies chunks.

    Ray starts an actor that died anew, and gives it the same chunk without end. A chunk that was begun before is done
    document by document, and one that was begun :data:`MOST_ATTEMPTS` times becomes a row with an error.
    """

    def __init__(self, files: Any, defaults: Defaults, ledger: Any) -> None:
        import ray

        with tempfile.TemporaryDirectory() as folder:
            for name, data in ray.get(files).items():
                path = Path(folder, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
            self._bundle = load_bundle(folder, threads=1)
        self._defaults = defaults
        self._ledger = ledger

    def __call__(self, table: pa.Table) -> pa.Table:
        """What comes of each chunk, pickled as they are, in the column ``it``."""
        import pyarrow as pa

        done = [self._classify(pickle.loads(one)) for one in table["it"].to_pylist()]
        return pa.table({"it": [pickle.dumps(one) for one in done]})

    def _classify(self, chunk: Chunk) -> Done:
        begun = self._begin(chunk)
        if len(chunk) == 1:
            done = self._one(chunk, begun)
        elif begun:
            done = join([self._one([record], self._begin([record])) for record in chunk])
        else:
            done = classify_chunk(self._bundle, chunk, self._defaults)
        self._end(chunk)
        return done

    def _one(self, chunk: Chunk, begun: int) -> Done:
        if begun >= MOST_ATTEMPTS:
            return worker_died(chunk[0], self._defaults)
        done = classify_chunk(self._bundle, chunk, self._defaults)
        self._end(chunk)
        return done

    def _begin(self, chunk: Chunk) -> int:
        import ray

        return int(ray.get(self._ledger.begin.remote(chunk[0].index, len(chunk))))

    def _end(self, chunk: Chunk) -> None:
        import ray

        ray.get(self._ledger.end.remote(chunk[0].index, len(chunk)))
