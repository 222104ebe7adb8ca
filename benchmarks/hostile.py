"""Documents that are made to keep a server busy: how long each takes, and how long a bystander waits meanwhile.

    python -m benchmarks hostile [--rounds 5] [--json FILE]

Each is sent several times, different each time, to a real process; a bystander asks for nothing again and again.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import orjson

from benchmarks.harness import Store, parser, place, run
from benchmarks.hostile_documents import ACCEPTED, REFUSED
from benchmarks.load import HOST, PATIENCE_SECONDS, post_request
from benchmarks.processes import MeasuredProcess, gallery_command, serving

BYSTANDER = post_request(orjson.dumps({"query": "{ __typename }"}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What a document did: medians and the worst, in milliseconds."""

    name: str
    characters: int
    code: str
    cpu_ms: float
    answer_ms: float
    bystander_ms: float
    bystander_worst_ms: float


async def asked(port: int, request: bytes) -> dict[str, Any]:
    """The answer to a request on a connection of its own."""
    reader, writer = await asyncio.open_connection(HOST, port)
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
            answer: dict[str, Any] = orjson.loads(await reader.readexactly(int(length.partition(b":")[2])))
            return answer
    finally:
        writer.close()


async def waits(port: int, until: asyncio.Task[dict[str, Any]]) -> list[float]:
    """How long each question of a bystander took while a document was looked at, in milliseconds."""
    reader, writer = await asyncio.open_connection(HOST, port)
    found = []
    try:
        while not until.done():
            began = time.perf_counter()
            writer.write(BYSTANDER)
            await reader.readuntil(b"}}")
            found.append((time.perf_counter() - began) * 1000)
    finally:
        writer.close()
    return found


async def measure_document(server: MeasuredProcess, name: str, document: str, rounds: int) -> Figures:
    """Sends a document again and again, with another comment each time."""
    cpu, answers, bystander, code = [], [], [], "executed"
    for number in range(rounds):
        request = post_request(orjson.dumps({"query": f"{document} # {number}"}))
        cpu_began, began = server.cpu_seconds(), time.perf_counter()
        asking = asyncio.create_task(asked(server.port, request))
        bystander += await waits(server.port, asking)
        answer = await asking
        answers.append((time.perf_counter() - began) * 1000)
        cpu.append((server.cpu_seconds() - cpu_began) * 1000)
        code = answer["errors"][0]["extensions"]["code"] if "data" not in answer else "executed"
    return Figures(
        name=name,
        characters=len(document),
        code=code,
        cpu_ms=_median(cpu),
        answer_ms=_median(answers),
        bystander_ms=_median(bystander),
        bystander_worst_ms=max(bystander),
    )


def _median(values: Sequence[float]) -> float:
    return sorted(values)[len(values) // 2]


async def main() -> None:
    """Measures all documents, and prints a line for each."""
    options = parser(__doc__, rounds=5).parse_args()
    documents: Mapping[str, str] = {**ACCEPTED, **{name: document for name, (_, document) in REFUSED.items()}}
    figures = []
    print(f"{'document':24} {'characters':>10} {'cpu':>7} {'answer':>8} {'bystander, worst':>18}  code")
    async with place(Store.SINK) as here:
        command = gallery_command(here.gallery_settings())
        async with serving(command, here.folder / "gallery", here.cores.server) as server:
            await asked(server.port, BYSTANDER)
            for name, document in documents.items():
                found = await measure_document(server, name, document, options.rounds)
                figures.append(asdict(found))
                print(
                    f"{name:24} {found.characters:10,} {found.cpu_ms:4.0f} ms {found.answer_ms:5.0f} ms "
                    f"{found.bystander_ms:6.1f}, {found.bystander_worst_ms:5.1f} ms  {found.code}"
                )
    if options.json:
        options.json.write_bytes(orjson.dumps(figures))


if __name__ == "__main__":
    run(main)
