"""`smolit dlq list` and `inspect`: what could not be handled, and why."""

from typing import Annotated, Any

import typer

from events.replay import replays
from projections.dead_letter import DeadLetterRow, dead_letters, dead_letters_at
from smolit.cli import out
from smolit.cli.desk import open_desk, read
from smolit.cli.option import Json, Limit
from smolit.errors import NothingFound, UsageInvalid

Reason = Annotated[str | None, typer.Option("--reason", help="Only those with this reason, such as malformed_payload.")]
Origin = Annotated[
    str, typer.Argument(metavar="ORIGIN", help="Place of the record, as `dlq list` shows it: topic/partition/offset.")
]


Settled = Annotated[bool, typer.Option("--all", help="Show those that were replayed or purged, too.")]


def list_letters(reason: Reason = None, limit: Limit = 20, settled: Settled = False, as_json: Json = False) -> None:
    """List the dead letters that wait, newest first."""
    found = read(open_desk(), lambda connection: dead_letters(connection, reason=reason, limit=limit, settled=settled))
    if as_json:
        out.json(found)
        return
    columns = ("origin", "set aside by", "reason", "detail", "type", "replays", "when", "settled")
    out.table(columns[: None if settled else -1], [_row(one)[: None if settled else -1] for one in found])


def inspect(origin: Origin, as_json: Json = False) -> None:
    """Show one dead letter whole: who set it aside and why, its headers and its bytes."""
    topic, partition, offset = place(origin)
    found = read(open_desk(), lambda connection: dead_letters_at(connection, topic, partition, offset))
    if not found:
        raise NothingFound(f"no dead letter comes from {origin}")
    if as_json:
        out.json(found)
        return
    for one in found:
        out.facts({name: getattr(one, name) for name in DeadLetterRow.__struct_fields__ if not name.startswith("original_")})
        out.table(
            ("header", "content"),
            [(name, bytes.fromhex(content).decode("utf-8", "replace")) for name, content in one.original_headers],
        )
        out.facts({"key": one.original_key, "bytes": len(one.original_value or b""), "value": _text(one.original_value)})


def place(origin: str) -> tuple[str, int, int]:
    """Return topic, partition and offset; raises UsageInvalid."""
    parts: list[Any] = origin.rsplit("/", 2)
    try:
        topic, partition, offset = parts
        return topic, int(partition), int(offset)
    except ValueError:
        raise UsageInvalid(f"{origin!r} is no place in the log; it looks like smolit.requests.v1/3/17") from None


def _row(one: DeadLetterRow) -> tuple[object, ...]:
    """Return a letter's row in the list."""
    count = replays(one.record.headers)
    return (one.origin, one.stage, one.reason, one.detail, one.original_type, count, one.recorded_at, one.settled)


def _text(value: bytes | None) -> str:
    return (value or b"").decode("utf-8", "replace")
