"""What people send to a gallery that logs all it can: nothing that is secret or personal is in its log."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from secrets import token_urlsafe
from urllib.parse import parse_qs, urlsplit

import httpx
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from tests.e2e.gallery_server import GalleryServer, run_gallery, serving
from tests.e2e.places import Place
from tests.photographs import jpeg

PHOTOGRAPH, ANOTHER = jpeg(320, 240), jpeg(240, 320)
CSRF = {"X-GraphQL-CSRF": "1"}
UPLOAD = (
    "mutation ($f: Upload!, $t: String) { uploadImage(input: {file: $f, title: $t}) { image { url } errors { code } } }"
)
NEW_TAG = "mutation ($name: String!) { createTag(input: {name: $name}) { tag { id } errors { code } } }"
CREATE = """
mutation ($input: CreateUploadInput!) {
  createUpload(input: $input) { upload { partUrls { url firstByte size } } errors { code message } }
}
"""
NEW_TOKEN = 'mutation { createToken(input: {name: "mine", role: VIEWER}) { secret errors { code } } }'


class Marks:
    """Words that are found again wherever they went."""

    def __init__(self) -> None:
        self.words: dict[str, str] = {}

    def new(self, name: str) -> str:
        word = self.words[name] = f"mark{token_urlsafe(12)}".replace("-", "x").replace("_", "x")
        return word

    def found_in(self, text: str) -> list[str]:
        return [name for name, word in self.words.items() if word in text]


async def test_the_log_holds_nothing_that_is_secret_or_personal(place: Place, folder: Path) -> None:
    marks = Marks()
    settings = {
        **place.settings,
        "GALLERY_AUTH__MODE": "token",
        "GALLERY_LOG__LEVEL": "debug",
        "GALLERY_LOG__FORMAT": "json",
        "GALLERY_METRICS__TOKEN": marks.new("token of the metrics"),
    }
    marks.words["key of the storage"] = settings["GALLERY_STORAGE__SECRET_ACCESS_KEY"]
    async with serving(folder / "log", settings=settings) as (server, _):
        ended = await run_gallery("token", "create", "ada", "--role", "administrator", "--quiet", settings=settings)
        marks.words["token"] = ended.output.strip()[13:]
        shown = {"Authorization": f"Bearer {ended.output.strip()}"}
        await _send_everything(server, shown, marks)
        await _send_what_is_refused(server, marks)
        log = server.log_text()

    first_tokens = re.findall(r"gal_[0-9a-z]{8}_[0-9A-Za-z_-]{49}", log)
    assert len(first_tokens) <= 1, "but the one that the first start shows"
    assert marks.found_in(log) == []
    assert "X-Amz-Signature" not in log
    assert "127.0.0.1" not in "".join(line for line in log.splitlines() if line.startswith("{"))
    assert len([line for line in log.splitlines() if '"request"' in line]) > 10, "requests are logged"


async def _send_everything(server: GalleryServer, shown: Mapping[str, str], marks: Marks) -> None:
    """Sends what is taken, with marks in everything that may hold a word."""
    headers = {
        **shown,
        **CSRF,
        "Cookie": f"session={marks.new('cookie')}",
        "User-Agent": marks.new("user agent"),
        "X-Forwarded-For": "192.0.2.77",
        "Referer": f"https://app.example/{marks.new('referrer')}",
    }
    async with httpx.AsyncClient(base_url=server.url, headers=headers, timeout=60) as client:
        tag = {"query": NEW_TAG, "variables": {"name": marks.new("name of a tag")}}
        for _ in range(2):  # the second time it exists
            assert (await client.post("/graphql", json=tag)).status_code == httpx.codes.OK
        query = f'{{ tags(filter: {{search: "{marks.new("query in the address")}"}}) {{ totalCount }} }}'
        await client.get("/graphql", params={"query": query})
        await client.get("/graphql", params={"query": "{ __typename }", "token": marks.new("token in the address")})
        await client.get(f"/livez?{marks.new('query of a probe')}")
        variables = {"f": None, "t": marks.new("title")}
        answer = await client.post(
            "/graphql",
            data={
                "operations": json.dumps({"query": UPLOAD, "variables": variables}),
                "map": '{"0": ["variables.f"]}',
            },
            files={"0": (f"{marks.new('name of a file')}.jpg", PHOTOGRAPH)},
        )
        url = answer.json()["data"]["uploadImage"]["image"]["url"]
        assert (await client.get(url)).status_code == httpx.codes.OK
        made = (await client.post("/graphql", json={"query": NEW_TOKEN})).json()["data"]["createToken"]
        marks.words["token that was made"] = made["secret"][13:]
        await _send_to_the_storage(client, marks)
        await client.get("/metrics", headers={"Authorization": f"Bearer {marks.words['token of the metrics']}"})
    await _speak(server, shown, marks)


async def _send_to_the_storage(client: httpx.AsyncClient, marks: Marks) -> None:
    announced = {
        "filename": f"{marks.new('name of a staged file')}.jpg",
        "fileSize": len(ANOTHER),
        "contentType": "image/jpeg",
        "checksum": hashlib.sha256(ANOTHER).hexdigest(),
        "idempotencyKey": marks.new("idempotency key"),
    }
    created = (await client.post("/graphql", json={"query": CREATE, "variables": {"input": announced}})).json()
    (part,) = created["data"]["createUpload"]["upload"]["partUrls"]
    marks.words["signature of a part"] = parse_qs(urlsplit(part["url"]).query)["X-Amz-Signature"][0]


async def _speak(server: GalleryServer, shown: Mapping[str, str], marks: Marks) -> None:
    url = f"{server.url.replace('http', 'ws')}/graphql?{marks.new('query of a websocket')}"
    async with connect(url, subprotocols=[Subprotocol("graphql-transport-ws")]) as socket:
        await socket.send(json.dumps({"type": "connection_init", "payload": {"authorization": shown["Authorization"]}}))
        await socket.recv()
        payload = {"query": NEW_TAG, "variables": {"name": marks.new("name by a websocket")}}
        await socket.send(json.dumps({"type": "subscribe", "id": "1", "payload": payload}))
        await socket.recv()


async def _send_what_is_refused(server: GalleryServer, marks: Marks) -> None:
    """Sends what is refused, at once or after it was looked at, by whoever refuses it."""
    async with httpx.AsyncClient(base_url=server.url, timeout=60) as client:
        for name, value in {
            "token of nobody": f"Bearer gal_00000000_{marks.new('token of nobody')}",
            "password": f"Basic {marks.new('password')}",
            "jwt": f"Bearer {marks.new('head of a jwt')}.{marks.new('body of a jwt')}.{marks.new('end of a jwt')}",
        }.items():
            answer = await client.post("/graphql", json={"query": "{ __typename }"}, headers={"Authorization": value})
            assert answer.status_code == httpx.codes.UNAUTHORIZED, name
        await client.post("/graphql", content=f'{{"query": "{marks.new("broken body")}')
        await client.post("/graphql", json={"query": f"{{ {marks.new('unknown field')} }}"})
    async with connect(
        f"{server.url.replace('http', 'ws')}/graphql", subprotocols=[Subprotocol("graphql-transport-ws")]
    ) as socket:
        try:
            authorization = f"Bearer gal_00000000_{marks.new('token of a message')}"
            await socket.send(json.dumps({"type": "connection_init", "payload": {"authorization": authorization}}))
            await socket.recv()
        except ConnectionClosed:
            pass
    host, port = server.url.removeprefix("http://").split(":")
    for sent in (
        f"GET / HTTP/1.1\r\nAuthorization: Bearer {marks.new('token in a broken head')}\r\nno header\r\n\r\n",
        f"{marks.new('no http at all')}\r\n\r\n",
        f"GET /{marks.new('long head')} HTTP/1.1\r\nX: {'x' * 70_000}",
    ):
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(sent.encode())
        await reader.read(1000)
        writer.close()
