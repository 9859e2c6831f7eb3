"""`smolit backup` and `smolit restore`: everything that cannot be made again, in a folder, and back."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from smolit.backup import put_back as putting
from smolit.backup.take import take
from smolit.cli import out
from smolit.cli.desk import now, open_desk
from smolit.cli.option import DryRun, Json
from smolit.settings import load_settings
from smolit.stack import local

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="Folder of the backup.", file_okay=False)]


def backup(folder: Folder, as_json: Json = False) -> None:
    """Write log and tables into a folder while everything runs; into the same one again, only what is new."""
    desk = open_desk()
    made = asyncio.run(take(desk.settings, desk.endpoints, folder, now()))
    rows = sum(table.rows for table in made.tables.tables)
    out.say(f"{folder} holds {made.records} records in {len(made.partitions)} partitions, and {rows} rows; run {made.number}")
    if as_json:
        out.json({"number": made.number, "taken_at": made.taken_at, "records": made.records, "rows": rows})


def restore(folder: Folder, dry_run: DryRun = False) -> None:
    """Put a backup back into an empty Kafka and an empty Postgres, after a look at every digest."""
    settings = load_settings()
    putting.checked(settings, folder, out.say)
    if dry_run:
        return
    asyncio.run(putting.put_back(settings, local.up(settings, out.say), folder, out.say))
    out.say("restored; `smolit up` starts the processes, and the read models are folded anew")
