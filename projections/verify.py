"""`projection verify`: are the tables of each generation, byte for byte, what Kafka says they should be?

The tables and the positions that they are at are read in one snapshot; Kafka is read up to those positions, folded
naively, and both sides are written down in one canonical way and compared by sha256. Two generations are compared with
each other in the same way, in a snapshot in which they are at the same positions.
"""

import base64
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from hashlib import sha256
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from bus.errors import LogChanged
from bus.reader import PartitionReader, Place
from events.topics import Names
from events.wire import Incoming
from projections import (
    naive,
    naive_agent,
    naive_approval,
    naive_calibration,
    naive_card,
    naive_conversation,
    naive_knowledge,
    naive_model,
    naive_plan,
    naive_search,
    naive_similar,
    naive_task,
    naive_use,
)
from projections.catalog import COMPARED, PROJECTIONS
from projections.column import SCHEMA
from projections.projection import Compared, Projection
from projections.shape import changed, require_ours, shape_of
from store.generation import Generation, State, generations, look, positions
from store.postgres import Connection, connect, snapshot

MODELS: Mapping[str, naive.Model] = {
    "tasks": naive_task.tasks,
    "task_features": naive_task.task_features,
    "similar_tasks": naive_similar.similar_tasks,
    "similar_tasks_refused": naive_similar.refused,
    "decisions": naive_task.decisions,
    "attempts": naive_task.attempts,
    "feedback": naive_task.feedback,
    "examples": naive_agent.examples,
    "agent_reward": naive_agent.agent_reward,
    "agents": naive_agent.agents,
    "agent_work": naive_agent.agent_work,
    "agent_duration": naive_agent.agent_duration,
    "experiments": naive_agent.experiments,
    "calibrations": naive_calibration.calibrations,
    "calibration_copies": naive_calibration.copies,
    "model_use": naive_use.model_use,
    "agent_use": naive_use.agent_use,
    "model_cards": naive_card.model_cards,
    "model_choices": naive_card.model_choices,
    "searches": naive_search.searches,
    "trials": naive_search.trials,
    "plans": naive_plan.plans,
    "plan_steps": naive_plan.steps,
    "approvals": naive_approval.approvals,
    "messages": naive_conversation.messages,
    "message_ends": naive_conversation.message_ends,
    "contexts": naive_conversation.contexts,
    "sender_keys": naive_conversation.sender_keys,
    "memories": naive_conversation.memories,
    "policy_history": naive_agent.policy_history,
    "models": naive_model.models,
    "model_history": naive_model.model_history,
    "knowledge_domains": naive_knowledge.domains,
    "knowledge_documents": naive_knowledge.documents,
    "knowledge_chunks": naive_knowledge.chunks,
    "knowledge_vectors": naive_knowledge.vectors,
    "knowledge_encoders": naive_knowledge.encoders,
    "knowledge_refused": naive_knowledge.refused,
    "knowledge_requests": naive_knowledge.requests,
}
# Kafka answers well within this; a log that ends before our position never will.
_SILENCE_S = 30.0

Lines = dict[str, str]


class ModelReport(Struct, frozen=True, kw_only=True):
    """One read model: digests and rows of both sides, and the first row that differs (live, then fold).

    Where two generations are compared, `fold` is the rebuilt one.
    """

    name: str
    equal: bool
    live: str
    fold: str
    live_rows: int
    fold_rows: int
    difference: tuple[str | None, str | None] | None = None


class Verification(Struct, frozen=True, kw_only=True):
    """One generation: its read models, how many records were folded, whether all is equal; `others` has the rest of them."""

    equal: bool
    records: int
    models: tuple[ModelReport, ...]
    generation: str = SCHEMA
    state: State = "serving"
    others: "tuple[Verification, ...]" = ()


class Live(Struct, frozen=True):
    """The live tables as lines by key, and the positions that they are at."""

    positions: dict[Place, int]
    tables: dict[str, Lines]


async def verify(
    kafka: str,
    dsn: str,
    names: Names,
    relations: Sequence[Compared] = COMPARED,
    projections: Sequence[Projection] = PROJECTIONS,
) -> Verification:
    """Compare the serving generation, and every other one that this release could have made, with a naive fold of Kafka.

    If another release made the serving one, what is being built comes first.

    Raises:
        GenerationForeign: another release made the serving generation, and no other one is ours.
        LogChanged: the log does not reach from its start to our positions.
    """
    connection = await connect(dsn, "projection verify")
    try:
        lives = await _read_all(connection, relations, projections)
    finally:
        await connection.close()
    furthest: dict[Place, int] = {}
    for _, live in lives:
        furthest |= {place: max(position, furthest.get(place, 0)) for place, position in live.positions.items()}
    records = await read_log(kafka, furthest)
    first, *others = [_of(one, compare(live, records, names)) for one, live in lives]
    return replace(first, equal=first.equal and all(one.equal for one in others), others=tuple(others))


async def read_live(connection: Connection, generation: str = SCHEMA, relations: Sequence[Compared] = COMPARED) -> Live:
    """Return all tables of a generation and its positions, of one moment."""
    async with snapshot(connection):
        return await read_tables(connection, generation, relations)


async def read_tables(connection: Connection, generation: str, relations: Sequence[Compared]) -> Live:
    """Return tables and positions of a generation; call it inside a transaction that is a snapshot."""
    await look(connection, generation)
    tables = {one.name: await _lines_of(connection, one) for one in relations}
    return Live(await positions(connection, generation), tables)


async def read_log(kafka: str, positions: Mapping[Place, int]) -> list[Incoming]:
    """Return every record before the given positions, in order within each partition.

    Raises:
        LogChanged: the log does not reach that far.
    """
    reader = PartitionReader(kafka, "projection verify")
    missing = {place: position for place, position in positions.items() if position > 0}
    records: list[Incoming] = []
    try:
        await reader.start(dict.fromkeys(missing, 0))
        heard = time.monotonic()
        while missing:
            fetched = await reader.fetch(limit=5_000)
            heard = time.monotonic() if fetched else heard
            if time.monotonic() - heard > _SILENCE_S:
                raise LogChanged(f"the log ends before the positions of the read models: {sorted(missing)}")
            records += _before(fetched, positions, missing)
    finally:
        await reader.stop()
    return records


def compare(live: Live, records: Iterable[Incoming], names: Names) -> Verification:
    """Compare live tables with the naive fold of the records before their positions."""
    before = [item for item in records if item.offset < live.positions.get((item.topic, item.partition), 0)]
    folded = naive.fold(naive.read(before, names), MODELS)
    models = tuple(_report(name, lines, _lines(folded[name])) for name, lines in sorted(live.tables.items()))
    return Verification(equal=all(model.equal for model in models), records=len(before), models=models)


async def alike(connection: Connection, live: str, rebuilt: str, one: Compared) -> ModelReport:
    """Compare one read model of two generations; call it inside a snapshot in which they are at the same positions."""
    await look(connection, live)
    lines = await _lines_of(connection, one)
    await look(connection, rebuilt)
    return _report(one.name, lines, await _lines_of(connection, one))


async def _read_all(
    connection: Connection, relations: Sequence[Compared], projections: Sequence[Projection]
) -> list[tuple[Generation, Live]]:
    """Return the generations that our naive fold can speak about, as of one moment; one that is half taken over is not."""
    async with snapshot(connection):
        there = sorted(await generations(connection), key=lambda one: (one.state != "serving", one.state != "building"))
        ours = [one for one in there if one.anew is None and not changed(one.shape, shape_of(projections))]
        if not ours:
            require_ours(there[0].name, there[0].shape, projections)
        return [(one, await read_tables(connection, one.name, relations)) for one in ours]


def _of(one: Generation, found: Verification) -> Verification:
    """Return a verification with the generation that it is about."""
    return replace(found, generation=one.name, state=one.state)


def _before(fetched: Sequence[Incoming], positions: Mapping[Place, int], missing: dict[Place, int]) -> list[Incoming]:
    """Return the records before our positions, and cross off the partitions that are read."""
    kept = [item for item in fetched if item.offset < positions[item.topic, item.partition]]
    for item in fetched:
        if item.offset >= positions[item.topic, item.partition] - 1:
            missing.pop((item.topic, item.partition), None)
    return kept


async def _lines_of(connection: Connection, one: Compared) -> Lines:
    """Return a relation's rows as canonical lines by canonical key."""
    cursor = await connection.execute(f"select * from {one.relation}".encode())  # noqa: S608 relations are our own
    columns = [column.name for column in cursor.description or ()]
    rows = [dict(zip(columns, row, strict=True)) for row in await cursor.fetchall()]
    return _lines({tuple(row[name] for name in one.key): row for row in rows})


def _lines(table: naive.Table) -> Lines:
    """Return rows as canonical lines by canonical key, sorted by key."""
    return dict(sorted((_json(list(key)), _json(row)) for key, row in table.items()))


def _report(name: str, live: Lines, fold: Lines) -> ModelReport:
    """Compare one read model."""
    different = next((key for key in sorted(live.keys() | fold.keys()) if live.get(key) != fold.get(key)), None)
    return ModelReport(
        name=name,
        equal=different is None,
        live=_digest(live),
        fold=_digest(fold),
        live_rows=len(live),
        fold_rows=len(fold),
        difference=None if different is None else (live.get(different), fold.get(different)),
    )


def _digest(lines: Lines) -> str:
    """Return the sha256 of JSON lines, in the order of their keys."""
    return sha256("".join(f"{line}\n" for line in lines.values()).encode()).hexdigest()


def _json(content: Any) -> str:
    """Return a value in the one way that it can be written."""
    return msgspec.json.encode(_plain(content), order="deterministic").decode()


def _plain(content: Any) -> Any:
    """Return a value as JSON knows it: UTC times, bytes in base64, whole numbers as integers."""
    match content:
        case datetime():
            return content.astimezone(UTC).isoformat(timespec="microseconds")
        case bytes() | memoryview():
            return base64.b64encode(content).decode()
        case UUID():
            return str(content)
        case Decimal() | float() if content == int(content):
            return int(content)
        case Decimal():
            return float(content)
        case Struct():
            return _plain(msgspec.to_builtins(content))
        case dict():
            return {str(name): _plain(item) for name, item in content.items()}
        case list() | tuple():
            return [_plain(item) for item in content]
        case _:
            return content
