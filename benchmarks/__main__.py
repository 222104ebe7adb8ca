"""Runs a benchmark by its name: `python -m benchmarks nested --rounds 5`. Without a name it lists all."""

from __future__ import annotations

import ast
import runpy
import sys
from pathlib import Path

FOLDER = Path(__file__).parent


def benchmarks() -> dict[str, str]:
    """What can be run, with a line on each: the modules that have something to do when they are run."""
    found = {}
    for path in sorted(FOLDER.glob("[!_]*.py")):
        source = path.read_text()
        if '\nif __name__ == "__main__":' in source:
            found[path.stem] = (ast.get_docstring(ast.parse(source)) or path.stem).splitlines()[0]
    return found


def main() -> None:
    """Hands the arguments after the name to the benchmark."""
    found = benchmarks()
    match sys.argv[1:]:
        case [name, *arguments] if name in found:
            sys.argv = [f"python -m benchmarks {name}", *arguments]
            runpy.run_module(f"benchmarks.{name}", run_name="__main__")
        case [] | ["-h" | "--help"]:
            for name, summary in found.items():
                print(f"{name:18} {summary}")
        case [name, *_]:
            sys.exit(f"There is no benchmark {name!r}. There are: {', '.join(found)}.")


if __name__ == "__main__":
    main()
