"""`smolit projection`: the read models, how far they are, and whether they are true."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer
from msgspec.structs import replace

from projections.catalog import COMPARED, PROJECTIONS
from projections.projection import Compared
from smolit.cli import out
from smolit.cli.desk import Desk, open_desk, read
from smolit.cli.option import Json
from smolit.errors import CheckFailed, UsageInvalid
from smolit.process.lag import lags
from store.generation import Generation, State, generations, serving
from store.postgres import Connection

if TYPE_CHECKING:
    from projections.verify import ModelReport, Verification

Names = Annotated[list[str] | None, typer.Argument(metavar="[NAME...]", help="Read models to verify.")]
All = Annotated[bool, typer.Option("--all", help="Verify every read model.")]
Report = Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write the report as JSON; `-` is standard output.")]
Archive = Annotated[Path | None, typer.Option("--archive", metavar="DIR", help="Fold the segments of a backup, not Kafka.")]


def list_projections(as_json: Json = False) -> None:
    """List the read models (what each is for, its rows, the facts it reads), and their generations."""
    models, there = read(open_desk(), _rows)
    if as_json:
        out.json({"read_models": models, "generations": there})
        return
    columns = ("name", "version", "rows", "views", "says")
    out.table(columns, [[row[name] for name in columns] for row in models])
    rows = [(one.name, one.state, one.asked, one.made_at, one.changed_at) for one in there]
    out.table(("generation", "state", "asked for as", "made", "so since"), rows)


def lag(as_json: Json = False) -> None:
    """Show how many records each reader of the log has still to apply; a generation that is being built is one of them."""
    desk = open_desk()
    resting: tuple[State, ...] = ("retired", "kept")
    found = read(desk, lambda connection: lags(desk.endpoints.kafka, connection, desk.settings.topic_prefix, resting))
    if as_json:
        out.json({"total": sum(one.records for one in found), "lags": found})
    else:
        out.table(("reader", "topic", "records behind"), [(one.consumer, one.topic, one.records) for one in found])


def verify(names: Names = None, everything: All = False, archive: Archive = None, report: Report = None) -> None:
    """Compare the read models that serve, and those of other generations, with a naive fold of Kafka, byte for byte."""
    wanted = [one for one in COMPARED if everything or one.name in (names or ())]
    if strange := set(names or ()) - {one.name for one in COMPARED}:
        known = ", ".join(one.name for one in COMPARED)
        raise UsageInvalid(f"no read model is called {', '.join(sorted(strange))}; there are {known}")
    if not wanted:
        raise UsageInvalid("say which read models: names, or --all")
    found = _compared(open_desk(), wanted, archive)
    _write(report, found)
    every = [(side, one) for side in (found, *found.others) for one in side.models]
    if report != Path("-"):
        columns = ("generation", "state", "read model", "equal", "rows", "fold rows", "digest", "fold")
        out.table(columns, [_line(side, one) for side, one in every])
    if not found.equal:
        different = ", ".join(f"{side.generation}.{one.name}" for side, one in every if not one.equal)
        raise CheckFailed(f"these read models are not what the log says: {different}")


def _compared(desk: Desk, wanted: Sequence[Compared], archive: Path | None) -> "Verification":
    """Return what comparing found, with the log as Kafka or as an archive has it."""
    from projections import verify as verifying  # the naive fold, which no other command needs

    if archive is None:
        return asyncio.run(verifying.verify(desk.endpoints.kafka, desk.endpoints.postgres, desk.names, wanted))
    from smolit.backup.archive import archived

    generation = read(desk, serving)
    live = read(desk, lambda connection: verifying.read_live(connection, generation.name, wanted))
    return replace(verifying.compare(live, archived(archive, live.positions), desk.names), generation=generation.name)


def _write(report: Path | None, found: Any) -> None:
    """Write a report where it is wanted."""
    if report == Path("-"):
        out.json(found)
    elif report is not None:
        report.write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=2) + b"\n")


def _line(side: "Verification", one: "ModelReport") -> tuple[object, ...]:
    """Return the line of one read model of one generation."""
    digests = (one.live[:12], one.fold[:12])
    return (side.generation, side.state, one.name, one.equal, one.live_rows, one.fold_rows, *digests)


async def _rows(connection: Connection) -> tuple[list[dict[str, Any]], list[Generation]]:
    """Return each read model with the rows of its tables in the generation that serves, and all generations."""
    live = (await serving(connection)).name
    found = []
    for one in PROJECTIONS:
        counts = [await _count(connection, f"{live}.{table.name}") for table in one.tables]
        found.append(
            {
                "name": one.name,
                "version": one.version,
                "rows": sum(counts),
                "views": [view.name for view in one.views],
                "reads": [fact.event_type.name for fact in one.reads],
                "says": one.tables[0].comment,
            }
        )
    return found, await generations(connection)


async def _count(connection: Connection, table: str) -> int:
    """Return how many rows a table has."""
    row = await (await connection.execute(f"select count(*) from {table}".encode())).fetchone()  # noqa: S608 the name is ours
    return int(row[0]) if row else 0
