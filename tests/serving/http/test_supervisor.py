"""A worker that is killed comes back, soon."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path

import httpx
import psutil
import pytest

from serving.http.supervisor import CHECK_SECONDS

#: Seconds that workers may take to be there; a busy machine is slow, not wrong.
PATIENCE = 60


def _hold_model(process: psutil.Process) -> bool:
    try:
        return b"onnxruntime" in Path("/proc", str(process.pid), "maps").read_bytes()
    except OSError:
        return False


def _wait_for(workers: int, server: psutil.Process) -> set[psutil.Process]:
    """The workers, once there are so many that hold the model."""
    last = time.monotonic() + PATIENCE
    while time.monotonic() < last:
        found = set(filter(_hold_model, server.children(recursive=True)))
        if len(found) == workers:
            return found
        time.sleep(0.1)
    raise AssertionError(f"there were never {workers} workers within {PATIENCE} s")


def _wait_for_starts(count: int, url: str) -> None:
    last = time.monotonic() + PATIENCE
    while f"\nstance_worker_starts_total {count}.0\n" not in httpx.get(f"{url}/metrics", timeout=PATIENCE).text:
        assert time.monotonic() < last, f"the metrics never told of {count} starts"
        time.sleep(0.1)


@pytest.mark.parametrize(("form", "place"), [("json", {}), ("text", {"BENTOML_CONTAINERIZED": "true"})])
def test_a_killed_worker_is_replaced_and_told_of(
    serve: Callable[..., AbstractContextManager[str]],
    find_server: Callable[[str], psutil.Process],
    tiny_bundle: Path,
    tmp_path: Path,
    form: str,
    place: dict[str, str],
) -> None:
    body = {"text": "Turkey said it would attend the Sochi congress.", "process": "sochi"}
    with serve(tiny_bundle, log=tmp_path / "log", STANCE_WORKERS="2", STANCE_LOG_FORMAT=form, **place) as url:
        server = find_server(url)
        _wait_for_starts(2, url)
        killed, other = _wait_for(2, server)
        killed.kill()
        _, alive = psutil.wait_procs([killed], timeout=PATIENCE)
        assert not alive
        there = _wait_for(2, server)
        assert other in there
        assert killed not in there
        assert httpx.post(f"{url}/classify", json=body, timeout=PATIENCE).status_code == 200
        _wait_for_starts(3, url)
    told = [line for line in (tmp_path / "log").read_text().splitlines() if "worker" in line]
    assert [f"worker {killed.pid} ended with signal 9 (Killed); another is started" in one for one in told] == [True]
    assert ('"level": "warning"' if form == "json" else "[WARNING]") in told[0]


def _is_refused(url: str) -> bool:
    try:
        httpx.get(f"{url}/livez", timeout=PATIENCE)
    except httpx.TransportError as error:  # of another kind for one that comes just then
        return isinstance(error, httpx.ConnectError)
    return False


def test_at_the_end_what_was_taken_is_answered_and_nothing_else(
    serve: Callable[..., AbstractContextManager[str]], find_server: Callable[[str], psutil.Process]
) -> None:
    documents = [{"text": "Turkey came to Sochi. " * 2000}] * 8
    with serve(STANCE_WORKERS="2") as url, ThreadPoolExecutor(1) as pool:
        address = url.removeprefix("http://").split(":")
        work = pool.submit(httpx.post, f"{url}/classify/batch", json={"documents": documents}, timeout=PATIENCE)
        while "stance_requests_in_progress 1.0" not in httpx.get(f"{url}/metrics", timeout=PATIENCE).text:
            assert not work.done()
        with socket.create_connection((address[0], int(address[1])), timeout=PATIENCE) as idle:
            idle.sendall(b"HEAD /livez HTTP/1.1\r\nHost: x\r\n\r\n")
            assert idle.recv(1 << 16)
            find_server(url).terminate()
            assert idle.recv(1 << 16) == b""
        while not _is_refused(url):
            assert not work.done()
        assert not work.done(), "they waited for it, or it was too little work to tell"
        assert work.result().status_code == 200


def _metrics_folder(server: psutil.Process) -> Path:
    (worker,) = _wait_for(1, server)
    return Path(worker.environ()["PROMETHEUS_MULTIPROC_DIR"])


def test_a_start_that_finds_its_port_taken_leaves_the_metrics_of_the_other(
    serve: Callable[..., AbstractContextManager[str]],
    find_server: Callable[[str], psutil.Process],
    tiny_bundle: Path,
) -> None:
    with serve(tiny_bundle, STANCE_WORKERS="1") as url:
        server = find_server(url)
        again = subprocess.run(server.cmdline(), cwd=server.cwd(), env=server.environ(), timeout=PATIENCE, check=False)
        assert again.returncode
        counted = 'stance_requests_total{path="/readyz",status="200"}'
        assert counted in httpx.get(f"{url}/metrics", timeout=PATIENCE).text


def test_each_start_has_metrics_of_its_own_that_go_when_it_ends(
    serve: Callable[..., AbstractContextManager[str]],
    find_server: Callable[[str], psutil.Process],
    tiny_bundle: Path,
) -> None:
    with serve(tiny_bundle, STANCE_WORKERS="1") as url:
        server = find_server(url)
        killed = _metrics_folder(server)
        assert not killed.is_relative_to(server.environ()["BENTOML_HOME"])
        (worker,) = _wait_for(1, server)
        server.kill()
        with serve(tiny_bundle, STANCE_WORKERS="1"):
            assert any(killed.iterdir()), "a worker still counts there"
        worker.kill()
    with serve(tiny_bundle, STANCE_WORKERS="1") as url:
        assert not killed.exists()
        folder = _metrics_folder(find_server(url))
        assert folder.exists()
    assert not folder.exists()


def test_workers_are_looked_after_every_second() -> None:
    code = (
        "from serving.http.supervisor import look_after_workers; look_after_workers()\n"
        "from bentoml._internal.utils.circus import create_standalone_arbiter\n"
        "print(create_standalone_arbiter([]).check_delay)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=PATIENCE)
    assert float(done.stdout) == CHECK_SECONDS < 10


def test_the_process_that_starts_the_workers_does_without_the_models_libraries() -> None:
    code = "import sys, serving.service; print(*{'numpy', 'onnxruntime', 'tokenizers'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.split() == []
