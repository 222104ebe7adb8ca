"""Who asks, and their API tokens, in the schema."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import strawberry

from gallery.domain import accounts
from gallery.domain.access import Right, Role, Scope
from gallery.domain.accounts import AccountKind
from gallery.services.accounts import OwnAccount
from gallery.services.tokens import NewToken
from gallery.web.graphql.context import Info
from gallery.web.graphql.errors import UserError, answer
from gallery.web.graphql.ids import account_global_id, parse_token_id, token_global_id
from gallery.web.graphql.request import IDEMPOTENCY_HEADER
from gallery.web.graphql.sessions import Session


@strawberry.type(description="What a program shows to be known. Its secret is told once, when it is made.")
class ApiToken:
    """A token without its secret."""

    id: strawberry.ID = strawberry.field(description="The global id.")
    name: str = strawberry.field(description="What it is called.")
    prefix: str = strawberry.field(
        description="The part of the secret after `gal_`, by which people tell tokens apart."
    )
    role: Role = strawberry.field(
        description="What it may do at most. If its account has a lower role, that one counts."
    )
    scopes: list[Scope] = strawberry.field(description="To what the rights of the role are held; empty: to nothing.")
    created_at: datetime = strawberry.field(description="When it was made.")
    expires_at: datetime | None = strawberry.field(description="From when on it is of no use; null: never.")
    revoked_at: datetime | None = strawberry.field(description="When it was made useless; null: it was not.")
    last_used_at: datetime | None = strawberry.field(description="When it was shown last, to a minute or so.")

    @classmethod
    def of(cls, token: accounts.ApiToken) -> ApiToken:
        """The token as the schema shows it."""
        return cls(
            id=token_global_id(token.id),
            name=token.name,
            prefix=token.prefix,
            role=token.role,
            scopes=list(token.scopes),
            created_at=token.created_at,
            expires_at=token.expires_at,
            revoked_at=token.revoked_at,
            last_used_at=token.last_used_at,
        )


@strawberry.type(description="Who asks: an account, and what it may do by the token that it has shown.")
class Viewer:
    """The account of the request."""

    id: strawberry.ID = strawberry.field(description="The global id of the account.")
    name: str = strawberry.field(description="The name of the account.")
    kind: AccountKind = strawberry.field(description="Who stands behind the account.")
    role: Role = strawberry.field(description="The role that counts: the lower one of account and token.")
    scopes: list[Scope] = strawberry.field(description="To what the rights of the role are held; empty: to nothing.")
    rights: list[Right] = strawberry.field(description="What this request may do: what both role and scopes allow.")
    tokens: list[ApiToken] = strawberry.field(
        description="The tokens of the account that were not revoked, newest first."
    )

    @strawberry.field(description="Where the account has signed in with a browser, the newest first.")
    async def sessions(self, info: Info) -> list[Session]:
        """Those that go on."""
        viewer = info.context.viewer
        sessions = await info.context.use_cases.people.sessions.own(viewer)
        return [Session.of(session, is_current=session.id == viewer.session_id) for session in sessions]

    @classmethod
    def of(cls, own: OwnAccount, rights: frozenset[Right]) -> Viewer:
        """The account as the schema shows it."""
        return cls(
            id=account_global_id(own.account.id),
            name=own.account.name,
            kind=own.account.kind,
            role=own.role,
            scopes=list(own.scopes),
            rights=[right for right in Right if right in rights],
            tokens=list(map(ApiToken.of, own.tokens)),
        )


@strawberry.type
class AccountQueries:
    """The root field that tells who asks."""

    @strawberry.field(description="Who asks.")
    async def viewer(self, info: Info) -> Viewer:
        """The account of the request."""
        viewer = info.context.viewer
        return Viewer.of(await info.context.use_cases.accounts.own(viewer), viewer.rights)


@strawberry.input(description="A token to make, for the account that asks.")
class CreateTokenInput:
    """Makes a token."""

    name: str = strawberry.field(description="What to call it, 1 to 100 characters.")
    role: Role | None = strawberry.field(default=None, description="What it may do at most. By default what you may.")
    scopes: list[Scope] = strawberry.field(
        default_factory=list, description="To what to hold it. By default to what the token is held by which you ask."
    )
    expires_at: datetime | None = strawberry.field(
        default=None, description="From when on it is of no use. By default when the token expires by which you ask."
    )


@strawberry.input(description="Which token to revoke.")
class RevokeTokenInput:
    """Revokes a token."""

    id: strawberry.ID = strawberry.field(description="The token: your own, or anybody's if you administer the gallery.")


@strawberry.type(description="The token that was made, or why it was not.")
class CreateTokenPayload:
    """Answer of `createToken`."""

    token: ApiToken | None = strawberry.field(description="The new token; null if `errors` is not empty.")
    secret: str | None = strawberry.field(
        description="What to send as `Authorization: Bearer …`. Keep it: nobody can read it again."
    )
    errors: list[UserError] = strawberry.field(description="What to put right; empty if the token was made.")


@strawberry.type(description="The token that was revoked, or why it was not.")
class RevokeTokenPayload:
    """Answer of `revokeToken`."""

    token: ApiToken | None = strawberry.field(description="The token as it is now; null if `errors` is not empty.")
    errors: list[UserError] = strawberry.field(description="What to put right; empty if the token is revoked.")


@strawberry.type
class AccountMutations:
    """Root fields that make and revoke tokens."""

    @strawberry.mutation(
        description="Makes a token that can do at most what you can, and not for longer. Sent again, it makes another "
        f"one, and the header `{IDEMPOTENCY_HEADER}` is refused: an answer with a secret is never kept."
    )
    async def create_token(
        self, info: Info, input: Annotated[CreateTokenInput, strawberry.argument(description="The token.")]
    ) -> CreateTokenPayload:
        """The secret is in this answer alone."""
        tokens, viewer = info.context.use_cases.tokens, info.context.viewer
        new = NewToken(name=input.name, role=input.role, scopes=input.scopes, expires_at=input.expires_at)
        issued, errors = await answer(info, lambda: tokens.create(viewer, new))
        return CreateTokenPayload(
            token=ApiToken.of(issued.token) if issued else None, secret=issued.secret if issued else None, errors=errors
        )

    @strawberry.mutation(
        description="Makes a token useless, at once in the process that answers and within five seconds in others. "
        "A token that may do less than its account, by its role or its scopes, may not do this."
    )
    async def revoke_token(
        self, info: Info, input: Annotated[RevokeTokenInput, strawberry.argument(description="Which one.")]
    ) -> RevokeTokenPayload:
        """Again, it does nothing."""
        tokens, viewer = info.context.use_cases.tokens, info.context.viewer
        token, errors = await answer(info, lambda: tokens.revoke(viewer, parse_token_id(input.id)))
        return RevokeTokenPayload(token=ApiToken.of(token) if token else None, errors=errors)
