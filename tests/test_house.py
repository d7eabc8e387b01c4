"""The rules of the house: imports run one way, serving is light, and what is written twice agrees."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

import stance

ROOT = Path(__file__).resolve().parent.parent
FORBIDDEN = {
    "stance": {"training", "serving", "torch", "transformers", "bentoml", "typer", "datasets"},
    "training": {"serving", "bentoml"},
    "serving": {"training", "torch", "transformers", "datasets"},
}


def imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.split(".")[0])
    return names


@pytest.mark.parametrize("room", FORBIDDEN)
def test_imports_run_one_way(room: str) -> None:
    files = sorted((ROOT / room).rglob("*.py"))
    assert files
    for path in files:
        assert not imported(path) & FORBIDDEN[room], path


def test_importing_the_service_loads_no_torch(tiny_bundle: Path) -> None:
    code = "import serving.service, sys; print(sorted({'torch', 'transformers', 'sklearn'} & set(sys.modules)))"
    environment = {**os.environ, "STANCE_BUNDLE": str(tiny_bundle)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip().splitlines()[-1] == "[]"


def test_importing_the_library_loads_no_model_library_before_it_is_needed() -> None:
    code = """if True:
        import sys
        import stance
        assert set(stance.__all__) <= set(dir(stance))
        print(sorted({'numpy', 'onnxruntime'} & set(sys.modules)))
        from stance import *
        assert all(globals()[name] is getattr(stance, name) for name in stance.__all__)
        assert Deadline.check and issubclass(BundleNotFound, BundleError) and LABELS[-1] == "none"
        print(load_bundle.__module__, classify_document.__module__, issubclass(DocumentError, StanceError))
        print(hasattr(stance, 'no_such_name'))
    """
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.splitlines() == ["[]", "stance.bundle stance.classify True", "False"]


@pytest.mark.parametrize("name", ["Document", "Process", "Actor", "Classification", "ActorStance", "Evidence"])
def test_the_library_offers_the_types_of_what_it_takes_and_gives(name: str) -> None:
    types = " ".join(getattr(stance, name).__annotations__.values())
    assert set(re.findall(r"\b[A-Z]\w+", types)) - {"Mapping", "None"} <= set(stance.__all__)


def test_what_judges_in_numpy_loads_no_onnx_runtime() -> None:
    code = "import stance.calibration, stance.classify, stance.head, sys; print('onnxruntime' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.splitlines() == ["False"]


def test_the_bento_lists_what_the_package_asks_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    bento = yaml.safe_load((ROOT / "bentofile.yaml").read_text())
    assert bento["python"]["packages"] == project["dependencies"]
    assert bento["python"]["lock_packages"] is False
    assert bento["service"] == "serving.service:StanceService"


def test_the_bento_brings_the_pins_to_where_its_packages_are_installed(tmp_path: Path) -> None:
    code = "from bentoml_cli.cli import cli; cli()"
    environment = {**os.environ, "BENTOML_HOME": str(tmp_path), "BENTOML_DO_NOT_TRACK": "true"}
    subprocess.run(
        [sys.executable, "-c", code, "build"], cwd=ROOT, env=environment, capture_output=True, check=True, timeout=300
    )
    (script,) = tmp_path.glob("bentos/stance/*/env/python/install.sh")
    (given,) = re.findall(r"^PIP_ARGS=\(--constraint (\S+)\)$", script.read_text(), re.M)
    assert (script.parent / given).read_bytes() == (ROOT / "requirements.lock").read_bytes()


@pytest.mark.parametrize("room", ["stance", "serving"])
def test_what_says_that_it_is_typed_ships_its_types(room: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert "Typing :: Typed" in project["classifiers"]
    assert (ROOT / room / "py.typed").read_bytes() == b""


def test_the_lock_pins_everything_and_names_no_host() -> None:
    lines = [
        line for line in (ROOT / "requirements.lock").read_text().splitlines() if line and not line.startswith("#")
    ]
    assert lines
    assert all("==" in line and "://" not in line for line in lines)


@pytest.mark.parametrize(
    ("given", "there", "host"),
    [
        ((), {"HOST": "x86_64-linux"}, "0.0.0.0"),
        ((), {"BENTOML_HOST": "127.0.0.1"}, "127.0.0.1"),
        (("HOST=::",), {"BENTOML_HOST": "127.0.0.1"}, "::"),
    ],
)
def test_make_serve_listens_where_it_is_told(given: tuple[str, ...], there: dict[str, str], host: str) -> None:
    # Without what a make that runs the tests tells its children.
    others = {"HOST", "BENTOML_HOST", "MAKEFLAGS", "MAKELEVEL", "MFLAGS"}
    environment = {key: value for key, value in os.environ.items() if key not in others} | there
    done = subprocess.run(
        ["make", "--dry-run", "serve", "PORT=3001", *given],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout.splitlines()[-1] == f".venv/bin/bentoml serve --host {host} --port 3001"


def test_the_version_is_in_the_changelog() -> None:
    assert f"## {stance.__version__}" in (ROOT / "CHANGELOG.md").read_text()
