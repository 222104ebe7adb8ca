"""`gallery settings`: what can be set, what it is, and why."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from gallery.cli.running import DataDir, settings_of, without_none
from gallery.settings_report import Setting, Source, list_settings

Plain = Annotated[bool, typer.Option("--plain", help="One line each, VARIABLE=value, for scripts.")]


def settings(plain: Plain = False, data_dir: DataDir = None) -> None:  # noqa: FBT002  # a flag
    """List all settings with their value, where it comes from, its default, and what it means. Secrets are hidden."""
    given = without_none({"data_dir": data_dir})
    listed = list(list_settings(settings_of(given), given))
    if plain:
        for setting in listed:
            typer.echo(f"{setting.variable}={setting.value}")
    else:
        Console().print(_table(listed))


def _table(listed: list[Setting]) -> Table:
    table = Table(box=None, pad_edge=False, show_lines=False)
    for heading in ("variable and meaning", "value", "from", "default"):
        table.add_column(heading, overflow="fold", vertical="top")
    for setting in listed:
        changed = setting.source is not Source.DEFAULT
        table.add_row(
            f"[bold]{setting.variable}[/bold]\n[dim]{setting.description}[/dim]",
            f"[bold]{setting.value}[/bold]" if changed else setting.value,
            setting.source.value,
            setting.default,
        )
    return table
