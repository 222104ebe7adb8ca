"""The command: what it prints, with which code it exits, and what it refuses to do."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest

from tests.e2e.gallery_server import ROOT, run_gallery, serving, working
from tests.e2e.places import Place, StoredObjects
from tests.photographs import jpeg, png

NOBODY_URL = "127.0.0.1:1"
NO_WORKER = {"GALLERY_WORKER__EMBEDDED": "false"}
MISSING = {
    "database": (
        {"GALLERY_DATABASE__URL": f"postgresql://ada:hunter2@{NOBODY_URL}/gallery"},
        f"PostgreSQL at {NOBODY_URL}/gallery does not answer",
    ),
    "storage": ({"GALLERY_STORAGE__ENDPOINT_URL": f"http://{NOBODY_URL}"}, f"http://{NOBODY_URL}"),
    "cache": ({"GALLERY_CACHE__URL": f"redis://:hunter2@{NOBODY_URL}/0"}, f"Valkey at {NOBODY_URL}/0 does not answer"),
}
COUNTS = """
{ stats { imageCount } images { nodes { originalFilename tags { name } albums { title } } } albums { totalCount } }
"""


@pytest.fixture
async def new_bucket(place: Place) -> AsyncIterator[StoredObjects]:
    """A bucket that a test is to create, removed afterwards."""
    objects = StoredObjects(
        client=place.objects.client, access=place.objects.access, bucket=f"gallery-e2e-{uuid4().hex[:12]}"
    )
    yield objects
    await objects.remove_all()


# What can be read


async def test_help_names_every_command() -> None:
    ended = await run_gallery("--help")

    assert (ended.exit_code, ended.complaints) == (0, "")
    for command in ("serve", "worker", "migrate", "import", "doctor", "token", "settings", "schema"):
        assert f"\n  {command} " in ended.output


async def test_plain_settings_are_one_line_each_and_hide_secrets() -> None:
    given = {
        "GALLERY_DATABASE__URL": "postgresql://ada:hunter2@db.example/gallery",
        "GALLERY_STORAGE__ACCESS_KEY_ID": "AKIAHUNTER2",
        "GALLERY_STORAGE__SECRET_ACCESS_KEY": "hunter2",
        "GALLERY_SERVER__PORT": "9000",
    }

    plain = await run_gallery("settings", "--plain", settings=given)
    table = await run_gallery("settings", settings=given)

    assert (plain.exit_code, plain.complaints, table.exit_code) == (0, "", 0)
    lines = plain.output.splitlines()
    assert all(line.startswith("GALLERY_") and "=" in line for line in lines)
    assert {"GALLERY_DATABASE__URL=(hidden)", "GALLERY_SERVER__PORT=9000", "GALLERY_AUTH__MODE=local"} <= set(lines)
    assert "hunter2" not in (plain.output + table.output).lower()


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (
            {"GALLERY_SERVER__PORT": "seventy"},
            ["GALLERY_SERVER__PORT is 'seventy'", "valid integer", "TCP port to listen on"],
        ),
        ({"GALLERY_DATABASE__URL": "mysql://a:hunter2@b/c"}, ["GALLERY_DATABASE__URL", "postgresql://"]),
        (
            {"GALLERY_DATABSE__URL": "x"},
            ["GALLERY_DATABSE__URL is not a setting", "Did you mean GALLERY_DATABASE__URL?"],
        ),
    ],
)
async def test_wrong_setting_stops_the_start_with_what_it_takes(
    folder: Path, given: dict[str, str], expected: list[str]
) -> None:
    ended = await run_gallery("serve", "--data-dir", folder / "data", settings=given)

    assert (ended.exit_code, ended.output) == (2, "")
    assert len(ended.complaints.splitlines()) == 1
    for text in expected:
        assert text in ended.complaints
    assert "hunter2" not in ended.complaints
    assert not (folder / "data").exists()


async def test_schema_is_checked_against_a_file(folder: Path) -> None:
    stale = folder / "stale.graphql"
    stale.write_text((ROOT / "schema.graphql").read_text().replace("originalFilename", "oldName"))

    committed = await run_gallery("schema", "--check", ROOT / "schema.graphql")
    changed = await run_gallery("schema", "--check", stale)

    assert (committed.exit_code, committed.output, committed.complaints) == (0, "", "")
    assert changed.exit_code == 1
    assert "+  originalFilename: String!" in changed.output.splitlines()
    assert "is stale" in changed.complaints


# Services


async def test_doctor_finds_everything_well(place: Place) -> None:
    ended = await run_gallery("doctor", settings=place.settings)

    assert (ended.exit_code, ended.complaints) == (0, "")
    assert all(line.startswith("ok  ") for line in ended.output.splitlines())
    for service in ("PostgreSQL", "S3 storage", "Valkey"):
        assert f"ok  {service} at " in ended.output
    assert place.objects.access.secret_access_key not in ended.output


@pytest.mark.parametrize("service", MISSING)
async def test_doctor_tells_of_a_service_that_is_missing(place: Place, service: str) -> None:
    setting, expected = MISSING[service]

    ended = await run_gallery("doctor", settings={**place.settings, **setting})

    assert (ended.exit_code, ended.complaints) == (1, "")
    ill = [line for line in ended.output.splitlines() if line.startswith("!!  ")]
    assert len(ill) == 1
    assert expected in ill[0]
    assert "hunter2" not in ended.output


@pytest.mark.parametrize("service", MISSING)
async def test_probe_minds_only_what_the_gallery_cannot_do_without(place: Place, service: str) -> None:
    setting, expected = MISSING[service]

    ended = await run_gallery("doctor", "--probe", settings={**place.settings, **setting})

    assert ended.exit_code == (0 if service == "cache" else 1)
    assert ended.output == ""
    assert expected in ended.complaints


async def test_server_does_not_start_without_what_it_needs(place: Place) -> None:
    missing = [MISSING["database"], MISSING["storage"]]
    settings = {**place.settings, **missing[0][0], **missing[1][0]}

    ended = await run_gallery("serve", "--port", "0", settings=settings)

    assert (ended.exit_code, ended.output) == (1, "")
    *problems, hint = ended.complaints.splitlines()
    assert len(problems) == len(missing)
    for problem, (_, expected) in zip(problems, missing, strict=True):
        assert expected in problem
    assert hint == "gallery: `gallery doctor` looks at everything."


async def test_server_starts_without_a_cache_and_warns(place: Place, folder: Path) -> None:
    setting, expected = MISSING["cache"]

    async with serving(folder / "log", settings={**place.settings, **setting}) as (server, api):
        assert (await api.upload("a.jpg", jpeg()))["outcome"] == "CREATED"
        assert (await api.stats())["imageCount"] == 1
        warnings = [line for line in server.log_text().splitlines() if line.startswith("gallery: ")]
        assert len(warnings) == 1
        assert warnings[0].startswith(f"gallery: WARNING: {expected}")


async def test_database_is_migrated_and_bucket_created_on_demand(
    place: Place, empty_database_url: str, new_bucket: StoredObjects, folder: Path
) -> None:
    settings = {
        **place.settings,
        "GALLERY_DATABASE__URL": empty_database_url,
        "GALLERY_STORAGE__BUCKET": new_bucket.bucket,
    }

    unmigrated = await run_gallery("serve", "--port", "0", settings=settings)
    migrated = await run_gallery("migrate", "--create-bucket", settings=settings)
    again = await run_gallery("migrate", "--create-bucket", settings=settings)

    assert (unmigrated.exit_code, unmigrated.output) == (1, "")
    database, storage, hint = unmigrated.complaints.splitlines()
    assert database.endswith("Run `gallery migrate`.")
    assert new_bucket.bucket in storage
    assert storage.endswith("Create it, or correct GALLERY_STORAGE__BUCKET.")
    assert hint == "gallery: `gallery doctor` looks at everything."
    assert (migrated.exit_code, migrated.complaints) == (0, "")
    assert f"\nThe bucket {new_bucket.bucket} is there.\n" in migrated.output
    assert (again.exit_code, again.output) == (0, migrated.output)
    async with serving(folder / "log", settings=settings) as (_, api):
        assert (await api.upload("a.jpg", jpeg()))["outcome"] == "CREATED"
    assert len(await new_bucket.keys()) >= 1


async def test_worker_makes_the_thumbnails_that_the_server_leaves_to_it(place: Place, folder: Path) -> None:
    async with serving(folder / "log", settings={**place.settings, **NO_WORKER}) as (_, api):
        image = (await api.upload("a.jpg", jpeg(1000, 800)))["image"]
        assert (await api.image(image["id"]))["processing"] == "PENDING"
        assert await place.count("renditions") == [0]

        async with working(folder / "worker-log", place.settings):
            processed = await api.until_processed(image["id"])

        assert processed["processing"] == "READY"
        assert [size["width"] for size in processed["thumbnails"].values()] == [320, 960, 1000]


# Addresses and folders


async def test_server_is_not_exposed_unless_that_was_decided(place: Place, folder: Path) -> None:
    refused = await run_gallery("serve", "--host", "0.0.0.0", "--port", "0", settings=place.settings)  # noqa: S104  # it must not listen

    assert (refused.exit_code, refused.output) == (2, "")
    assert refused.complaints.startswith("gallery: Not listening on 0.0.0.0")
    assert "GALLERY_AUTH__MODE=open" in refused.complaints

    # Any address that is not the usual one needs the same decision; this one leads nowhere else.
    settings = {**place.settings, "GALLERY_AUTH__MODE": "open"}
    async with serving(folder / "log", "--host", "127.0.0.2", settings=settings) as (server, api):
        assert server.url.startswith("http://127.0.0.2:")
        assert (await api.stats())["imageCount"] == 0
        first, *_ = server.log_text().splitlines()
        assert first == "gallery: WARNING: open to everybody who reaches 127.0.0.2; there is no authentication."


async def test_port_that_is_taken_is_told_before_anything_is_started(folder: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        ended = await run_gallery("serve", "--port", str(port), "--data-dir", folder / "data")

    assert (ended.exit_code, ended.output) == (1, "")
    expected = f"gallery: Cannot listen on 127.0.0.1 port {port}: Address already in use. Choose another with --port.\n"
    assert ended.complaints == expected
    assert not (folder / "data").exists()


async def test_data_folder_has_one_server_and_each_server_a_gallery_of_its_own(folder: Path) -> None:
    one, other = folder / "one", folder / "other"
    async with serving(folder / "log", "--data-dir", one) as (_, api):
        await api.upload("a.jpg", jpeg())

        second = await run_gallery("serve", "--port", "0", "--data-dir", one)
        doctor = await run_gallery("doctor", "--data-dir", one)
        async with serving(folder / "other-log", "--data-dir", other) as (_, other_api):
            counts = [(await client.stats())["imageCount"] for client in (api, other_api)]

        assert (second.exit_code, second.output) == (1, "")
        assert len(second.complaints.splitlines()) == 1
        assert str(one) in second.complaints
        assert (doctor.exit_code, doctor.complaints) == (0, "")
        assert counts == [1, 0]
        assert (await api.http.get("/readyz")).status_code == 200


# Import


async def test_folder_is_imported_once(place: Place, folder: Path) -> None:
    photographs = folder / "photographs"
    (photographs / "inner").mkdir(parents=True)
    (photographs / "a.jpg").write_bytes(jpeg())
    (photographs / "inner" / "b.png").write_bytes(png())
    (photographs / "notes.txt").write_text("no picture at all")
    (photographs / ".hidden.jpg").write_bytes(jpeg(100, 100))

    first = await run_gallery("import", photographs, settings=place.settings)
    second = await run_gallery("import", photographs, settings=place.settings)

    assert (first.exit_code, first.output) == (1, "2 imported, 0 existing, 1 refused\n")
    assert "refused  notes.txt: The file is not an image." in first.complaints
    assert (second.exit_code, second.output) == (1, "0 imported, 2 existing, 1 refused\n")
    assert await place.count("images", "albums", "tags") == [2, 0, 0]
    assert len(await place.objects.keys()) == 2
    assert await place.objects.open_uploads() == []


async def test_imported_images_get_tags_and_a_new_album(place: Place, folder: Path) -> None:
    photographs = folder / "photographs"
    photographs.mkdir()
    (photographs / "a.jpg").write_bytes(jpeg())
    arguments = ("import", photographs, "--tag", "Sea", "--tag", "Summer", "--album", "Holidays")

    ended = await run_gallery(*arguments, settings=place.settings)

    assert (ended.exit_code, ended.output) == (0, "1 imported, 0 existing, 0 refused\n")
    async with serving(folder / "log", settings=place.settings) as (_, api):
        assert await api.ask(COUNTS) == {
            "stats": {"imageCount": 1},
            "images": {
                "nodes": [
                    {
                        "originalFilename": "a.jpg",
                        "tags": [{"name": "Sea"}, {"name": "Summer"}],
                        "albums": [{"title": "Holidays"}],
                    }
                ]
            },
            "albums": {"totalCount": 1},
        }
