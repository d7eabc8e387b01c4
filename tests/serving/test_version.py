"""What /version tells."""

from __future__ import annotations

import json

import httpx

import stance
from stance.bundle import CALIBRATION
from stance.manifest import MANIFEST, digest_of


def test_package_and_bundle_are_told(page_url: str) -> None:
    from serving.settings import bundle_folder

    answer = httpx.get(f"{page_url}version", timeout=60)
    body = answer.json()
    assert body["package"] == stance.__version__
    digest = digest_of((bundle_folder() / MANIFEST).read_bytes())
    assert body["bundle"]["digest"] == digest
    calibration = json.loads((bundle_folder() / CALIBRATION).read_text())
    assert body["bundle"]["coverage"] == calibration["coverage"]
    asked = {"text": "Turkey will come to Sochi."}
    model = httpx.post(f"{page_url}classify", json=asked, timeout=60).json()["model"]
    assert model == {key: body["bundle"][key] for key in ("name", "version")}
