"""Versions below which a hole is known to stay open: held by hand, since an audit database may not answer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from itertools import chain
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parent.parent
#: Package, and the first version without the last hole that is known to matter here.
FLOORS = {
    "bentoml": "1.4.39",
    "transformers": "5.3",
    "onnx": "1.21",
    "skops": "0.13",
    "lxml": "6.1",
    "lxml-html-clean": "0.4.5",
    "onnxruntime": "1.27",
    "pypdf": "7.0",
    "aiohttp": "3.13.3",
    "cryptography": "46.0.5",
    "h11": "0.16",
    "jinja2": "3.1.6",
    "pillow": "12.1.1",
    "protobuf": "6.33.5",
    "pyarrow": "14.0.1",
    "python-multipart": "0.0.22",
    "requests": "2.32.4",
    "starlette": "0.49.1",
    "torch": "2.8",
    "urllib3": "2.6.3",
    "werkzeug": "3.1.6",
}
#: Those that the project itself asks for have the floor there too.
DECLARED = ("bentoml", "transformers", "onnx", "skops", "lxml", "lxml-html-clean", "onnxruntime", "pypdf")


def pins() -> dict[str, Version]:
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    pairs = (line.split("==") for line in lines if "==" in line)
    return {canonicalize_name(name): Version(version) for name, version in pairs}


@pytest.mark.parametrize("name", FLOORS)
def test_the_lock_is_above_the_floor(name: str) -> None:
    pinned = pins().get(canonicalize_name(name))
    assert pinned is None or pinned >= Version(FLOORS[name])
    assert pinned is not None or name not in DECLARED


@pytest.mark.parametrize("name", DECLARED)
def test_what_we_ask_for_cannot_be_below_the_floor(name: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *chain(*project["optional-dependencies"].values())]
    (asked,) = [one for one in map(Requirement, wanted) if one.name == name]
    lower = [Version(one.version) for one in asked.specifier if one.operator in (">=", "==")]
    assert max(lower) >= Version(FLOORS[name])


def test_the_bill_of_materials_has_all_that_the_lock_pins(tmp_path: Path) -> None:
    command = ["requirements", "--output-reproducible", "--output-format", "JSON", "--pyproject", "pyproject.toml"]
    path = tmp_path / "sbom.json"
    subprocess.run(
        [sys.executable, "-m", "cyclonedx_py", *command, "--output-file", str(path), "requirements.lock"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        timeout=900,
    )
    bill = json.loads(path.read_text())
    assert bill["bomFormat"] == "CycloneDX"
    assert bill["metadata"]["component"]["name"] == "stance"
    found = {canonicalize_name(one["name"]): Version(one["version"]) for one in bill["components"]}
    assert found == pins()


@pytest.fixture
def audit() -> dict[str, object]:
    """The names that .ci/audit.py defines."""
    names: dict[str, object] = {"__name__": "audit", "__file__": str(ROOT / ".ci" / "audit.py")}
    exec((ROOT / ".ci" / "audit.py").read_text(), names)
    return names


def test_findings_are_told_and_no_report_is_no_finding(audit: dict[str, object]) -> None:
    hole = {"id": "PYSEC-1", "fix_versions": ["2.0"], "aliases": [], "description": ""}
    packages = [{"name": "a", "version": "1.0", "vulns": [hole]}, {"name": "b", "version": "1.0", "vulns": []}]
    read = audit["read_findings"]
    assert read(json.dumps({"dependencies": packages})) == ["a 1.0: PYSEC-1, mended in 2.0"]
    assert read(json.dumps({"dependencies": packages[1:]})) == []
    assert [read(one) for one in ("", "[]", "{}", "5")] == [None] * 4


def test_a_database_out_of_reach_fails_nothing() -> None:
    nowhere = dict.fromkeys(("HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy"), "http://127.0.0.1:9")
    done = subprocess.run(
        [sys.executable, ".ci/audit.py"],
        cwd=ROOT,
        env={**os.environ, **nowhere, "NO_PROXY": "", "no_proxy": ""},
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stderr
    assert "not audited" in done.stderr
