"""How the page and its files are served."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import httpx

from serving.http.assets import load_assets
from serving.settings import Limits
from stance.bundle import load_bundle
from stance.schema import Process

ROOT = Path(__file__).resolve().parents[3]
RELEASED = ROOT / "models" / "default"
PAGE = ROOT / "serving" / "page"


def test_every_file_of_the_page_is_served(page_url: str) -> None:
    for path in sorted(PAGE.iterdir()):
        answer = httpx.get(f"{page_url}{'' if path.name == 'index.html' else f'page/{path.name}'}", timeout=60)
        assert answer.status_code == 200, path
        assert answer.content == path.read_bytes()


def test_the_modules_come_at_once() -> None:
    listed = re.findall(r'rel="modulepreload" href="page/([^"]+)"', (PAGE / "index.html").read_text(encoding="utf-8"))
    assert sorted(["app.js", *listed]) == sorted(path.name for path in PAGE.glob("*.js"))


def test_the_policy_lets_nothing_in_from_elsewhere(page_url: str) -> None:
    for path in load_assets(load_bundle(RELEASED), Limits()):
        headers = httpx.get(page_url.rstrip("/") + path, timeout=60).headers
        policy = dict(one.split(" ", 1) for one in headers["content-security-policy"].split("; "))
        assert policy.pop("default-src") == "'none'"
        assert policy.pop("require-trusted-types-for") == "'script'"
        assert set(policy.values()) <= {"'self'", "'none'"}
        assert headers["x-content-type-options"] == "nosniff"


def test_no_file_names_another_host() -> None:
    for path in sorted(PAGE.iterdir()):
        text = path.read_text(encoding="utf-8").replace('xmlns="http://www.w3.org/2000/svg"', "")
        assert not re.search(r"https?://", text), path


def test_other_methods_and_files_are_refused(page_url: str) -> None:
    refused = httpx.post(f"{page_url}page/app.js", timeout=60)
    assert (refused.status_code, refused.json()["error"]["code"]) == (405, "method_not_allowed")
    for path in ("page/", "page/index.html", "page/none.js", "page/../service.py", "page/%2e%2e/service.py"):
        assert httpx.get(f"{page_url}{path}", timeout=60).status_code == 404


def test_the_page_adds_one_line_to_the_metrics(page_url: str) -> None:
    httpx.get(f"{page_url}page/app.js", timeout=60)
    assert 'path="/",status="200"' in (metrics := httpx.get(f"{page_url}metrics", timeout=60).text)
    assert "page/app.js" not in metrics


def test_the_example_is_the_seed_article() -> None:
    assert (PAGE / "example.txt").read_bytes() == (ROOT / "seeds" / "000_bf9ec2e30b3d9496.txt").read_bytes()


def test_the_processes_are_those_of_the_bundle() -> None:
    known = {"oslo": Process("Oslo talks", ("Norway talks",), key="oslo")}
    assets = load_assets(replace(load_bundle(RELEASED), processes=known), Limits())
    told = {"processes": [{"key": "oslo", "name": "Oslo talks", "aliases": ["Norway talks"]}]}
    assert json.loads(assets["/processes"].body) == told
