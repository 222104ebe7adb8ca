"""Looks for known vulnerabilities of everything that is locked: `make audit`.

A vulnerability that is found ends it with exit code 1. Where the database of advisories cannot be reached, as on a
machine without the internet, it says so and passes: nothing was found, and nothing was looked at. `--strict` does not
pass then. A vulnerability that does not concern the gallery is named in ACCEPTED, with the reason.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
LOCKS = ("runtime.txt", "build.txt", "sbom.txt", "development.txt", "clairvoyance.txt")
PROGRAM = Path(sys.executable).with_name("pip-audit")

ACCEPTED: Mapping[str, str] = {}
"""By the id of a vulnerability, why the gallery is not concerned."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """What is known of a lock file: how many packages were looked up, how many could not be, what was found."""

    looked_up: int
    passed_over: int
    found: tuple[str, ...]


def run_pip_audit(lock: Path) -> str:
    """What pip-audit says of a lock file, in JSON; empty if it could not ask."""
    options = ("--disable-pip", "--no-deps", "--progress-spinner", "off", "--format", "json", "--timeout", "10")
    command = [PROGRAM, "--requirement", lock, *options]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def main(arguments: Sequence[str], ask: Callable[[Path], str] = run_pip_audit) -> int:
    """Audits every lock file; the exit code."""
    exit_code = 0
    for lock in LOCKS:
        audit = _read(ask(ROOT / "requirements" / lock))
        if audit is None or audit.looked_up == 0:
            print(f"WARNING: {lock} was not audited: the database of advisories is out of reach.")
            exit_code = exit_code or int("--strict" in arguments)
            continue
        print(f"{lock}: {audit.looked_up} packages, {len(audit.found)} known vulnerabilities", *audit.found, sep="\n  ")
        if audit.passed_over:
            print(f"WARNING: of {audit.passed_over} packages in {lock} nothing is known.")
        exit_code = 1 if audit.found else exit_code
    return exit_code


def _read(told: str) -> Audit | None:
    """The audit, unless pip-audit told nothing."""
    try:
        packages: list[dict[str, Any]] = json.loads(told)["dependencies"]
    except (ValueError, LookupError, TypeError):
        return None
    looked_up = [package for package in packages if "skip_reason" not in package]
    found = [
        f"{package['name']} {package['version']}: {vulnerability['id']}, mended in {vulnerability['fix_versions']}"
        for package in looked_up
        for vulnerability in package["vulns"]
        if vulnerability["id"] not in ACCEPTED
    ]
    return Audit(looked_up=len(looked_up), passed_over=len(packages) - len(looked_up), found=tuple(found))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
