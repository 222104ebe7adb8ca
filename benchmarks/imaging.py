"""Measures what one image costs: `python -m benchmarks imaging [PHOTO]`.

Without a photograph a picture with about as much detail is made. Every line is measured in a process of its own, so
that the peak of its memory is its own.
"""

from __future__ import annotations

import asyncio
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pyvips

from gallery.domain.ports import RenderedImage
from gallery.platform.imaging.inspect import inspect_image
from gallery.platform.imaging.renditions import DEFAULT_SIZES_PX, make_renditions
from gallery.platform.imaging.verify import VipsImageVerifier

ROUNDS = 5
CHUNK_BYTES = 128 * 1024
WIDTH_PX, HEIGHT_PX = 6000, 4000
SAVED_AS = {"jpeg": ".jpg[Q=90]", "png": ".png", "webp": ".webp[Q=85,effort=1]", "avif": ".avif[Q=60,effort=0]"}


def prepare(folder: Path, photo: str | None) -> None:
    """Writes the image of 24 megapixels in each format."""
    image = pyvips.Image.new_from_file(photo) if photo else landscape()
    image = image.resize(WIDTH_PX / image.width, vscale=HEIGHT_PX / image.height).copy_memory()
    for name, suffix in SAVED_AS.items():
        image.write_to_file(f"{folder / name}{suffix}")


def landscape() -> pyvips.Image:
    """Soft shapes of several sizes with grain, in three colours."""
    bands = []
    for seed in range(3):
        shapes = sum(
            pyvips.Image.perlin(3000, 2000, cell_size=cell_px, seed=seed * 9 + cell_px) * weight
            for cell_px, weight in ((512, 70), (64, 30), (8, 12))
        )
        bands.append(shapes + pyvips.Image.gaussnoise(3000, 2000, mean=128, sigma=3, seed=seed))
    return bands[0].bandjoin(bands[1:]).cast("uchar").copy(interpretation="srgb")


def measure(path: Path, effort: int, threads: int) -> str:
    """Time and memory of one file, in this process."""
    pyvips.concurrency_set(threads)
    head = path.read_bytes()[: 8 * 1024 * 1024]
    complete = len(head) == path.stat().st_size
    before_mb = peak_mb()
    inspected: list[float] = []
    rendered: list[float] = []
    renditions: tuple[RenderedImage, ...] = ()
    for _ in range(ROUNDS):
        started = time.perf_counter()
        inspect_image(head, complete=complete)
        inspected.append(time.perf_counter() - started)
        started = time.perf_counter()
        renditions = make_renditions(path, DEFAULT_SIZES_PX, effort=effort)
        rendered.append(time.perf_counter() - started)
    passed_ms, decoded_ms = asyncio.run(checked(path.read_bytes()))
    kilobytes = "/".join(str(len(made.data) // 1000) for made in renditions)
    return (
        f"{path.stem:5} effort {effort} threads {threads}: inspect {statistics.median(inspected) * 1000:5.1f} ms, "
        f"check while it passes {passed_ms:5.1f} ms, decode {decoded_ms:5.1f} ms of processor time, "
        f"render {statistics.median(rendered) * 1000:5.0f} ms, {kilobytes} kB, "
        f"memory +{peak_mb() - before_mb:.0f} MB over {before_mb:.0f} MB"
    )


async def checked(content: bytes) -> tuple[float, float]:
    """Milliseconds of processor time: to find out while a file passes whether it is sound, and to decode all of it."""
    info, verifier = inspect_image(content, complete=True), VipsImageVerifier()
    passed: list[float] = []
    decoded: list[float] = []
    for _ in range(ROUNDS):
        began = time.process_time()
        check = verifier.follow(info)
        async for chunk in chunks(content):
            check.feed(chunk)
        await check.settle()
        check.close()
        passed.append(time.process_time() - began)
        began = time.process_time()
        await verifier.verify(info, chunks(content))
        decoded.append(time.process_time() - began)
    return statistics.median(passed) * 1000, statistics.median(decoded) * 1000


async def chunks(content: bytes) -> AsyncIterator[bytes]:
    """A file as the storage gives it."""
    for start in range(0, len(content), CHUNK_BYTES):
        yield content[start : start + CHUNK_BYTES]


def peak_mb() -> float:
    """The most memory that this process ever held, in megabytes (Linux counts it in kibibytes)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1_000_000


def main() -> None:
    """Does what the arguments say."""
    match sys.argv[1:]:
        case ["--measure", path, effort, threads]:
            print(measure(Path(path), int(effort), int(threads)))
        case ["--prepare", folder, *photo]:
            prepare(Path(folder), photo[0] if photo else None)
        case photo:
            measure_all(photo)


def measure_all(photo: list[str]) -> None:
    """Measures every case in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, __file__, "--prepare", folder, *photo], check=True)
        cases = [("jpeg", effort, 2) for effort in range(7)]
        cases += [("jpeg", 4, 1), ("png", 4, 2), ("webp", 4, 2), ("avif", 4, 2)]
        for name, effort, threads in cases:
            path = next(Path(folder).glob(f"{name}.*"))
            subprocess.run([sys.executable, __file__, "--measure", str(path), str(effort), str(threads)], check=True)


if __name__ == "__main__":
    main()
