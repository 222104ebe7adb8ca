"""`gallery settings`: what can be set, what it is, and why."""

from __future__ import annotations

import shutil
import textwrap
from typing import Annotated

import typer

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
        for setting in listed:
            _print(setting)


def _print(setting: Setting) -> None:
    """The variable on a line of its own, never broken, and what it means below."""
    is_default = setting.source is Source.DEFAULT
    origin = "default" if is_default else f"{setting.source.value}; default {setting.default or 'none'}"
    typer.echo(f"{typer.style(setting.variable, bold=True)} = {setting.value or '(none)'}  [{origin}]")
    width = shutil.get_terminal_size().columns
    typer.echo(textwrap.indent("\n".join(textwrap.wrap(setting.description, max(width - 4, 40))), "    "))
