"""Runs graphql-core's own tests of execution with operations compiled where they can be.

    python tools/graphql_core_tests.py [arguments of pytest]

The tests are in the source distribution of the version that is installed; it is fetched once, with the pytest plugin
that the tests are written for, into build/. Left out are those of `@defer` and `@stream` (tests/execution/incremental),
which are never compiled: nothing of the compiler would be tried.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGE = f"graphql-core=={version('graphql-core')}"
FOLDER = ROOT / "build" / PACKAGE.replace("==", "-")
TESTS = ("tests/execution", "tests/test_graphql.py", "tests/test_star_wars_query.py")
SETTINGS = """[pytest]
python_classes = PyTest*
asyncio_mode = strict
asyncio_default_fixture_loop_scope = function
"""


def pip(*arguments: str | Path) -> None:
    """Calls pip of this interpreter."""
    subprocess.run([sys.executable, "-m", "pip", *arguments, "--quiet"], check=True)


def fetch() -> Path:
    """The folder of the source distribution."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    if not (FOLDER / "plugins").is_dir():
        pip("download", "--no-deps", "--no-binary", "graphql-core", "--dest", FOLDER, PACKAGE)
        (archive,) = FOLDER.glob("*.tar.gz")
        with tarfile.open(archive) as files:
            files.extractall(FOLDER, filter="data")
        pip("install", "--no-deps", "--target", FOLDER / "plugins", "pytest-describe")
    (folder,) = (path.parent for path in FOLDER.glob("*/PKG-INFO"))
    return folder


def main() -> int:
    """Runs the tests; 0 if all of them pass but for the known differences."""
    folder = fetch()
    (FOLDER / "pytest.ini").write_text(SETTINGS)
    path = os.pathsep.join(map(str, (ROOT, ROOT / "tools", FOLDER / "plugins")))
    command = [sys.executable, "-m", "pytest", "-c", FOLDER / "pytest.ini", "--rootdir", folder]
    command += ["-p", "compiled_execution", "-p", "no:cacheprovider", "-q", "-rx"]
    command += [*TESTS, "--ignore", "tests/execution/incremental", *sys.argv[1:]]
    return subprocess.run(command, cwd=folder, env={**os.environ, "PYTHONPATH": path}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
