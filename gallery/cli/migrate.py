"""`gallery migrate`: brings the database to what this version needs."""

from __future__ import annotations

from typing import Annotated

import typer

from gallery.cli.running import DataDir, run, settings_of
from gallery.container import database_url, running_services
from gallery.logs import configure_logging
from gallery.platform.database.migrate import head_revision, upgrade
from gallery.platform.storage.s3 import connect_storage
from gallery.settings import Settings

CreateBucket = Annotated[bool, typer.Option("--create-bucket", help="Also create the bucket, if it does not exist.")]


def migrate(create_bucket: CreateBucket = False, data_dir: DataDir = None) -> None:  # noqa: FBT002  # a flag
    """Bring the database up to date. Safe to run at any time, and beside a running gallery."""
    settings = settings_of({"data_dir": data_dir})
    configure_logging(settings.log)
    run(lambda: _migrate(settings, with_bucket=create_bucket))


async def _migrate(settings: Settings, *, with_bucket: bool) -> None:
    async with running_services(settings, exclusive=False) as (complete, _):
        await upgrade(database_url(complete))
        typer.echo(f"The database is up to date (revision {head_revision()}).")
        if with_bucket:
            async with connect_storage(complete.storage) as storage:
                await storage.create_bucket()
            typer.echo(f"The bucket {complete.storage.bucket} is there.")
