"""People with every role and scope, things of theirs, and what the gallery answers when they ask for a field."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from string import Template
from typing import Any, Final
from uuid import uuid4

import httpx
from graphql import GraphQLObjectType, GraphQLOutputType, get_named_type, is_leaf_type, is_object_type

from gallery.domain.access import Right, Role, Scope, Viewer, Visibility, rights_of
from gallery.domain.accounts import Account
from gallery.domain.images import ContentType, ProcessingState, RenditionSize
from gallery.domain.shares import AlbumShare, ShareLevel
from gallery.domain.uploads import Announcement, Draft
from gallery.platform.passwords import Argon2Hasher
from gallery.web.graphql.ids import (
    album_global_id,
    image_global_id,
    session_global_id,
    share_link_global_id,
    tag_global_id,
    token_global_id,
    upload_global_id,
)
from gallery.web.graphql.schema import schema
from tests.access_rules import FORBIDDEN, HAS_ACCOUNT, HAS_ALL_OF_ACCOUNT, NOTHING, OK, Need, Rights, Root, Shown, Step
from tests.entities import (
    a_rendition,
    a_session,
    a_share_link,
    a_tag,
    a_token,
    an_account,
    an_album,
    an_image,
)
from tests.integration.database_support import Database
from tests.integration.live_gallery import LiveGallery
from tests.photographs import jpeg

UNAUTHENTICATED = "UNAUTHENTICATED"
OTHER = "somebody else"
TYPES: Final = schema._schema.type_map
KINDS: Final = ("query", "mutation", "subscription")

_PLACEHOLDER: Final = re.compile(r"\$(\w+)")
_PHOTOGRAPH: Final = jpeg(8, 8)
_LIMIT_SECONDS: Final = 30
_HASHER: Final = Argon2Hasher(memory_kib=8, rounds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """Somebody who asks: an account with a token of this role and these scopes, or nobody whom the gallery knows.

    A visitor is a stranger in a gallery that shows strangers what is public.
    """

    name: str
    role: Role | None = None
    scopes: tuple[Scope, ...] = ()
    is_revoked: bool = False
    is_visitor: bool = False

    @property
    def is_known(self) -> bool:
        return self.role is not None and not self.is_revoked

    @property
    def rights(self) -> Rights:
        if self.role is not None:
            whole = set() if self.scopes else {HAS_ALL_OF_ACCOUNT}
            return rights_of(self.role, self.scopes) | {HAS_ACCOUNT} | whole
        return frozenset({Right.READ} if self.is_visitor else ())

    def has(self, need: Need) -> bool:
        """Whether the rights are enough."""
        return any(rights <= self.rights for rights in need)


ASKERS: Final = (
    Asker(name="stranger"),
    Asker(name="visitor", is_visitor=True),
    Asker(name="revoked", role=Role.ADMINISTRATOR, is_revoked=True),
    *(Asker(name=role.value, role=role) for role in Role),
    *(Asker(name=f"scope {scope.value}", role=Role.ADMINISTRATOR, scopes=(scope,)) for scope in Scope),
)


def root_type(kind: str) -> GraphQLObjectType:
    found = TYPES[kind.capitalize()]
    assert isinstance(found, GraphQLObjectType)
    return found


def kind_of(call: str) -> str:
    """Whether this is a call of a query, a mutation or a subscription."""
    name = _name_of(call)
    (kind,) = [kind for kind in KINDS if name in root_type(kind).fields]
    return kind


def expected(asker: Asker, needs: Need | None, *steps: Step, answer: str = OK) -> str:
    """What somebody gets of a field that takes this."""
    if asker.is_revoked:
        return UNAUTHENTICATED
    if needs is None:
        return answer
    if not asker.is_known and not asker.is_visitor:
        return UNAUTHENTICATED
    if not asker.has(needs):
        return FORBIDDEN
    return next((step.otherwise for step in steps if not asker.has(step.needs)), answer)


def names_something(root: Root) -> bool:
    """Whether the call is about something that belongs to somebody."""
    return any(name in _OWNED for name in _PLACEHOLDER.findall(root.call))


@dataclass(slots=True)
class People:
    """All who ask, with accounts and tokens in the gallery, and somebody else who has things too."""

    gallery: LiveGallery
    visited: LiveGallery
    """The same gallery, where strangers are visitors."""
    database: Database
    accounts: dict[str, Account] = field(default_factory=dict)
    things: dict[tuple[str, Visibility], dict[str, str]] = field(default_factory=dict)
    """What was made last for each owner, by placeholder."""
    secrets: dict[str, str] = field(default_factory=dict)

    async def settle(self, asker: Asker) -> None:
        """Makes an account of one's own for the asker, and one for the other owner."""
        await self._add(OTHER, Asker(name=OTHER, role=Role.CONTRIBUTOR))
        await self._add(asker.name, asker)

    async def _add(self, name: str, asker: Asker) -> None:
        role = asker.role or Role.ADMINISTRATOR
        account = an_account(f"{name} {uuid4().hex[:8]}", role=role)
        token, secret = a_token(account, role=role, scopes=asker.scopes)
        session, _ = a_session(account, **_going_on())
        async with self.database.work() as work:
            await work.accounts.add_unless_there(account)
            await work.tokens.add(token.revoked(token.created_at) if asker.is_revoked else token)
            await work.sessions.add(session)
            await work.commit()
        self.accounts[name] = account
        self.things = {made_for: things for made_for, things in self.things.items() if made_for[0] != name}
        if asker.role is not None:
            self.secrets[name] = secret

    async def answer(
        self, asker: Asker, document: str, *, owner: str, visibility: Visibility = Visibility.PRIVATE, fresh: bool
    ) -> Answer:
        """What the asker is told when the things in the document belong to this account and are shown so.

        They are made anew if they are to be fresh, as for what may change them.
        """
        gallery = self.visited if asker.is_visitor else self.gallery
        things = Things(self.gallery, self.database, self.accounts[owner], visibility)
        filled = await things.filled(document, {} if fresh else self.things.setdefault((owner, visibility), {}))
        secret = self.secrets.get(asker.name)
        headers = {} if secret is None else {"Authorization": f"Bearer {secret}"}
        http = gallery.api.http
        if filled.startswith("subscription"):
            return await _first_of_stream(http, filled, headers)
        if "$file" in filled:
            return _answer(await _post_file(http, filled, headers))
        return _answer(await http.post("/graphql", json={"query": filled}, headers=headers))


async def _post_file(http: httpx.AsyncClient, document: str, headers: Mapping[str, str]) -> httpx.Response:
    _, rest = document.split(" ", 1)
    operations = {"query": f"mutation ($file: Upload!) {rest}", "variables": {"file": None}}
    return await http.post(
        "/graphql",
        data={"operations": json.dumps(operations), "map": json.dumps({"0": ["variables.file"]})},
        files={"0": ("a.jpg", _PHOTOGRAPH)},
        headers=headers,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back: the status, the data of the root field, and the codes of all errors, those in payloads too."""

    status: int
    data: Any
    codes: frozenset[str]
    text: str

    @property
    def outcome(self) -> str:
        """OK, NOTHING, or the code of the error."""
        if self.codes:
            return "+".join(sorted(self.codes))
        return NOTHING if _is_nothing(self.data) else OK

    def shows(self, type_: str, field_name: str) -> bool:
        """Whether the field of such an object is there, be it null."""
        return not self.codes and any(field_name in found for found in self._of_type(type_))

    def betrays(self, type_: str, field_name: str) -> bool:
        """Whether something of the field is there, be there errors or not."""
        return any(found.get(field_name) is not None for found in self._of_type(type_))

    def _of_type(self, type_: str) -> Iterator[dict[str, Any]]:
        names = _names_of(type_)
        return (found for found in _objects(self.data) if found.get("__typename") in names)


@dataclass(frozen=True, slots=True)
class Things:
    """Makes what the placeholders of a document stand for, as things of an account."""

    gallery: LiveGallery
    database: Database
    owner: Account
    visibility: Visibility

    async def filled(self, document: str, made: dict[str, str]) -> str:
        """The document with ids of things in it: of those that were made, and of new ones, which are added to them."""
        wanted = set(_PLACEHOLDER.findall(document)) - {"file"}
        for name in sorted(wanted):
            if name not in made or name in _NEVER_AGAIN:
                made |= await MAKERS[name](self)
        return Template(document).safe_substitute({name: json.dumps(value) for name, value in made.items()})

    async def images(self) -> dict[str, str]:
        """An image that is ready, its tag, the album that holds it, who else sees that, and links to it.

        One link is the owner's, which opens nothing if they may only look, and one an administrator's.
        """
        owner = self.owner.id
        shown: dict[str, Any] = {"owner": owner, "visibility": self.visibility}
        image = an_image(processing=ProcessingState.READY, uploaded_at=datetime.now(UTC), **shown)
        album, tag = an_album(**shown), a_tag(f"tag {uuid4().hex}", owner=owner)
        person = an_account(f"person {uuid4().hex}", role=Role.VIEWER)
        keeper = an_account(f"keeper {uuid4().hex}", role=Role.ADMINISTRATOR)
        leads: dict[str, Any] = {"album_id": album.id, "allows_download": True, "shows_metadata": True}
        link, own_key = a_share_link(made_by=owner, **leads)
        kept_link, key = a_share_link(made_by=keeper.id, **leads)
        async with self.database.work() as work:
            await work.images.add(image)
            await work.images.replace_renditions(image.id, [a_rendition(image, size) for size in RenditionSize])
            await work.tags.add_missing([tag])
            await work.tags.attach([image.id], [tag.id])
            await work.albums.add(album)
            await work.albums.append(album.id, [image.id], offered_by=[owner])
            await work.accounts.add_unless_there(person)
            await work.accounts.add_unless_there(keeper)
            await work.shares.save(
                AlbumShare(
                    album_id=album.id,
                    account_id=person.id,
                    account_name=person.name,
                    level=ShareLevel.VIEW,
                    shared_by=owner,
                    shared_at=datetime.now(UTC),
                )
            )
            await work.share_links.add(link)
            await work.share_links.add(kept_link)
            await work.commit()
        return {
            "image": image_global_id(image.id),
            "checksum": image.checksum,
            "album": album_global_id(album.id),
            "tag": tag_global_id(tag.id),
            "person": person.name,
            "link": share_link_global_id(link.id),
            "key": key,
            "own_key": own_key,
        }

    async def upload(self) -> dict[str, str]:
        """An upload whose only part has arrived."""
        service = self.gallery.container.use_cases.staged_uploads
        viewer = Viewer(id=self.owner.id, rights=frozenset(Right))
        announced = Announcement(filename="a.jpg", file_size_bytes=len(_PHOTOGRAPH), content_type=ContentType.JPEG)
        upload = await service.create(viewer, announced, Draft(), None)
        (part,) = await service.part_urls(viewer, upload.id, [1])
        (await self.gallery.api.http.put(part.url, content=_PHOTOGRAPH)).raise_for_status()
        return {"upload": upload_global_id(upload.id)}

    async def token(self) -> dict[str, str]:
        token, _ = a_token(self.owner)
        async with self.database.work() as work:
            await work.tokens.add(token)
            await work.commit()
        return {"token": token_global_id(token.id)}

    async def session(self) -> dict[str, str]:
        session, _ = a_session(self.owner, **_going_on())
        async with self.database.work() as work:
            await work.sessions.add(session)
            await work.commit()
        return {"session": session_global_id(session.id)}

    async def password(self) -> dict[str, str]:
        """A password of the account, in place of the one before."""
        password = uuid4().hex
        password_hash = await _HASHER.hash(password)
        async with self.database.work() as work:
            await work.passwords.put(self.owner.id, password_hash, datetime.now(UTC))
            await work.commit()
        return {"password": password}

    async def word(self) -> dict[str, str]:
        return {"word": f"word {uuid4().hex}"}


MAKERS: Final[Mapping[str, Callable[[Things], Awaitable[dict[str, str]]]]] = {
    "album": Things.images,
    "checksum": Things.images,
    "image": Things.images,
    "key": Things.images,
    "link": Things.images,
    "own_key": Things.images,
    "password": Things.password,
    "person": Things.images,
    "session": Things.session,
    "tag": Things.images,
    "token": Things.token,
    "upload": Things.upload,
    "word": Things.word,
}
_NEVER_AGAIN: Final = {"password", "word"}
_OWNED: Final = MAKERS.keys() - _NEVER_AGAIN


def document_of_root(root: Root) -> str:
    """The call with as much of its answer as tells how it ended."""
    kind = kind_of(root.call)
    return f"{kind} {{ {root.call} {_outcome_of(root_type(kind).fields[_name_of(root.call)].type)} }}"


def document_of_field(shown: Shown, *fields: str) -> str:
    """The way to these fields, and the name of the type that they are of."""
    type_ = TYPES[shown.type]
    selected = " ".join(f"{name} {_subfields(type_.fields[name].type)}" for name in fields)  # type: ignore[attr-defined]  # of objects and interfaces
    return f"{kind_of(shown.by)} {{ {shown.by.replace('@', f'__typename {selected}')} }}"


def _subfields(type_: GraphQLOutputType) -> str:
    return "" if is_leaf_type(get_named_type(type_)) else "{ __typename }"


def _outcome_of(type_: GraphQLOutputType) -> str:
    """`__typename`, and the codes of the errors in a payload."""
    named = get_named_type(type_)
    if is_leaf_type(named):
        return ""
    if not is_object_type(named):
        return "{ __typename }"
    errors = "errors { code }" if "errors" in named.fields else ""
    results = f"results {_outcome_of(named.fields['results'].type)}" if "results" in named.fields else ""
    return f"{{ __typename {errors} {results} }}"


def _name_of(call: str) -> str:
    match = re.match(r"\w+", call)
    assert match is not None
    return match[0]


def _names_of(type_: str) -> set[str]:
    named = TYPES[type_]
    if isinstance(named, GraphQLObjectType):
        return {type_}
    return {possible.name for possible in schema._schema.get_possible_types(named)}  # type: ignore[arg-type]  # an interface or a union


def _going_on() -> dict[str, datetime]:
    """The times of a session that began now."""
    now = datetime.now(UTC)
    return {"created_at": now, "last_used_at": now, "expires_at": now + timedelta(days=1)}


def _answer(response: httpx.Response) -> Answer:
    return _answer_of(response.status_code, response.text, response.json())


def _answer_of(status: int, text: str, told: Mapping[str, Any]) -> Answer:
    data = told.get("data")
    codes = {error["extensions"]["code"] for error in told.get("errors", [])}
    codes |= {found["code"] for found in _objects(data) if set(found) == {"code"}}
    root = None if data is None else next(iter(data.values()))
    return Answer(status=status, data=root, codes=frozenset(codes), text=text)


async def _first_of_stream(client: httpx.AsyncClient, document: str, headers: Mapping[str, str]) -> Answer:
    """The first event of a subscription; the stream is left then."""
    headers = {**headers, "Accept": "text/event-stream"}
    request = client.build_request(
        "POST", "/graphql", json={"query": document}, headers=headers, timeout=_LIMIT_SECONDS
    )
    response = await client.send(request, stream=True)
    try:
        if not response.headers["content-type"].startswith("text/event-stream"):
            await response.aread()
            return _answer(response)
        async with aclosing(_data_lines(response)) as lines:
            async for line in lines:
                return _answer_of(response.status_code, line, json.loads(line))
    finally:
        await response.aclose()
    message = "the stream ended without a word"
    raise AssertionError(message)


async def _data_lines(response: httpx.Response) -> AsyncGenerator[str]:
    async for line in response.aiter_lines():
        if line.startswith("data: "):
            yield line.removeprefix("data: ")


def _objects(value: object) -> Iterator[dict[str, Any]]:
    """All objects in it, itself included."""
    if isinstance(value, dict):
        yield value
        for inner in value.values():
            yield from _objects(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _objects(inner)


def _is_nothing(value: object) -> bool:
    return value is None or (isinstance(value, list) and all(item is None for item in value))
