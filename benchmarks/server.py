"""A server in a process of its own for the benchmarks, and what it takes."""

from __future__ import annotations

import os
import random
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

from serving.settings import default_workers, share_of_cores

ROOT = Path(__file__).resolve().parent.parent
DEFAULT_BUNDLE = ROOT / "models" / "default"
SEED_ARTICLE = ROOT / "seeds" / "000_bf9ec2e30b3d9496.txt"


@dataclass(frozen=True, slots=True)
class Layout:
    """So many workers with so many threads of the model each."""

    workers: int
    threads: int

    @classmethod
    def one(cls) -> Layout:
        """One worker with all cores."""
        return cls(1, share_of_cores(1))

    @classmethod
    def default(cls) -> Layout:
        """What the service takes on these cores where nothing says otherwise."""
        return cls(default_workers(), share_of_cores(default_workers()))

    @property
    def settings(self) -> dict[str, str]:
        """The variables for a server of this layout."""
        return {"STANCE_WORKERS": str(self.workers), "STANCE_THREADS": str(self.threads)}

    def __str__(self) -> str:
        return f"{self.workers} worker(s) x {self.threads} thread(s)"


@dataclass(frozen=True, slots=True)
class Server:
    """A server that is ready.

    Attributes:
        url: its address, without a slash at the end.
        start: seconds from its start to the first 200 of /readyz.
    """

    url: str
    process: psutil.Process
    start: float

    def family(self) -> list[psutil.Process]:
        """All of its processes, the parent first."""
        return [self.process, *self.process.children(recursive=True)]

    def workers(self) -> list[psutil.Process]:
        """The processes that hold the model."""
        found = []
        for one in self.family():
            with suppress(psutil.Error, OSError):
                if b"onnxruntime" in Path("/proc", str(one.pid), "maps").read_bytes() and one != self.process:
                    found.append(one)
        return found or [self.process]

    def memory(self) -> float:
        """MiB (PSS) of all processes."""
        return sum(map(proportional_memory, self.family()))


def proportional_memory(process: psutil.Process) -> float:
    """MiB (PSS) of one process; 0 if it is gone."""
    with suppress(OSError):
        for line in Path("/proc", str(process.pid), "smaps_rollup").read_text(encoding="ascii").splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
    return 0.0


def free_port() -> int:
    """A port that no outgoing connection is given, so that none takes it before the server does."""
    while True:
        port = random.randrange(20_000, 30_000)
        with socket.socket() as one, suppress(OSError):
            one.bind(("127.0.0.1", port))
            return port


@contextmanager
def serve(bundle: Path, *, cores: Sequence[int] | None = None, **environment: str) -> Iterator[Server]:
    """A server with a bundle, ended on leaving.

    Args:
        cores: those that it may use; ``None`` leaves it all.
        environment: further variables.
    """
    port, started = free_port(), time.perf_counter()
    # A home of its own, so that nothing is written to the user's.
    with tempfile.TemporaryDirectory() as home:
        process = subprocess.Popen(
            [
                *([] if cores is None else ["taskset", "--cpu-list", ",".join(map(str, cores))]),
                *[sys.executable, "-c", "from bentoml_cli.cli import cli; cli()"],
                *["serve", "--host", "127.0.0.1", "--port", str(port)],
            ],
            cwd=ROOT,
            env={**os.environ, "STANCE_BUNDLE": str(bundle.resolve()), "BENTOML_HOME": home, **environment},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            wait_until_ready(f"http://127.0.0.1:{port}", process)
            yield Server(f"http://127.0.0.1:{port}", psutil.Process(process.pid), time.perf_counter() - started)
        finally:
            process.terminate()
            process.wait(timeout=60)


def wait_until_ready(url: str, process: subprocess.Popen[bytes], seconds: float = 60) -> None:
    """Wait until /readyz answers 200."""
    last = time.perf_counter() + seconds
    while time.perf_counter() < last:
        if process.poll() is not None:
            raise SystemExit(f"the server ended with {process.returncode}; try `bentoml serve` to see why")
        try:
            if httpx.get(f"{url}/readyz").status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.02)
    raise SystemExit(f"the server was not ready within {seconds:g} s")
