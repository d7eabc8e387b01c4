"""The engine of a batch on a Ray cluster: Ray Data streams the documents through actors that load the bundle once.

IN is read on this node alone, and the code and the bundle are sent along: the other nodes need no common disk.
"""

from __future__ import annotations

import logging
import os
import pickle
import socket
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from serving.batch.chunks import Chunk, Defaults, Done
from serving.batch.remote import Classifier, Ledger
from serving.settings import THREADS
from stance.errors import BatchError, needs

if TYPE_CHECKING:
    import pyarrow as pa

#: Bytes that an actor reserves: the bundle, the ONNX session, and the documents in hand.
ACTOR_MEMORY = 512 << 20
_PACKAGES = Path(__file__).resolve().parents[2]
_PROBE_SECONDS = 120
_SETTLING_SECONDS = 5


def connect(address: str) -> None:
    """Join the Ray cluster at an address, and send it our code.

    Raises:
        ExtraMissing: if Ray is not installed.
        BatchError: if there is no cluster.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # else Ray reports to its makers
    with needs("ray", "ray"):
        import ray
        import ray.data

    _check_address(address)
    modules = [str(_PACKAGES / name) for name in ("stance", "serving")]
    try:
        ray.init(
            address,
            runtime_env={"py_modules": modules, "env_vars": dict(THREADS)},
            logging_level=logging.ERROR,
            log_to_driver=False,
        )
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise BatchError(f"--address {address}: no Ray cluster: {error}; start one with `ray start --head`") from error
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)  # its errors come as exceptions, and shorter
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    # Each chunk is a block of its own: left to itself Ray Data gathers all of a small IN in one, for one actor.
    context.target_max_block_size = 1


def _check_address(address: str) -> None:
    """Ray tries an address for a long time; a look at the port tells at once."""
    host, colon, port = address.rpartition(":")
    if address.startswith("ray://"):
        raise BatchError(f"--address {address}: Ray Client is not supported; run this on a node of the cluster")
    if address == "auto":
        return
    if not (host and colon and port.isdecimal()):
        raise BatchError(f"--address {address}: must be 'auto' or HOST:PORT")
    try:
        socket.create_connection((host, int(port)), timeout=5).close()
    except OSError as error:
        raise BatchError(f"--address {address}: nothing answers there ({error}); is the cluster up?") from error


def check_resources(workers: int | None) -> int:
    """See that each node can do the work and that there is room for the actors; returns how many.

    Args:
        workers: actors to start; ``None`` takes one for each free core.

    Raises:
        BatchError: if there is not room for them, or a node lacks what they need.
    """
    import ray

    nodes = [node for node in ray.nodes() if node["Alive"]]
    room = sum(_room(node["Resources"]) for node in nodes)
    free = min(_free(workers or room), room)
    wanted = free if workers is None else workers
    if not 0 < wanted <= free:
        raise BatchError(
            f"the cluster's {len(nodes)} node(s) have room for {room} worker(s) of one core and "
            f"{ACTOR_MEMORY >> 20} MiB, {free} of them free; {wanted or 'at least 1'} wanted; "
            "ask for fewer with --workers, or add nodes"
        )
    for node in nodes:
        _probe(node["NodeID"], node["NodeManagerHostname"])
    return wanted


def _free(wanted: int) -> int:
    """Workers that there is room for now; what is free is told some seconds late, so a little is waited for it."""
    import ray

    until = time.monotonic() + _SETTLING_SECONDS
    while (free := _room(ray.available_resources())) < wanted and time.monotonic() < until:
        time.sleep(0.2)
    return free


def _room(resources: Mapping[str, float]) -> int:
    return int(min(resources.get("CPU", 0), resources.get("memory", 0) // ACTOR_MEMORY))


def _probe(node: str, host: str) -> None:
    """See that a node can import what the work needs."""
    import ray

    try:
        ray.get(ray.remote(_import).options(**_on(node)).remote(), timeout=_PROBE_SECONDS)
    except (ray.exceptions.RayError, ImportError) as error:
        reason = str(error).strip().splitlines()[-1]
        raise BatchError(f"node {host}: {reason}; install this package's extras 'batch' and 'ray' there") from error


def _import() -> None:
    import trafilatura  # noqa: F401


def _on(node: str) -> dict[str, Any]:
    """Options of a light task that must run on that node."""
    return {"num_cpus": 0, "label_selector": {"ray.io/node-id": node}}


def _datasource(chunks: Callable[[], Iterable[Chunk]]) -> Any:
    """A Ray datasource that streams chunks, pickled, from one task."""
    import pyarrow as pa
    from ray.data.block import BlockMetadata
    from ray.data.datasource import Datasource, ReadTask

    def read() -> Iterator[pa.Table]:
        for chunk in chunks():
            yield pa.table({"it": [pickle.dumps(chunk)]})

    class Chunks(Datasource):
        def get_read_tasks(self, parallelism: int, *args: object, **more: object) -> list[ReadTask]:
            return [ReadTask(read, BlockMetadata(None, None, None, None))]

        def estimate_inmemory_data_size(self) -> None:
            return None

    return Chunks()


def classify_on_cluster(
    chunks: Callable[[], Iterable[Chunk]], defaults: Defaults, bundle: Path, workers: int
) -> Iterator[Done]:
    """Classify chunks in ``workers`` actors of the cluster that :func:`connect` joined.

    A document that kills its actor again and again becomes a row with the error ``worker_died``.

    Raises:
        BatchError: if the cluster fails.
    """
    import ray
    from ray.data import ActorPoolStrategy

    paths = [path for path in bundle.rglob("*") if path.is_file()]
    files = ray.put({path.relative_to(bundle).as_posix(): path.read_bytes() for path in paths})
    here = ray.get_runtime_context().get_node_id()
    ledger = ray.remote(Ledger).options(**_on(here)).remote()
    documents = ray.data.read_datasource(_datasource(chunks), override_num_blocks=1, **_on(here))
    rows = documents.map_batches(
        Classifier,
        fn_constructor_kwargs={"files": files, "defaults": defaults, "ledger": ledger},
        batch_size=1,
        batch_format="pyarrow",
        compute=ActorPoolStrategy(min_size=1, max_size=workers, initial_size=workers),
        num_cpus=1,
        memory=ACTOR_MEMORY,
    )
    try:
        for row in rows.iter_rows():
            yield pickle.loads(row["it"])
    except ray.exceptions.RayError as error:
        cause = getattr(error, "cause", None) or str(error).strip().splitlines()[-1]
        raise BatchError(f"the cluster failed: {cause}; the same command goes on from here") from error
