"""Read model `dead_letters`: records that could not be handled, by whom and why; also those that no read model can read."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import BigInteger, LargeBinary, Table, Text
from sqlalchemy.dialects.postgresql import JSONB

from events.dead_letter import DeadLetter, DeadLetterSettled
from events.wire import Headers, Incoming
from projections.column import TIME, key, metadata, once
from projections.merge import Merge, Row, told
from projections.projection import Logged, Projection, compared, fetch, merging
from projections.sorting import Parked
from projections.statement import Statement
from projections.view import view_of
from store.postgres import Connection

_TABLE = Table(
    "dead_letters_v1",
    metadata,
    key("stage", Text, "who could not handle the record"),
    key("origin_topic", Text, "Kafka topic of the record"),
    key("origin_partition", BigInteger, "Kafka partition of the record"),
    key("origin_offset", BigInteger, "Kafka offset of the record"),
    once("tenant", Text, "whose record it is; null: it cannot be told"),
    once("recorded_at", TIME, "when it was set aside; for the stage projections: when it says that it happened"),
    once("reason", Text, "code of the reason"),
    once("detail", Text, "the reason as a sentence"),
    once("original_type", Text, "CloudEvents type of the record, as far as it has one"),
    once("original_key", Text, "Kafka key of the record, as text"),
    once("original_headers", JSONB, "Kafka headers: name and bytes in hexadecimal"),
    once("original_value", LargeBinary, "the record's bytes"),
    once("settled", Text, "replayed: it was published again; purged: somebody gave it up; null: it waits"),
    once("settled_at", TIME, "when it was settled"),
    once("replayed_as", Text, "where it lies now, as topic/partition/offset, if it was replayed"),
    comment="Records that could not be handled, by which stage and why; kept whole, so that they can be replayed.",
)
_MERGE = Merge(_TABLE)


class DeadLetterRow(Struct, frozen=True, kw_only=True):
    """One row of `dead_letters`; `original_headers` are pairs of a name and bytes in hexadecimal."""

    stage: str
    origin_topic: str
    origin_partition: int
    origin_offset: int
    tenant: str | None
    recorded_at: datetime | None
    reason: str
    detail: str
    original_type: str | None
    original_key: str | None
    original_headers: list[list[str]]
    original_value: bytes | None
    settled: str | None
    settled_at: datetime | None
    replayed_as: str | None

    @property
    def origin(self) -> str:
        """Return where the record lies, as it is named on the command line."""
        return f"{self.origin_topic}/{self.origin_partition}/{self.origin_offset}"

    @property
    def record(self) -> Incoming:
        """Return the record as it was read; a key that was no text is kept as text."""
        headers = tuple((name, bytes.fromhex(content)) for name, content in self.original_headers)
        place = (self.origin_topic, self.origin_partition, self.origin_offset)
        return Incoming(*place, (self.original_key or "").encode(), headers, self.original_value)


class Wanted(Struct, frozen=True, kw_only=True):
    """Which of the dead letters that wait are meant: those at these places, or with all that is said here."""

    origins: tuple[str, ...] = ()
    reason: str | None = None
    topic: str | None = None
    before: datetime | None = None


_COLUMNS = ", ".join(DeadLetterRow.__struct_fields__)


_KNOWN = "original_headers is not null"  # a settlement may be read before the letter: another topic, another order
_WAITS = f"{_KNOWN} and settled is null"
_MEANT = """(cardinality(%(origins)s::text[]) = 0
        or origin_topic || '/' || origin_partition || '/' || origin_offset = any(%(origins)s::text[]))
    and (%(reason)s::text is null or reason = %(reason)s)
    and (%(topic)s::text is null or origin_topic = %(topic)s)
    and (%(before)s::timestamptz is null or recorded_at < %(before)s)"""


async def dead_letters(
    connection: Connection, *, reason: str | None = None, limit: int = 50, settled: bool = False
) -> list[DeadLetterRow]:
    """Return dead letters, newest first: those that wait, and on request the settled ones too."""
    query = f"""select {_COLUMNS} from public.dead_letters
        where {_KNOWN if settled else _WAITS} and (%s::text is null or reason = %s)
        order by recorded_at desc nulls last, origin_topic, origin_partition, origin_offset, stage
        limit %s"""  # noqa: S608 columns are ours
    return await fetch(connection, DeadLetterRow, query, (reason, reason, limit))


async def waiting(connection: Connection, wanted: Wanted, limit: int) -> list[DeadLetterRow]:
    """Return the dead letters that wait and are meant, in the order of their places in the log."""
    query = f"""select {_COLUMNS} from public.dead_letters where {_WAITS} and {_MEANT}
        order by origin_topic, origin_partition, origin_offset, stage limit %(limit)s"""  # noqa: S608 columns are ours
    return await fetch(
        connection, DeadLetterRow, query, {**msgspec.structs.asdict(wanted), "origins": list(wanted.origins), "limit": limit}
    )


async def dead_letters_at(connection: Connection, topic: str, partition: int, offset: int) -> list[DeadLetterRow]:
    """Return what was said of the record at one place, by any stage."""
    query = f"""select {_COLUMNS} from public.dead_letters
        where origin_topic = %s and origin_partition = %s and origin_offset = %s and {_KNOWN}
        order by stage"""  # noqa: S608 columns are ours
    return await fetch(connection, DeadLetterRow, query, (topic, partition, offset))


async def dead_letter_counts(connection: Connection) -> dict[tuple[str, str], int]:
    """Return how many dead letters wait, by stage and reason."""
    query = f"""select stage, reason, count(*) from public.dead_letters where {_WAITS}
        group by stage, reason order by stage, reason"""  # noqa: S608 conditions are ours
    cursor = await connection.execute(query.encode())
    return {(stage, reason): count for stage, reason, count in await cursor.fetchall()}


def park(parked: Sequence[Parked]) -> list[Statement]:
    """Return what sets records aside that no read model can read, to be run inside the fold's transaction."""
    return _MERGE.plan(_parked(item) for item in parked)


def rows(logged: Logged) -> Iterator[Row]:
    """Yield the row of a dead letter that another stage wrote, or what became of one."""
    fact = logged.event.fact
    if isinstance(fact, DeadLetter):
        yield {
            **told(fact, "stage", "origin_topic", "origin_partition", "origin_offset", "tenant", "reason", "detail"),
            "recorded_at": logged.event.envelope.time,
            **_original(fact.original_key, fact.original_headers, fact.original_value),
        }
    if isinstance(fact, DeadLetterSettled):
        yield {
            **told(fact, "stage", "origin_topic", "origin_partition", "origin_offset", "replayed_as"),
            "settled": fact.outcome,
            "settled_at": logged.event.envelope.time,
        }


def _parked(parked: Parked) -> Row:
    """Return the row of a record that we could not read ourselves."""
    record = parked.record
    key_text = None if record.key is None else record.key.decode("utf-8", "replace")
    return {
        "stage": "projections",
        "origin_topic": record.topic,
        "origin_partition": record.partition,
        "origin_offset": record.offset,
        "recorded_at": _said_time(record.headers),
        "reason": parked.reason,
        "detail": _without_nul(parked.detail),
        **_original(key_text, record.headers, record.value),
    }


def _original(key_text: str | None, headers: Headers, value: bytes | None) -> dict[str, Any]:
    """Return the record itself, in columns that hold any bytes."""
    return {
        "original_type": _text_of(headers, "ce_type"),
        "original_key": None if key_text is None else _without_nul(key_text),
        "original_headers": [[_without_nul(name), (content or b"").hex()] for name, content in headers],
        "original_value": value,
    }


def _said_time(headers: Headers) -> datetime | None:
    """Return when a record says that it happened, if it says so in a way that can be read."""
    try:
        moment = datetime.fromisoformat(_text_of(headers, "ce_time") or "")
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def _text_of(headers: Headers, name: str) -> str | None:
    """Return a header as text, whatever its bytes."""
    found = next((content for header, content in headers if header == name), None)
    return None if found is None else _without_nul(found.decode("utf-8", "replace"))


def _without_nul(text: str) -> str:
    """Return text that Postgres can hold."""
    return text.replace("\x00", "\ufffd")


_VIEW = view_of("dead_letters", _TABLE)
DEAD_LETTERS = Projection(
    name="dead_letters",
    version=1,
    tables=(_TABLE,),
    views=(_VIEW,),
    reads=(DeadLetter, DeadLetterSettled),
    compared=(compared(_VIEW, _TABLE),),
    write=merging(_TABLE, rows),
)
