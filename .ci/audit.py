"""Asks whether anything that requirements.lock pins has a known hole.

Leaves with 1 if so. A database that cannot be reached fails nothing: tests/test_floors.py holds the floor without it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

LOCK = Path(__file__).resolve().parent.parent / "requirements.lock"
COMMAND = [sys.executable, "-m", "pip_audit", "--requirement", str(LOCK), "--no-deps", "--disable-pip"]
OPTIONS = ["--progress-spinner", "off", "--timeout", "15", "--format", "json"]


def read_findings(report: str) -> list[str] | None:
    """One line for each hole in a report of pip-audit's; ``None`` if it is no report."""
    try:
        packages = json.loads(report)["dependencies"]
    except (ValueError, KeyError, TypeError):
        return None
    return [
        f"{package['name']} {package['version']}: {hole['id']}, mended in {', '.join(hole['fix_versions']) or 'none'}"
        for package in packages
        for hole in package.get("vulns", ())
    ]


def main() -> int:
    """Ask, and tell what was found."""
    try:
        done = subprocess.run([*COMMAND, *OPTIONS], capture_output=True, text=True, timeout=300)
    except subprocess.TimeoutExpired:
        sys.stderr.write("audit: no answer within 300 s; not audited\n")
        return 0
    findings = read_findings(done.stdout)
    if findings is None:
        last = (done.stderr.strip().splitlines() or ["no report"])[-1]
        sys.stderr.write(f"audit: the database could not be asked ({last[:200]}); not audited\n")
        return 0
    sys.stderr.write("".join(f"audit: {one}\n" for one in findings) or "audit: no known holes\n")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
