"""`gallery schema`: the GraphQL schema as text."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Annotated

import typer

from gallery.cli.running import ExitCode, end
from gallery.web.graphql.schema import schema_text

Check = Annotated[
    Path | None,
    typer.Option(help="Compare with this file instead of printing; exits with 1 if they differ.", exists=True),
]
Output = Annotated[Path | None, typer.Option(help="Write to this file instead of printing.")]


def schema(check: Check = None, output: Output = None) -> None:
    """Print the GraphQL schema, sorted, for code generators."""
    text = schema_text()
    if check is not None:
        _compare(check, text)
    elif output is not None:
        output.write_text(text, "utf-8")
    else:
        typer.echo(text, nl=False)


def _compare(file: Path, text: str) -> None:
    found = file.read_text("utf-8")
    if found == text:
        return
    difference = difflib.unified_diff(found.splitlines(), text.splitlines(), str(file), "the code", lineterm="")
    typer.echo("\n".join(difference))
    end(ExitCode.FAILED, f"{file} is stale. Write it anew: gallery schema --output {file}")
