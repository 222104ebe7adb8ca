"""The requests that upload files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from http.client import HTTPConnection

import orjson

from benchmarks.jpeg_files import File
from benchmarks.load import NAMED_HOST, WrongAnswerError

PAYLOAD = "{ image { fileSize checksum } errors { code } }"
ONE_FILE = f"mutation Upload($input: UploadImageInput!) {{ uploadImage(input: $input) {PAYLOAD} }}"
LIST = f"mutation Upload($input: UploadImagesInput!) {{ uploadImages(input: $input) {{ results {PAYLOAD} }} }}"
BOUNDARY = "benchmark-of-uploads"


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
