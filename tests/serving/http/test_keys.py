"""API keys: who gets in, what a refusal says, and what no log ever has."""

from __future__ import annotations

import base64
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import httpx
import psutil
import pytest

from serving.http.keys import KeyRing, check_keys, make_key, parse_keys, shown_key
from stance.errors import SettingError

ROOT = Path(__file__).resolve().parents[3]
Serve = Callable[..., AbstractContextManager[str]]


def test_a_key_is_known_by_its_line_only() -> None:
    key, hashed = make_key("newsroom")
    assert len(key) > 40
    assert key not in hashed.line
    assert parse_keys(f"# ours\n\n{hashed.line}\n", "x") == (hashed,)
    assert make_key("newsroom")[0] != key


@pytest.mark.parametrize("name", ["", "a b", "a:b", "x" * 65, "ü"])
def test_a_name_that_the_file_could_not_hold_is_refused(name: str) -> None:
    with pytest.raises(SettingError, match="must have 1 to 64 of the characters"):
        make_key(name)


def test_a_bad_line_is_told_by_number_and_never_quoted() -> None:
    key, hashed = make_key("a")
    with pytest.raises(SettingError, match=r"f:2: not NAME:sha256:HEX") as told:
        parse_keys(f"{hashed.line}\n{key}", "f")
    assert key not in str(told.value)
    with pytest.raises(SettingError, match=r"f:2: name 'a' stands twice"):
        parse_keys(f"{hashed.line}\n{hashed.line}", "f")


def test_several_keys_are_found_by_name_and_the_file_is_read_again(tmp_path: Path) -> None:
    (first, one), (second, two), path = make_key("one"), make_key("two"), tmp_path / "keys"
    path.write_text(f"{one.line}\n{two.line}\n")
    ring = KeyRing(path)
    assert [ring.find(key) for key in (first, second, first[:-1], "", "\ud800", "stance_")] == [
        "one",
        "two",
        *[None] * 4,
    ]
    path.write_text(f"{two.line}\n")
    assert [ring.find(first), ring.find(second)] == [None, "two"]


def test_a_spoilt_file_leaves_the_keys_and_an_emptied_one_lets_nobody_in(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (key, hashed), path = make_key("one"), tmp_path / "keys"
    path.write_text(hashed.line)
    ring = KeyRing(path)
    path.write_text("half a li")
    with caplog.at_level("ERROR"):
        assert ring.find(key) == "one"
    assert "the keys stay as they were" in caplog.text
    path.unlink()
    assert ring.find(key) == "one"
    path.write_text("# nobody\n")
    assert ring.find(key) is None


def test_a_file_that_could_not_be_read_for_a_moment_is_read_again_and_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (kept, one), (revoked, two), path = make_key("one"), make_key("two"), tmp_path / "keys"
    path.write_text(f"{one.line}\n{two.line}\n")
    ring = KeyRing(path)
    path.write_text(f"{one.line}\n")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        assert [ring.find(kept), ring.find(revoked)] == ["one", "two"]
        assert caplog.text.count("the keys stay as they were") == 1
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert [ring.find(kept), ring.find(revoked)] == ["one", None]
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        path.touch()
        assert ring.find(kept) == "one"
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert caplog.text.count("the keys stay as they were") == 2, "what comes again after it had passed is told again"


def test_a_bad_file_lets_nobody_in_until_it_is_mended(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """As a worker finds it that is started again after another was killed."""
    (key, hashed), path = make_key("one"), tmp_path / "keys"
    path.write_text("half a li")
    with caplog.at_level("ERROR"):
        ring = KeyRing(path)
    assert "half" not in caplog.text
    assert f"{path}:1: not NAME" in caplog.text
    assert ring.find(key) is None
    path.write_text(hashed.line)
    assert ring.find(key) == "one"


def test_a_variable_that_names_no_file_does_not_open_the_service(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STANCE_API_KEYS_FILE", "")
    with pytest.raises(SettingError, match="is set but empty"):
        check_keys()
    assert (ring := KeyRing.from_environment()) is not None
    assert ring.find("stance_any") is None


def test_both_ways_to_show_a_key() -> None:
    basic = base64.b64encode(b"me:k:1").decode()
    assert shown_key({"authorization": "Bearer k"}) == "k"
    assert shown_key({"authorization": f"basic {basic}"}) == "k:1"
    for bad in ("", "Bearer", "Bearer ", "Basic !", "Basic /w==", "Basic \u00e9", "Digest k", "k"):
        assert shown_key({"authorization": bad}) is None


@pytest.mark.parametrize(
    ("content", "told"), [(None, "cannot be read"), ("", "holds no key"), ("x", "not NAME:sha256:HEX")]
)
def test_a_file_that_makes_no_sense_stops_the_start(tmp_path: Path, content: str | None, told: str) -> None:
    path = tmp_path / "keys"
    if content is not None:
        path.write_text(content)
    done = subprocess.run(
        [sys.executable, "-c", "import serving.service"],
        cwd=ROOT,
        env={**os.environ, "STANCE_API_KEYS_FILE": str(path)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("stance: STANCE_API_KEYS_FILE=")
    assert told in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_the_command_makes_a_key_that_the_file_knows(tmp_path: Path) -> None:
    code = "from serving.cli import app; app()"
    command = [sys.executable, "-c", code, "key", "newsroom"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=True)
    (tmp_path / "keys").write_text(done.stdout)
    assert KeyRing(tmp_path / "keys").find(done.stderr.split()[-1]) == "newsroom"
    refused = subprocess.run([*command[:-1], "a b"], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert (refused.returncode, refused.stdout) == (1, "")
    marked = subprocess.run([*command[:-1], "[/b]"], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert marked.stderr.startswith("error: name '[/b]': must have")


@pytest.fixture(scope="module")
def locked(
    serve: Serve, tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, str, Path]]:
    """The address of a server with one key, the key, and the folder of its files ``keys`` and ``log``."""
    folder = tmp_path_factory.mktemp("locked")
    key, hashed = make_key("newsroom")
    (folder / "keys").write_text(f"{hashed.line}\n")
    with serve(tiny_bundle, log=folder / "log", STANCE_API_KEYS_FILE=str(folder / "keys")) as url:
        yield url, key, folder


BEHIND = [
    "/",
    "/page/app.js",
    "/page/limits.json",
    "/processes",
    "/metrics",
    "/version",
    "/docs.json",
    "/schema.json",
    "/classify",
]


@pytest.mark.parametrize("path", [*BEHIND, "/nope", "/livez/", "//livez", "/livez%2f"])
def test_without_a_key_all_but_the_probes_is_refused(locked: tuple[str, str, Path], path: str) -> None:
    url, key, _ = locked
    for headers in (
        {},
        {"Authorization": f"Bearer {key}x"},
        {"Authorization": "Basic x"},
        {"Authorization": b"Basic \xe9"},
    ):
        for method in ("GET", "POST"):
            answer = httpx.request(method, url + path, headers=headers, timeout=60)
            assert answer.status_code == 401
            assert list(answer.json()["error"]) == ["code", "message", "field"]
            assert answer.json()["error"]["code"] == "unauthorized"
            assert answer.headers["www-authenticate"].startswith("Basic")


def test_the_probes_are_open(locked: tuple[str, str, Path]) -> None:
    for path in ("/livez", "/readyz"):
        assert httpx.get(locked[0] + path, timeout=60).status_code == 200


def test_with_a_key_all_is_as_without_keys(locked: tuple[str, str, Path]) -> None:
    url, key, _ = locked
    for path in BEHIND[:-1]:
        assert httpx.get(url + path, headers={"Authorization": f"Bearer {key}"}, timeout=60).status_code == 200
    asked = {"text": "Turkey will come to Sochi."}
    assert httpx.post(f"{url}/classify", json=asked, auth=("anyone", key), timeout=60).status_code == 200
    assert httpx.get(f"{url}/nope", auth=("", key), timeout=60).status_code == 404


def test_a_key_comes_and_goes_without_a_restart(locked: tuple[str, str, Path]) -> None:
    url, first, folder = locked
    before = (folder / "keys").read_text()
    second, hashed = make_key("desk")
    (folder / "keys").write_text(before + hashed.line)
    assert httpx.get(f"{url}/version", auth=("", second), timeout=60).status_code == 200
    (folder / "keys").write_text(before)
    assert httpx.get(f"{url}/version", auth=("", second), timeout=60).status_code == 401
    assert httpx.get(f"{url}/version", auth=("", first), timeout=60).status_code == 200


def test_a_worker_that_finds_the_file_spoilt_starts_all_the_same(
    locked: tuple[str, str, Path], find_server: Callable[[str], psutil.Process]
) -> None:
    url, key, folder = locked
    server = find_server(url)
    workers = [one for one in server.children() if "worker" in " ".join(one.cmdline())]
    before = (folder / "keys").read_text()
    (folder / "keys").write_text("half a li")
    for one in workers:
        one.kill()
    psutil.wait_procs(workers, timeout=60)
    # Every new worker must have read it before it is mended, or a late one would meet another test's file.
    last = time.monotonic() + 120
    while (folder / "log").read_text().count("the keys stay as they were, 0") < len(workers) or not _answers(url):
        assert time.monotonic() < last, (folder / "log").read_text()
        time.sleep(0.2)
    assert httpx.get(f"{url}/version", auth=("", key), timeout=60).status_code == 401
    (folder / "keys").write_text(before)
    # Every worker must have read it again too, for a request tells of one.
    told = (folder / "log").read_text().count("keys read from")
    while (folder / "log").read_text().count("keys read from") < told + len(workers):
        assert httpx.get(f"{url}/version", auth=("", key), timeout=60).status_code == 200
        assert time.monotonic() < last, (folder / "log").read_text()


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz", timeout=60).status_code == 200
    except httpx.TransportError:
        return False


def test_no_key_and_no_digest_is_ever_logged(locked: tuple[str, str, Path]) -> None:
    url, key, folder = locked
    digest = (folder / "keys").read_text().split(":")[2].strip()
    for headers in ({"Authorization": f"Bearer {key}"}, {"Authorization": f"Bearer {key}bad"}):
        httpx.post(f"{url}/classify", json={"text": "x", "oops": 1}, headers=headers, timeout=60)
    (folder / "keys").write_text(f"{(before := (folder / 'keys').read_text())}{key}\n")
    assert httpx.get(f"{url}/version", auth=("", key), timeout=60).status_code == 200
    (folder / "keys").write_text(before)
    time.sleep(0.2)
    log = (folder / "log").read_text()
    assert "the keys stay as they were" in log
    assert key not in log
    assert digest not in log
