"""`gallery token`: the API tokens by which programs are known."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.table import Table

from gallery.cli.in_gallery import run_in_gallery
from gallery.cli.running import DataDir, ExitCode, end
from gallery.container import Container
from gallery.domain.access import LOCAL_ADMINISTRATOR, Role, Scope
from gallery.domain.accounts import Account, ApiToken, prefix_of
from gallery.services.tokens import IssuedToken, NewToken

token = typer.Typer(
    help="Make, list and revoke the API tokens by which programs are known.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

_DURATION: Final = re.compile(r"([1-9][0-9]{0,4})([hd])")
_UNITS: Final = {"h": timedelta(hours=1), "d": timedelta(days=1)}

Name = Annotated[str, typer.Argument(help="Name of the account; one for a program is made if there is none.")]
Given = Annotated[Role, typer.Option("--role", help="What the token may do at most.")]
Scopes = Annotated[
    list[Scope] | None,
    typer.Option("--scope", help="Hold the token to this part of the role; may be given several times."),
]
Expires = Annotated[
    str | None, typer.Option(metavar="30d|12h|2027-01-31", help="When it expires.", show_default="never")
]
Quiet = Annotated[bool, typer.Option("--quiet", help="Print the token alone, for scripts.")]
Prefix = Annotated[str, typer.Argument(help="The part after `gal_`, or the whole token.")]


@token.command()
def create(
    name: Name,
    role: Given,
    scope: Scopes = None,
    expires: Expires = None,
    quiet: Quiet = False,  # noqa: FBT002  # a flag
    data_dir: DataDir = None,
) -> None:
    """Make a token. It is printed once; nobody can read it again."""
    new = NewToken(
        name=name,
        role=role,
        scopes=scope or (),
        expires_at=None if expires is None else _moment(expires),
    )

    async def work(container: Container) -> IssuedToken:
        return await container.use_cases.tokens.create_for_program(LOCAL_ADMINISTRATOR, new)

    run_in_gallery(data_dir, work, lambda issued: _tell_issued(issued, quiet=quiet))


@token.command("list")
def list_tokens(data_dir: DataDir = None) -> None:
    """List the tokens that were not revoked, the newest first."""

    async def work(container: Container) -> list[tuple[ApiToken, Account]]:
        return await container.use_cases.tokens.all(LOCAL_ADMINISTRATOR)

    run_in_gallery(data_dir, work, _tell_all)


@token.command()
def revoke(prefix: Prefix, data_dir: DataDir = None) -> None:
    """Make a token useless. A running gallery notices within five seconds."""

    async def work(container: Container) -> ApiToken:
        wanted = prefix_of(prefix) or prefix.removeprefix("gal_")
        return await container.use_cases.tokens.revoke_by_prefix(LOCAL_ADMINISTRATOR, wanted)

    run_in_gallery(
        data_dir, work, lambda revoked: typer.echo(f"The token gal_{revoked.prefix}… ({revoked.name}) is revoked.")
    )


def _moment(text: str) -> datetime:
    """The time that is meant: so many hours or days from now, or the beginning of a day (UTC)."""
    if (match := _DURATION.fullmatch(text)) is not None:
        return datetime.now(UTC) + int(match[1]) * _UNITS[match[2]]
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        end(ExitCode.WRONG_USAGE, f"--expires takes a time such as 30d, 12h or 2027-01-31, not {text}")
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _tell_issued(issued: IssuedToken, *, quiet: bool) -> None:
    if quiet:
        typer.echo(issued.secret)
        return
    made = issued.token
    until = "" if made.expires_at is None else f", until {made.expires_at:%F %T} UTC"
    typer.echo(f"A token of {made.name}: {_may(made)}{until}. Nobody can read it again:")
    typer.echo(f"  {issued.secret}")


def _tell_all(tokens: list[tuple[ApiToken, Account]]) -> None:
    table = Table(box=None, pad_edge=False)
    for heading in ("Token", "Account", "Name", "May", "Made", "Expires", "Last used"):
        table.add_column(heading, no_wrap=heading == "Token")
    for one, account in tokens:
        times = (one.created_at, one.expires_at, one.last_used_at)
        table.add_row(f"gal_{one.prefix}…", account.name, one.name, _may(one), *map(_shown, times))
    Console(soft_wrap=True).print(table)


def _may(one: ApiToken) -> str:
    return " ".join([one.role, *(f"+{scope}" for scope in one.scopes)])


def _shown(moment: datetime | None) -> str:
    return "never" if moment is None else f"{moment:%F %H:%M}"
