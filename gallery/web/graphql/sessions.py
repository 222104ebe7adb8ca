"""Sessions of people who have signed in, and their passwords, in the schema."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import strawberry

from gallery.domain import sessions
from gallery.domain.sessions import SignInWay
from gallery.web.graphql.context import Info
from gallery.web.graphql.errors import UserError, answer
from gallery.web.graphql.ids import parse_session_id, session_global_id


@strawberry.type(description="That somebody has signed in with a browser.")
class Session:
    """A session without its secret."""

    id: strawberry.ID = strawberry.field(description="The global id.")
    way: SignInWay = strawberry.field(description="How they have signed in.")
    created_at: datetime = strawberry.field(description="When they have signed in.")
    expires_at: datetime = strawberry.field(description="When it ends, if not before.")
    last_used_at: datetime = strawberry.field(description="When it was shown last, to a minute or so.")
    is_current: bool = strawberry.field(description="Whether this request is made in it.")

    @classmethod
    def of(cls, session: sessions.Session, *, is_current: bool) -> Session:
        """The session as the schema shows it."""
        return cls(
            id=session_global_id(session.id),
            way=session.way,
            created_at=session.created_at,
            expires_at=session.expires_at,
            last_used_at=session.last_used_at,
            is_current=is_current,
        )


@strawberry.input(description="Which session to end.")
class EndSessionInput:
    """Ends a session."""

    id: strawberry.ID = strawberry.field(
        description="The session: your own, or anybody's if you administer the gallery."
    )


@strawberry.input(description="A password in place of your old one.")
class SetPasswordInput:
    """Changes one's password."""

    old: str = strawberry.field(description="The password that you have.")
    new: str = strawberry.field(description="The password that you want, 12 to 1,024 characters.")


@strawberry.type(description="Whether the session has ended, or why it has not.")
class EndSessionPayload:
    """Answer of `endSession`."""

    errors: list[UserError] = strawberry.field(description="What to put right; empty if the session has ended.")


@strawberry.type(description="Whether the password was changed, or why it was not.")
class SetPasswordPayload:
    """Answer of `setPassword`."""

    errors: list[UserError] = strawberry.field(description="What to put right; empty if the password was changed.")


@strawberry.type
class SessionMutations:
    """Root fields that end sessions and change passwords."""

    @strawberry.mutation(
        description="Ends a session, at once in the process that answers and within five seconds in others. "
        "A token that may do less than its account, by its role or its scopes, may not do this."
    )
    async def end_session(
        self, info: Info, input: Annotated[EndSessionInput, strawberry.argument(description="Which one.")]
    ) -> EndSessionPayload:
        """Whoever shows it has to sign in again."""
        service, viewer = info.context.use_cases.people.sessions, info.context.viewer
        _, errors = await answer(info, lambda: service.end(viewer, parse_session_id(input.id)))
        return EndSessionPayload(errors=errors)

    @strawberry.mutation(
        description="Changes your password and ends all your sessions but this one. Your API tokens stay. "
        "Who has no password gets the first one by `gallery account set-password`. A token that may do less than its "
        "account, by its role or its scopes, may not do this."
    )
    async def set_password(
        self, info: Info, input: Annotated[SetPasswordInput, strawberry.argument(description="The passwords.")]
    ) -> SetPasswordPayload:
        """A wrong old one counts as an attempt to sign in does."""
        service, viewer = info.context.use_cases.people.passwords, info.context.viewer
        _, errors = await answer(info, lambda: service.change(viewer, input.old, input.new))
        return SetPasswordPayload(errors=errors)
