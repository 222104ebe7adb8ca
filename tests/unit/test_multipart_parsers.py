"""Two parsers of multipart bodies see the same parts: the gallery's, as the body arrives, and aiohttp's."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from email.utils import quote
from itertools import pairwise
from random import Random
from string import ascii_letters
from typing import Any
from urllib.parse import quote as percent_encoded

from aiohttp import BodyPartReader, MultipartReader, StreamReader
from aiohttp.base_protocol import BaseProtocol
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from multipart import MultipartSegment

from gallery.settings import UploadSettings
from gallery.web.body import RequestBody
from gallery.web.multipart.parts import filename_of, parser_for, parts_of
from tests.multipart_bodies import BOUNDARY, CONTENT_TYPE, END

DELIMITER = f"\r\n--{BOUNDARY}".encode()
ALMOST = [b"\r", b"\n", b"\r\n", b"\r\n\r\n", b"\r\n--", DELIMITER[2:], DELIMITER[1:], DELIMITER[:-1], END[:-6]]
"""What a parser could take for the end of a part, alone or together with what stands beside it."""


@dataclass(frozen=True)
class Part:
    """What a parser tells of a part."""

    name: str | None
    filename: str | None
    content_type: str | None
    content: bytes


fillings = st.builds(lambda seed, size: Random(seed).randbytes(size), st.integers(0, 2**16), st.integers(0, 5 * 1024))  # noqa: S311  # no secret
contents = (
    st.lists(fillings | st.binary(max_size=20) | st.sampled_from(ALMOST), max_size=8)
    .map(b"".join)
    .filter(lambda content: DELIMITER not in b"\r\n" + content + DELIMITER[:-1])
)
names = (
    st.text(st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="\\%;/"), max_size=30)
    | st.sampled_from(["map", "0", 'a"b', "a;b", '"', "'", "=", "name=x", " x ", "港", "x; filename=y"])
    | st.sampled_from(["x; filename*=UTF-8''y", f"--{BOUNDARY}", "Content-Type: text/html"])
)
"""Without what the two read in ways of their own: backslashes and per cent signs, which browsers and mails quote
differently, a slash at the beginning, and several semicolons, at which aiohttp gives up."""
gaps = st.sampled_from(["; ", ";", ";   "])


@st.composite
def dispositions(draw: st.DrawFn) -> str:
    name = draw(names)
    options = [f'name="{quote(name)}"' if draw(st.booleans()) or not _is_token(name) else f"name={name}"]
    if draw(st.booleans()):
        options.append(f'{draw(st.sampled_from(["filename", "FileName"]))}="{quote(draw(names))}"')
    if draw(st.booleans()):
        charset = draw(st.sampled_from(["UTF-8", "utf-8"]))
        options.append(
            f"filename*={charset}'{draw(st.sampled_from(['', 'en']))}'{percent_encoded(draw(names.filter(bool)), '')}"
        )
    kind = draw(st.sampled_from(["form-data", "Form-Data"]))
    return "".join([kind, *(draw(gaps) + option for option in draw(st.permutations(options)))])


@st.composite
def parts(draw: st.DrawFn) -> bytes:
    content = draw(contents)
    fields = [f"{draw(st.sampled_from(['Content-Disposition', 'content-disposition']))}: {draw(dispositions())}"]
    if draw(st.booleans()):
        media_type = draw(st.sampled_from(["image/jpeg", "text/plain; charset=utf-8", 'image/x; a="b;c"', "*/*"]))
        fields.append(
            f"{draw(st.sampled_from(['Content-Type', 'CONTENT-TYPE']))}:{draw(st.sampled_from(['', ' ']))}{media_type}"
        )
    if draw(st.booleans()):
        fields.append(f"Content-Length: {len(content)}")
    if draw(st.booleans()):
        fields.append("X-Other: multipart/form-data; boundary=x")
    return "\r\n".join([*draw(st.permutations(fields)), "", ""]).encode() + content


@given(
    st.lists(parts(), min_size=1, max_size=4),
    st.sampled_from([b"", b"\r\n", b"preamble\r\n"]),
    st.lists(st.integers(min_value=0, max_value=100_000), max_size=30),
)
@example([b"Content-Disposition: form-data; name=0; filename=\"x; filename*=UTF-8''y\"\r\n\r\n"], b"", [])
@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
def test_both_see_the_same_parts_however_the_body_is_cut(sent: list[bytes], preamble: bytes, places: list[int]) -> None:
    body = preamble + b"".join(DELIMITER[2:] + b"\r\n" + part + b"\r\n" for part in sent) + END
    edges = [0, *sorted(place % (len(body) + 1) for place in places), len(body)]
    pieces = [body[start:end] for start, end in pairwise(edges)]

    async def both() -> tuple[list[Part], list[Part]]:
        return await _by_the_gallery(pieces), await _by_aiohttp(pieces)

    ours, theirs = asyncio.run(both())
    assert ours == theirs
    assert [part.content for part in ours] == [part.partition(b"\r\n\r\n")[2] for part in sent]


async def _by_the_gallery(pieces: Sequence[bytes]) -> list[Part]:
    waiting = iter(pieces)
    count = iter(range(len(pieces) - 1, -1, -1))

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": next(waiting), "more_body": bool(next(count))}

    body = RequestBody({"type": "http", "headers": []}, receive, UploadSettings())
    found: list[tuple[MultipartSegment, bytearray]] = []
    async for event in parts_of(body, parser_for(CONTENT_TYPE), lambda: None):
        if isinstance(event, MultipartSegment):
            found.append((event, bytearray()))
        elif event is not None:
            found[-1][1].extend(event)
    return [Part(one.name, filename_of(one), one.header("Content-Type"), bytes(data)) for one, data in found]


async def _by_aiohttp(pieces: Sequence[bytes]) -> list[Part]:
    loop = asyncio.get_running_loop()
    stream = StreamReader(BaseProtocol(loop), 2**20, loop=loop)
    for piece in pieces:
        stream.feed_data(piece)
    stream.feed_eof()
    found = []
    async for part in MultipartReader({"Content-Type": CONTENT_TYPE}, stream):
        assert isinstance(part, BodyPartReader)
        found.append(Part(part.name, part.filename, part.headers.get("Content-Type"), bytes(await part.read())))
    return found


def _is_token(text: str) -> bool:
    return bool(text) and set(text) <= set(ascii_letters)
