"""`gallery account`: the accounts of people, their passwords, and where they have signed in."""

from __future__ import annotations

import sys
from datetime import datetime
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.table import Table

from gallery.cli.in_gallery import run_in_gallery
from gallery.cli.running import DataDir, ExitCode, end
from gallery.container import Container
from gallery.domain.access import LOCAL_ADMINISTRATOR, Role
from gallery.domain.accounts import Account
from gallery.domain.ids import SessionId
from gallery.domain.passwords import PASSWORD_MAX_CHARACTERS
from gallery.domain.sessions import Session
from gallery.services.account_administration import ListedAccount, NewAccount
from gallery.web.graphql.ids import parse_session_id, session_global_id

account = typer.Typer(
    help="Make accounts for people, give them passwords, and disable them.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

_MOST_BYTES: Final = 8 * PASSWORD_MAX_CHARACTERS

Name = Annotated[str, typer.Argument(help="Name of the account.")]
FromStdin = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from standard input instead of asking for it.")
]


@account.command()
def create(
    name: Name,
    role: Annotated[Role, typer.Option("--role", help="What they may do.")],
    password_stdin: FromStdin = False,  # noqa: FBT002  # a flag
    data_dir: DataDir = None,
) -> None:
    """Make an account for a person, with a password."""
    new = NewAccount(name=name, role=role, password=_password(from_stdin=password_stdin))

    async def work(container: Container) -> Account:
        return await container.use_cases.people.administration.create(LOCAL_ADMINISTRATOR, new)

    run_in_gallery(data_dir, work, lambda made: typer.echo(f"The account {made.name} ({made.role}) is there."))


@account.command("set-password")
def set_password(
    name: Name,
    password_stdin: FromStdin = False,  # noqa: FBT002  # a flag
    data_dir: DataDir = None,
) -> None:
    """Give an account a password in place of the one before. Its sessions end."""
    password = _password(from_stdin=password_stdin)

    async def work(container: Container) -> Account:
        return await container.use_cases.people.administration.set_password(LOCAL_ADMINISTRATOR, name, password)

    run_in_gallery(data_dir, work, lambda found: typer.echo(f"The account {found.name} has a new password."))


@account.command()
def disable(name: Name, data_dir: DataDir = None) -> None:
    """Let nobody use an account or its tokens. A running gallery notices within five seconds."""

    async def work(container: Container) -> Account:
        return await container.use_cases.people.administration.disable(LOCAL_ADMINISTRATOR, name)

    run_in_gallery(data_dir, work, lambda found: typer.echo(f"The account {found.name} is disabled."))


@account.command()
def enable(name: Name, data_dir: DataDir = None) -> None:
    """Let a disabled account be used again."""

    async def work(container: Container) -> Account:
        return await container.use_cases.people.administration.enable(LOCAL_ADMINISTRATOR, name)

    run_in_gallery(data_dir, work, lambda found: typer.echo(f"The account {found.name} can be used."))


@account.command("list")
def list_accounts(data_dir: DataDir = None) -> None:
    """List the accounts by name."""

    async def work(container: Container) -> list[ListedAccount]:
        return await container.use_cases.people.administration.all(LOCAL_ADMINISTRATOR)

    run_in_gallery(data_dir, work, _tell_accounts)


@account.command("sessions")
def list_sessions(data_dir: DataDir = None) -> None:
    """List where people have signed in, the newest first."""

    async def work(container: Container) -> list[tuple[Session, Account]]:
        return await container.use_cases.people.sessions.all(LOCAL_ADMINISTRATOR)

    run_in_gallery(data_dir, work, _tell_sessions)


@account.command("end-session")
def end_session(
    session: Annotated[str, typer.Argument(help="Its id, as `gallery account sessions` lists it.")],
    data_dir: DataDir = None,
) -> None:
    """End a session. A running gallery notices within five seconds."""

    async def work(container: Container) -> SessionId:
        ended = await container.use_cases.people.sessions.end(LOCAL_ADMINISTRATOR, parse_session_id(session))
        return ended.id

    run_in_gallery(data_dir, work, lambda ended: typer.echo(f"The session {session_global_id(ended)} has ended."))


def _password(*, from_stdin: bool) -> str:
    """The password that somebody types twice, or the first line of standard input."""
    if not from_stdin:
        return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True))
    line = sys.stdin.buffer.readline(_MOST_BYTES)
    try:
        return line.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        end(ExitCode.WRONG_USAGE, "The password is not in UTF-8.")


def _tell_accounts(accounts: list[ListedAccount]) -> None:
    table = Table(box=None, pad_edge=False)
    for heading in ("Account", "Kind", "Role", "Password", "Made", "Disabled"):
        table.add_column(heading)
    for one in accounts:
        found = one.account
        has = "yes" if one.has_password else "no"
        disabled = "" if found.disabled_at is None else _shown(found.disabled_at)
        table.add_row(found.name, found.kind, found.role, has, _shown(found.created_at), disabled)
    Console(soft_wrap=True).print(table)


def _tell_sessions(sessions: list[tuple[Session, Account]]) -> None:
    table = Table(box=None, pad_edge=False)
    for heading in ("Session", "Account", "By", "Signed in", "Last used", "Ends"):
        table.add_column(heading, no_wrap=heading == "Session")
    for session, found in sessions:
        times = (session.created_at, session.last_used_at, session.expires_at)
        table.add_row(session_global_id(session.id), found.name, session.way, *map(_shown, times))
    Console(soft_wrap=True).print(table)


def _shown(moment: datetime) -> str:
    return f"{moment:%F %H:%M}"
