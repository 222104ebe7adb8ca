"""How `gallery doctor` says what it finds: a line each, and at its beginning whether all is well."""

from __future__ import annotations

import typer


def well(text: str) -> bool:
    """Says what is as it should be; True."""
    typer.echo(f"ok  {text}")
    return True


def ill(text: str) -> bool:
    """Says what needs attention; False."""
    typer.echo(f"!!  {text}")
    return False


def more(text: str) -> None:
    """Says more about the line before."""
    typer.echo(f"    {text}")
