"""What the gallery is made of: locked to the byte, under licences that are known, and audited."""

from __future__ import annotations

import json
import re
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

import pytest

from tools import audit

ROOT = Path(__file__).resolve().parents[2]
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))
UNSUITED = re.compile(r"\bAGPL|\bGPL|SSPL|Proprietary|Commercial", re.IGNORECASE)
"""Licences that do not go with the gallery's. The LGPL, which libvips has, does."""


def requirements(lock: Path) -> list[str]:
    """Each requirement with its hashes, as one line."""
    lines = lock.read_text().replace("\\\n", " ").splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.stem)
def test_every_dependency_is_locked_to_a_version_and_the_hashes_of_its_files(lock: Path) -> None:
    locked = requirements(lock)

    assert locked
    assert [line for line in locked if not re.match(r"[\w.\[\]-]+==[\w.+!-]+[ ;]", line)] == []
    assert [line for line in locked if not re.search(r"--hash=sha256:[0-9a-f]{64}", line)] == []


def test_every_lock_is_audited() -> None:
    assert sorted(audit.LOCKS) == [lock.name for lock in LOCKS]


def test_every_dependency_of_the_server_says_its_licence_and_none_is_unsuited() -> None:
    names = [line.partition("==")[0] for line in requirements(ROOT / "requirements" / "runtime.txt")]
    licences = {name: licence for name in names if (licence := licence_of(name)) is not None}

    assert [name for name, licence in licences.items() if licence == ""] == []
    unsuited = [name for name, licence in licences.items() if UNSUITED.search(licence.replace("LGPL", ""))]
    assert unsuited == []


def licence_of(name: str) -> str | None:
    """What a package says of its licence; None if it is for another platform than this."""
    try:
        told = metadata(name)
    except PackageNotFoundError:
        return None
    classified = [word for word in told.get_all("Classifier", []) if word.startswith("License ::")]
    return told["License-Expression"] or (told["License"] or "").partition("\n")[0] or " ".join(classified)


def answered(*packages: object) -> str:
    return json.dumps({"dependencies": packages, "fixes": []})


SOUND = {"name": "good", "version": "1", "vulns": []}
UNKNOWN = {"name": "strange", "skip_reason": "Dependency not found"}
VULNERABLE = {"name": "bad", "version": "2", "vulns": [{"id": "PYSEC-1", "fix_versions": ["3"]}]}


@pytest.mark.parametrize(
    ("told", "arguments", "exit_code"),
    [
        (answered(SOUND), [], 0),
        (answered(SOUND, VULNERABLE), [], 1),
        (answered(SOUND, UNKNOWN), ["--strict"], 0),
        (answered(UNKNOWN), [], 0),
        (answered(UNKNOWN), ["--strict"], 1),
        ("", [], 0),
        ("", ["--strict"], 1),
        ("[]", ["--strict"], 1),
    ],
    ids=["sound", "vulnerable", "partly", "unknown", "unknown, strict", "silence", "silence, strict", "no audit"],
)
def test_an_audit_fails_by_what_it_finds_and_not_by_what_it_cannot_reach(
    capsys: pytest.CaptureFixture[str], told: str, arguments: list[str], exit_code: int
) -> None:
    assert audit.main(arguments, lambda _lock: told) == exit_code
    assert ("was not audited" in capsys.readouterr().out) == ("good" not in told)


def test_what_is_found_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    audit.main([], lambda _lock: answered(VULNERABLE))

    assert "bad 2: PYSEC-1, mended in ['3']" in capsys.readouterr().out
