"""Files to upload, no two of which are the same, and the requests that upload them."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from http.client import HTTPConnection
from itertools import count

import orjson
import pyvips

from benchmarks.load import NAMED_HOST, WrongAnswerError
from benchmarks.processes import MEBIBYTE

PAYLOAD = "{ image { fileSize checksum } errors { code } }"
ONE_FILE = f"mutation Upload($input: UploadImageInput!) {{ uploadImage(input: $input) {PAYLOAD} }}"
LIST = f"mutation Upload($input: UploadImagesInput!) {{ uploadImages(input: $input) {{ results {PAYLOAD} }} }}"
BOUNDARY = "benchmark-of-uploads"
UNIQUE_BYTES = 16
END_OF_IMAGE = b"\xff\xd9"

_NUMBERS = count()


@dataclass(frozen=True, slots=True)
class File:
    """The pieces of a file, and its SHA-256."""

    pieces: Sequence[bytes]
    checksum: str


class Files:
    """JPEG files of one size, no two of which are the same: the gallery keeps none twice.

    As in photographs nearly all of it is coded picture, with its end behind it: random bytes, 0xff with stuffed zeros.
    """

    def __init__(self, size_bytes: int) -> None:
        jpeg = bytes(pyvips.Image.black(640, 480).jpegsave_buffer()).removesuffix(END_OF_IMAGE)
        random_bytes = random.Random(5).randbytes(MEBIBYTE)  # noqa: S311  # no secret
        block = random_bytes.replace(b"\xff", b"\xff\x00")[:MEBIBYTE]
        filling = size_bytes - len(jpeg) - UNIQUE_BYTES - len(END_OF_IMAGE)
        whole, rest = divmod(filling, MEBIBYTE)
        self.size_bytes = size_bytes
        self._common = [jpeg, *[block] * whole, block[:rest]]
        self._hash = hashlib.sha256()
        for piece in self._common:
            self._hash.update(piece)

    def another(self) -> File:
        """A new file."""
        last = next(_NUMBERS).to_bytes(UNIQUE_BYTES, "big") + END_OF_IMAGE
        whole = self._hash.copy()
        whole.update(last)
        return File([*self._common, last], whole.hexdigest())


def form(files: Sequence[File], *, as_list: bool) -> tuple[list[bytes], int]:
    """The body of a GraphQL multipart request in pieces, and its length in bytes."""
    given: dict[str, object] = {"files": [None] * len(files)} if as_list else {"file": None}
    places = [f"variables.input.files.{item}" for item in range(len(files))] if as_list else ["variables.input.file"]
    operations = orjson.dumps({"query": LIST if as_list else ONE_FILE, "variables": {"input": given}})
    file_map = orjson.dumps({str(item): [place] for item, place in enumerate(places)})
    pieces = []
    for name, value in ((b"operations", operations), (b"map", file_map)):
        pieces += [part_head(b'name="' + name + b'"'), value, b"\r\n"]
    for item, file in enumerate(files):
        head = part_head(f'name="{item}"; filename="a.jpg"\r\nContent-Type: image/jpeg'.encode())
        pieces += [head, *file.pieces, b"\r\n"]
    pieces.append(f"--{BOUNDARY}--\r\n".encode())
    return pieces, sum(map(len, pieces))


def part_head(description: bytes) -> bytes:
    """What stands before the content of a part."""
    return f"--{BOUNDARY}".encode() + b"\r\nContent-Disposition: form-data; " + description + b"\r\n\r\n"


def post(
    connection: HTTPConnection,
    files: Sequence[File],
    size_bytes: int,
    *,
    as_list: bool,
    passing: Callable[[Iterable[bytes]], Iterable[bytes]] = iter,
) -> None:
    """Uploads files in one request, on a connection that is kept open. The body goes through `passing`.

    Raises:
        WrongAnswerError: if the answer is not that exactly these files were stored.
    """
    pieces, length = form(files, as_list=as_list)
    headers = {
        "Host": NAMED_HOST,
        "Content-Type": f"multipart/form-data; boundary={BOUNDARY}",
        "Content-Length": str(length),
        "Apollo-Require-Preflight": "1",
    }
    connection.request("POST", "/graphql", body=passing(pieces), headers=headers)
    answer = connection.getresponse()
    body = answer.read()
    stored = [{"image": {"fileSize": size_bytes, "checksum": file.checksum}, "errors": []} for file in files]
    data = {"uploadImages": {"results": stored}} if as_list else {"uploadImage": stored[0]}
    if answer.status != 200 or orjson.loads(body) != {"data": data}:
        message = f"{answer.status} {body[:500]!r} for files of {size_bytes} bytes: {data}"
        raise WrongAnswerError(message)
