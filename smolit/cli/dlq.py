"""`smolit dlq`: what could not be handled, and why."""

from typing import Annotated, Any

import typer

from projections.dead_letter import DeadLetterRow, dead_letters, dead_letters_at
from smolit.cli import out
from smolit.cli.desk import open_desk, read
from smolit.cli.option import Json, Limit
from smolit.errors import NothingFound, UsageInvalid

Reason = Annotated[str | None, typer.Option("--reason", help="Only those with this reason, such as malformed_payload.")]
Origin = Annotated[
    str, typer.Argument(metavar="ORIGIN", help="Place of the record, as `dlq list` shows it: topic/partition/offset.")
]


def list_letters(reason: Reason = None, limit: Limit = 20, as_json: Json = False) -> None:
    """List dead letters, newest first."""
    found = read(open_desk(), lambda connection: dead_letters(connection, reason=reason, limit=limit))
    if as_json:
        out.json(found)
        return
    rows = [(_origin(one), one.stage, one.reason, one.detail, one.original_type, one.recorded_at) for one in found]
    out.table(("origin", "set aside by", "reason", "detail", "type", "when"), rows)


def inspect(origin: Origin, as_json: Json = False) -> None:
    """Show one dead letter whole: who set it aside and why, its headers and its bytes."""
    topic, partition, offset = _place(origin)
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


def _place(origin: str) -> tuple[str, int, int]:
    """Return topic, partition and offset; raises UsageInvalid."""
    parts: list[Any] = origin.rsplit("/", 2)
    try:
        topic, partition, offset = parts
        return topic, int(partition), int(offset)
    except ValueError:
        raise UsageInvalid(f"{origin!r} is no place in the log; it looks like smolit.requests.v1/3/17") from None


def _origin(one: DeadLetterRow) -> str:
    return f"{one.origin_topic}/{one.origin_partition}/{one.origin_offset}"


def _text(value: bytes | None) -> str:
    return (value or b"").decode("utf-8", "replace")
