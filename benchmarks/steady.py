"""Whether strangers can fill the memory: a stream of documents of which no two are the same, to a real process.

    python -m benchmarks steady [--documents 50000]

Every tenth is refused, every hundredth has two hundred fields, and every twentieth comes again at once, so that it is
kept and compiled. Prints the resident memory after the first thousand and at the end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import orjson

from benchmarks.harness import Store, between, parser, place, run
from benchmarks.load import HOST, post_request
from benchmarks.processes import MEBIBYTE, MeasuredProcess, gallery_command, serving

WARM_UP = 1_000
CONNECTIONS = 8


def documents(first: int, end: int) -> Iterator[str]:
    """Documents by their numbers, some of them twice."""
    for number in range(first, end):
        if number % 10 == 0:
            yield f"{{ nothing{number} }}"
        elif number % 100 == 1:
            yield f"{{ {' '.join(f'a{number}b{field}: __typename' for field in range(200))} }}"
        else:
            yield f"query Q{number} {{ a{number}: __typename b: __typename }}"
        if number % 20 == 0:
            yield f"query Again{number} {{ a{number}: __typename }}"
            yield f"query Again{number} {{ a{number}: __typename }}"


async def send(port: int, sent: Iterator[str]) -> None:
    """Sends what is left of the documents, one after the other, and reads the answers."""
    reader, writer = await asyncio.open_connection(HOST, port)
    try:
        for document in sent:
            writer.write(post_request(orjson.dumps({"query": document})))
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
            await reader.readexactly(int(length.partition(b":")[2]))
    finally:
        writer.close()


async def send_all(server: MeasuredProcess, first: int, end: int) -> float:
    """Sends documents on several connections; the resident memory afterwards, in MiB."""
    sent = documents(first, end)
    await asyncio.gather(*(send(server.port, sent) for _ in range(CONNECTIONS)))
    return server.resident_bytes() / MEBIBYTE


async def main() -> None:
    """Sends them all, and prints what it did to the memory."""
    options = parser(__doc__, rounds=1)
    options.add_argument("--documents", type=between(2_000, 1_000_000), default=50_000, help="(50,000)")
    count = options.parse_args().documents
    async with place(Store.SINK) as here:
        command = gallery_command(here.gallery_settings())
        async with serving(command, here.folder / "gallery", here.cores.server) as server:
            before = await send_all(server, 0, WARM_UP)
            after = await send_all(server, WARM_UP, count)
    print(f"after {WARM_UP:,} documents {before:6.1f} MiB")
    print(f"after {count:,} documents {after:6.1f} MiB, {after / before:.2f} of that")


if __name__ == "__main__":
    run(main)
