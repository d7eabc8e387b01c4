"""Requests made from the service's own OpenAPI document, in small; benchmarks/fuzz.py asks ten thousand."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,"
    "response_schema_conformance,unsupported_method"
)


def test_the_service_holds_to_its_own_document(page_url: str, tmp_path: Path) -> None:
    command = ["run", f"{page_url}docs.json", "--url", page_url.rstrip("/"), "--checks", CHECKS, "--mode", "all"]
    options = ["--phases", "examples,coverage,fuzzing", "--max-examples", "5", "--seed", "13", "--no-color"]
    done = subprocess.run(
        [sys.executable, "-c", "from schemathesis.cli import schemathesis; schemathesis()", *command, *options],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
