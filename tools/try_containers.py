"""Builds the image, starts all of docker-compose.yml with it, and does what people do: `make containers`.

It runs as a project of its own, on a free port of loopback, with secrets made for it; at the end everything but the
image is removed, volumes too. The environment may name other images: PYTHON_IMAGE, POSTGRES_IMAGE, VALKEY_IMAGE,
S3_IMAGE. Exit code 1 says that something did not hold; then the last lines of every container's log are printed.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pyvips

ROOT = Path(__file__).resolve().parent.parent
IMAGE = "gallery:trial"

BUILD_ARGUMENTS = ("PYTHON_IMAGE", "PIP_CERT", "PIP_DEFAULT_TIMEOUT", "PIP_EXTRA_INDEX_URL", "PIP_INDEX_URL")
"""Handed to the build where the environment has them."""

LIMIT_SECONDS = 180
"""For whatever is waited for."""

RED, BLUE = (200, 30, 30), (30, 30, 200)
TOLERANCE = 12
"""By how much lossy compression may change the level of a plain area, of 255."""

UPLOAD = """mutation ($file: Upload!) {
  uploadImage(input: {file: $file}) { image { id width height } errors { code message } }
}"""
IMAGES = """{ images(first: 10) { totalCount nodes {
  id url checksum thumbnails { small { url width height } medium { url } large { url } } } } }"""
DELETE = "mutation ($id: ID!) { deleteImage(input: {id: $id}) { image { id } errors { code message } } }"

INSIDE = """import json, os, shutil, sys
status = dict(line.split(":", 1) for line in open("/proc/1/status"))
made_of = json.load(open(os.path.join(sys.prefix, "share", "gallery", "sbom.cdx.json")))["components"]
print(json.dumps({
    "user": os.getuid(),
    "capabilities": status["CapBnd"].strip(),
    "writable": [folder for folder in ("/", "/opt/venv", "/tmp", "/var/tmp") if os.access(folder, os.W_OK)],
    "tools": [name for name in ("cc", "gcc", "g++", "clang", "ld", "make") if shutil.which(name)],
    "pip": os.path.exists(os.path.join(sys.prefix, "bin", "pip")),
    "new_privileges": status["NoNewPrivs"].strip() == "0",
    "unlicensed": [part["name"] for part in made_of if not part.get("licenses")],
    "knows_its_parts": {"starlette", "strawberry-graphql", "sqlalchemy"} <= {part["name"].lower() for part in made_of},
}))"""
"""Tells from inside a container what it allows; of folders on a read-only file system none is writable."""

CONFINED = {
    "user": 10001,
    "capabilities": "0" * 16,
    "writable": ["/tmp"],  # noqa: S108  # the place for temporary files is the point
    "tools": [],
    "pip": False,
    "new_privileges": False,
    "unlicensed": [],
    "knows_its_parts": True,
}


class TrialError(Exception):
    """Something did not hold."""


def main() -> int:
    """Runs the trial and says how it went."""
    started = time.monotonic()
    project = Project(compose=_compose_command())
    try:
        _build()
        with project.running(), httpx.Client(base_url=project.url, timeout=30) as client:
            _try(project, Gallery(client))
    except (TrialError, httpx.HTTPError) as error:
        print(f"FAILED: {error}")
        return 1
    print(f"all held, after {time.monotonic() - started:.0f} s")
    return 0


def _try(project: Project, gallery: Gallery) -> None:
    gallery.wait_until_ready()
    _check_confinement(project)
    original = _photograph()
    image_id = gallery.upload(original)
    image = gallery.wait_for_thumbnails(image_id)
    gallery.check_bytes(image, original)
    step("stopping and starting everything: the volumes keep what was stored")
    project.stop()
    project.start()
    gallery.wait_until_ready()
    gallery.check_bytes(gallery.find(image_id), original)
    gallery.delete(image_id)
    gallery.check_gone(image)


def step(text: str) -> None:
    """Says what is tried now."""
    print(f"- {text}", flush=True)


def expect(found: object, wanted: object, what: str) -> None:
    """Passes if the two are equal.

    Raises:
        TrialError: if not.
    """
    if found != wanted:
        message = f"{what}: {found!r} instead of {wanted!r}"
        raise TrialError(message)


# Containers


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """The services of docker-compose.yml under a name, a port and secrets of their own."""

    compose: tuple[str, ...]
    name: str = field(default_factory=lambda: f"gallery-trial-{secrets.token_hex(4)}")
    port: int = field(default_factory=_free_port)
    secret: str = field(default_factory=lambda: secrets.token_hex(24), repr=False)

    @property
    def url(self) -> str:
        """Where the API is published."""
        return f"http://127.0.0.1:{self.port}"

    @contextmanager
    def running(self) -> Iterator[None]:
        """Starts everything; at the end removes it again, after printing the logs if something failed."""
        try:
            self.start()
            yield
        except BaseException:
            print(self.run("ps", check=False), self.run("logs", "--no-color", "--tail=60", check=False), sep="\n")
            raise
        finally:
            step("removing the containers, networks and volumes")
            self.run("down", "--volumes", "--remove-orphans", check=False)

    def start(self) -> None:
        """Starts everything in the order of docker-compose.yml."""
        step(f"starting project {self.name} on {self.url}")
        self.run("up", "--detach", "--no-build")

    def stop(self) -> None:
        """Stops everything and removes all but the named volumes.

        Raises:
            TrialError: if a container had to be killed, or lost what it was about to write.
        """
        self.run("stop")
        containers = self.run("ps", "--all", "--quiet").split()
        codes = _run(["docker", "inspect", "--format", "{{.Name}} {{.State.ExitCode}}", *containers]).splitlines()
        expect([line for line in codes if not line.endswith(" 0")], [], "containers that did not end in order")
        self.run("rm", "--stop", "--force", "-v")

    def run(self, *arguments: str, check: bool = True) -> str:
        """What a command of Compose prints; shown if it fails."""
        return _run(
            [*self.compose, "--project-name", self.name, *arguments], environment=self._environment(), check=check
        )

    def _environment(self) -> dict[str, str]:
        own = {
            "APP_IMAGE": IMAGE,
            "APP_PORT": str(self.port),
            "POSTGRES_PASSWORD": self.secret,
            "VALKEY_PASSWORD": self.secret,
            "S3_SECRET_ACCESS_KEY": self.secret,
        }
        return {name: value for name, value in os.environ.items() if not name.startswith("GALLERY_")} | own


def _compose_command() -> tuple[str, ...]:
    """Compose as a plugin of docker, else as a program of its own."""
    for command in (("docker", "compose"), ("docker-compose",)):
        try:
            subprocess.run([*command, "version"], check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            continue
        return command
    sys.exit("Neither `docker compose` nor `docker-compose` runs here. Install Docker with Compose first.")


def _build() -> None:
    step(f"building {IMAGE}")
    given = [f"--build-arg={name}={os.environ[name]}" for name in BUILD_ARGUMENTS if name in os.environ]
    # The network of the host reaches what the host reaches: a package index behind a proxy, for one.
    _run(["docker", "build", "--network=host", f"--tag={IMAGE}", *given, "."])


def _run(command: list[str], *, environment: dict[str, str] | None = None, check: bool = True) -> str:
    result = subprocess.run(
        command, cwd=ROOT, env=environment, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    if check and result.returncode:
        message = f"{result.stdout}\n`{' '.join(command)}` ended with {result.returncode}"
        raise TrialError(message)
    return result.stdout


def _check_confinement(project: Project) -> None:
    for service in ("api", "worker"):
        step(f"{service}: not root, no capabilities, nothing writable but /tmp, no compiler, no pip")
        facts = json.loads(project.run("exec", "-T", service, "python", "-c", INSIDE))
        expect(facts, CONFINED, f"what {service} may do")


# The gallery


@dataclass(frozen=True, slots=True)
class Gallery:
    """What a client does."""

    client: httpx.Client

    def wait_until_ready(self) -> None:
        """Passes once the API says that it is ready."""
        step("waiting until the API is ready")

        def ready() -> bool:
            try:
                return self.client.get("/readyz").is_success
            except httpx.TransportError:  # not listening yet
                return False

        _wait(ready, "the API is not ready")

    def upload(self, original: bytes) -> str:
        """Uploads a JPEG file; answers with the image's id."""
        step(f"uploading a photograph of {len(original):,} bytes")
        response = self.client.post(
            "/graphql",
            headers={"Apollo-Require-Preflight": "true"},
            data={
                "operations": json.dumps({"query": UPLOAD, "variables": {"file": None}}),
                "map": json.dumps({"0": ["variables.file"]}),
            },
            files={"0": ("trial.jpg", original, "image/jpeg")},
        )
        payload = _data(response)["uploadImage"]
        expect(payload["errors"], [], "errors of the upload")
        image: dict[str, Any] = payload["image"]
        expect((image["width"], image["height"]), (1200, 800), "size of the image")
        return str(image["id"])

    def wait_for_thumbnails(self, image_id: str) -> dict[str, Any]:
        """The image, once the worker has made its thumbnails."""
        step("waiting for its thumbnails")
        _wait(lambda: all(self.find(image_id)["thumbnails"].values()), "there are no thumbnails")
        return self.find(image_id)

    def find(self, image_id: str) -> dict[str, Any]:
        """The image as the list of all images shows it."""
        for image in self._images()["nodes"]:
            if image["id"] == image_id:
                found: dict[str, Any] = image
                return found
        message = f"{image_id} is not in the list of images"
        raise TrialError(message)

    def check_bytes(self, image: dict[str, Any], original: bytes) -> None:
        """Reads the original and a thumbnail back and looks at their pixels."""
        step("reading the original and the small thumbnail back")
        if self._get(image["url"]) != original:
            message = "the original came back changed"
            raise TrialError(message)
        small = image["thumbnails"]["small"]
        pixels = pyvips.Image.new_from_buffer(self._get(small["url"]), "")
        expect((pixels.width, pixels.height), (small["width"], small["height"]), "size of the thumbnail")
        _check_colour(pixels, 0.25, RED)
        _check_colour(pixels, 0.75, BLUE)

    def delete(self, image_id: str) -> None:
        """Deletes the image."""
        step("deleting it")
        response = self.client.post("/graphql", json={"query": DELETE, "variables": {"id": image_id}})
        expect(_data(response)["deleteImage"]["errors"], [], "errors of the deletion")

    def check_gone(self, image: dict[str, Any]) -> None:
        """Passes if neither the list nor the address of the image shows it any more."""
        expect(self._images()["totalCount"], 0, "images after the deletion")
        expect(self.client.get(image["url"]).status_code, 404, "status of the deleted original")

    def _images(self) -> dict[str, Any]:
        images: dict[str, Any] = _data(self.client.post("/graphql", json={"query": IMAGES}))["images"]
        return images

    def _get(self, url: str) -> bytes:
        return self.client.get(url).raise_for_status().content


def _photograph() -> bytes:
    """A JPEG file of 1200 x 800 pixels, red on the left and blue on the right."""
    left, right = (
        pyvips.Image.black(600, 800).new_from_image(colour).copy(interpretation="srgb") for colour in (RED, BLUE)
    )
    return bytes(left.join(right, "horizontal").jpegsave_buffer(Q=90))


def _check_colour(pixels: pyvips.Image, share_of_width: float, wanted: tuple[int, ...]) -> None:
    found = pixels.getpoint(int(pixels.width * share_of_width), pixels.height // 2)[:3]
    if any(abs(level - right) > TOLERANCE for level, right in zip(found, wanted, strict=True)):
        message = f"the thumbnail has the colour {found} where {wanted} is right"
        raise TrialError(message)


def _data(response: httpx.Response) -> dict[str, Any]:
    answer = response.raise_for_status().json()
    expect(answer.get("errors"), None, "GraphQL errors")
    data: dict[str, Any] = answer["data"]
    return data


def _wait(holds: Callable[[], bool], complaint: str) -> None:
    end = time.monotonic() + LIMIT_SECONDS
    while not holds():
        if time.monotonic() > end:
            message = f"{complaint} after {LIMIT_SECONDS} s"
            raise TrialError(message)
        time.sleep(0.5)


if __name__ == "__main__":
    sys.exit(main())
