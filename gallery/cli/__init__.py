"""The command `gallery`: what people and service managers start."""

from __future__ import annotations

import typer

import gallery
from gallery.cli.account import account
from gallery.cli.doctor import doctor
from gallery.cli.import_folder import import_folder
from gallery.cli.migrate import migrate
from gallery.cli.schema import schema
from gallery.cli.serve import serve
from gallery.cli.settings import settings
from gallery.cli.token import token
from gallery.cli.worker import worker

app = typer.Typer(
    name="gallery",
    help="A self-hosted image gallery behind a GraphQL API.",
    epilog="Settings are environment variables: see `gallery settings`.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.command()(serve)
app.command()(worker)
app.command()(migrate)
app.command("import")(import_folder)
app.command()(doctor)
app.add_typer(token, name="token")
app.add_typer(account, name="account")
app.command("settings")(settings)
app.command()(schema)


def _print_version(wanted: bool) -> None:  # noqa: FBT001  # typer calls it with the flag
    if wanted:
        typer.echo(f"gallery {gallery.__version__}")
        raise typer.Exit


@app.callback()
def _gallery(
    version: bool = typer.Option(  # noqa: FBT001  # a flag of the command line, answered by its callback
        False,  # noqa: FBT003  # as above
        "--version",
        help="Print the version.",
        callback=_print_version,
        is_eager=True,
    ),
) -> None:
    """A self-hosted image gallery behind a GraphQL API."""
