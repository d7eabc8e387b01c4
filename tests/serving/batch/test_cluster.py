"""Batches on a Ray cluster: two nodes on this machine, each a set of processes of its own."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from serving.batch.parts import Parts
from stance.errors import BatchError

ROOT = Path(__file__).resolve().parents[3]
TEXT = "Turkey will come to Sochi. The Higher Negotiations Committee will not."
PROGRAM = [sys.executable, "-c", "from serving.cli import app; app(prog_name='stance')", "batch"]
#: Without it Ray Data starts an actor that gathers what to report.
NO_USAGE = {"RAY_USAGE_STATS_ENABLED": "0"}
#: Starts a cluster of two nodes and tells its address; kills the second node at "kill", ends at anything else.
CLUSTER = """
import sys
from ray.cluster_utils import Cluster
node = {"num_cpus": 1, "memory": 2 << 30, "object_store_memory": 100 << 20}
cluster = Cluster(initialize_head=True, head_node_args={**node, "include_dashboard": False})
second = cluster.add_node(**node)
print(cluster.address, flush=True)
while sys.stdin.readline() == "kill\\n":
    cluster.remove_node(second, allow_graceful=False)
cluster.shutdown()
"""

Nodes = tuple[str, subprocess.Popen[str]]

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None, reason="Ray is not installed: pip install '.[ray]'"
)


@pytest.fixture(scope="module")
def code(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Where nodes and drivers find the package, and the documents of :data:`DOCUMENTS`."""
    folder = tmp_path_factory.mktemp("code")
    (folder / "deadly.py").write_text(DOCUMENTS)
    return os.pathsep.join([str(ROOT), str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])


@pytest.fixture(scope="module")
def nodes(code: str) -> Iterator[Nodes]:
    """The address of a cluster of two nodes, and the process that holds it."""
    process = subprocess.Popen(
        [sys.executable, "-c", CLUSTER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **NO_USAGE, "PYTHONPATH": code},
        cwd="/",
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        address = process.stdout.readline().strip()
        assert address, "the cluster did not start"
        yield address, process
    finally:
        with suppress(BrokenPipeError):
            process.stdin.write("end\n")
            process.stdin.close()
        process.stdout.close()
        process.wait(timeout=60)


def start(bundle: Path, *args: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*PROGRAM, *map(str, args)],
        cwd=ROOT,
        env={**os.environ, "STANCE_BUNDLE": str(bundle)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str], code: int = 0) -> str:
    try:
        _, told = process.communicate(timeout=480)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == code, told
    return told


def write(path: Path, count: int) -> Path:
    lines = [json.dumps({"text": f"{TEXT} Report {n} of the day.", "id": f"d{n}"}) for n in range(count)]
    path.write_text("\n".join([*lines, "nonsense"]))
    return path


@pytest.mark.parametrize(
    ("address", "told"), [("ray://a:1", "Client"), ("localhost", "HOST:PORT"), ("127.0.0.1:1", "nothing answers")]
)
def test_a_cluster_that_is_not_there_is_told_at_once(address: str, told: str) -> None:
    code = f"from serving.batch.cluster import connect; connect({address!r})"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert BatchError.__name__ in done.stderr
    assert told in done.stderr


def test_ray_reports_nothing_to_its_makers(nodes: Nodes) -> None:
    code = f"import os; from serving.batch.cluster import connect; connect({nodes[0]!r}); "
    code += "print(os.environ['RAY_USAGE_STATS_ENABLED'])"
    env = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=env, capture_output=True, text=True, timeout=300)
    assert done.stdout.split() == ["0"], done.stderr


def test_a_batch_without_a_cluster_leaves_nothing(tiny_bundle: Path, tmp_path: Path) -> None:
    source, out = write(tmp_path / "in.jsonl", 2), tmp_path / "out.jsonl"
    told = finish(start(tiny_bundle, source, out, "--engine", "ray", "--address", "127.0.0.1:1"), code=1)
    assert "nothing answers" in told
    assert os.listdir(tmp_path) == ["in.jsonl"]


#: Classifies documents on a cluster; two kill their actor, and the others tell the threads of BLAS there.
DEADLY = """
import sys
from pathlib import Path
from deadly import Deadly, Telling
from serving.batch.chunks import Defaults
from serving.batch.cluster import check_resources, classify_on_cluster, connect
def chunks():
    ones = [(Deadly if n in (7, 20) else Telling)(n, b"") for n in range(22)]
    return [ones[:5], ones[5:10], ones[10:15], ones[15:20], ones[20:21], ones[21:]]
connect(sys.argv[1])
check_resources(2)
for one in sorted(classify_on_cluster(chunks, Defaults(), Path(sys.argv[2]), 2), key=lambda one: one.first):
    sys.stdout.buffer.write(one.rows)
"""
DOCUMENTS = f"""
import os
from serving.batch.records import Line
class Deadly(Line):
    def fields(self, names, keep):
        os._exit(1)
class Telling(Line):
    def fields(self, names, keep):
        from threadpoolctl import threadpool_info
        threads = [one["num_threads"] for one in threadpool_info() if one["internal_api"] == "openblas"]
        return {{"text": {TEXT!r}, "actors": ["Turkey"], "title": str(max(threads))}}
"""


@pytest.mark.slow
def test_a_document_that_kills_its_actor_is_a_row(tiny_bundle: Path, nodes: Nodes, code: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", DEADLY, nodes[0], str(tiny_bundle)],
        env={**os.environ, "PYTHONPATH": code, "OPENBLAS_NUM_THREADS": "4"},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    # Ray tells of actors that died on the same stream.
    rows = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert [row["doc_index"] for row in rows] == list(range(22))
    assert {row["doc_index"]: row["error_code"] for row in rows if row["error_code"]} == {
        7: "worker_died",
        20: "worker_died",
    }
    assert {row["title"] for row in rows if not row["error_code"]} == {"1"}


@pytest.mark.slow
def test_the_rows_are_those_of_the_local_engine(tiny_bundle: Path, nodes: Nodes, tmp_path: Path) -> None:
    source = write(tmp_path / "in.jsonl", 200)
    finish(start(tiny_bundle, source, tmp_path / "local.jsonl"))
    ray = ("--engine", "ray", "--address", nodes[0])
    told = finish(start(tiny_bundle, source, tmp_path / "never.jsonl", *ray, "--workers", 3), code=1)
    assert "room for 2 worker(s)" in told
    assert not Parts(tmp_path / "never.jsonl").folder.exists()
    assert "201 documents, 1 with an error" in finish(start(tiny_bundle, source, tmp_path / "ray.jsonl", *ray))
    assert (tmp_path / "ray.jsonl").read_bytes() == (tmp_path / "local.jsonl").read_bytes()


@pytest.mark.slow
def test_a_node_that_is_killed_costs_no_rows(tiny_bundle: Path, nodes: Nodes, tmp_path: Path) -> None:
    """The last of those that share the nodes: one is left."""
    source, out = write(tmp_path / "in.jsonl", 2000), tmp_path / "ray.jsonl"
    finish(start(tiny_bundle, source, tmp_path / "local.jsonl"))
    address, cluster = nodes
    process = start(tiny_bundle, source, out, "--engine", "ray", "--address", address)
    folder = Parts(out).folder
    while process.poll() is None and len(list(folder.glob("*-*.jsonl"))) < 2:
        time.sleep(0.02)
    assert process.poll() is None, "it ended before the node was killed"
    assert cluster.stdin is not None
    cluster.stdin.write("kill\n")
    cluster.stdin.flush()
    finish(process)
    assert out.read_bytes() == (tmp_path / "local.jsonl").read_bytes()
