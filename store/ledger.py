"""The effect ledger: a side effect is written down before it is asked for, so that no crash makes it happen twice.

Source of the idea: the outcome of a call is unknown from the moment before it is made until its answer is written down
(RELIABILITY.md section 2). A provider that takes our key may be asked again; any other is asked at most once.
"""

from collections.abc import Sequence
from typing import Any, Literal

import msgspec
from msgspec import Struct
from sqlalchemy import BigInteger, Boolean, Column, DateTime, Integer, LargeBinary, Table, Text, text

from store.claim import Hold
from store.metadata import metadata
from store.postgres import Connection

State = Literal["pending", "done", "unknown", "refused"]

effect = Table(
    "effect",
    metadata,
    Column("task_id", Text, primary_key=True, comment="task"),
    Column("attempt", Integer, primary_key=True, autoincrement=False, comment="attempt that asked for it"),
    Column("step", Text, primary_key=True, comment="step of the pipeline"),
    Column("key", Text, nullable=False, comment="key that the provider is given; the same for a task, step and target"),
    Column("target", Text, nullable=False, comment="whom it is asked of"),
    Column("idempotent", Boolean, nullable=False, comment="whether the provider takes our key and does it once"),
    Column("state", Text, nullable=False, comment="pending, done, unknown (a person decides) or refused (did not happen)"),
    Column("request_sha256", Text, nullable=False, comment="sha256 of what was asked"),
    Column("epoch", BigInteger, nullable=False, comment="claim of the attempt that asked first"),
    Column("result", LargeBinary, comment="the provider's answer as JSON, once done"),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=text("now()"), comment="asked at"),
    Column("settled_at", DateTime(timezone=True), comment="outcome known at, or given up at"),
    comment="Side effects of attempts, each written down before it was asked for.",
)

# Whoever lost the attempt may not begin: the row is written only while the claim stands. A task that was asked for before a
# restore may have had this effect after the backup: unless the provider takes our key, a person decides.
_BEGIN = """
insert into ops.effect (task_id, attempt, step, key, target, idempotent, state, request_sha256, epoch)
select task_id, attempt, %(step)s, %(key)s, %(target)s, %(idempotent)s,
  case when %(idempotent)s or not exists (
    select from ops.request_claim as claim
    join ops.restored on restored.topic = split_part(claim.origin, '/', 1)
      and restored.partition = split_part(claim.origin, '/', 2)::int
    where claim.task_id = case when pg_input_is_valid(attempt.task_id, 'uuid') then attempt.task_id::uuid end
      and split_part(claim.origin, '/', 3)::bigint < restored.before
  ) then 'pending' else 'unknown' end, %(request)s, epoch
from ops.work_attempt as attempt
where task_id = %(task_id)s and attempt = %(attempt)s and epoch = %(epoch)s and state = 'running' for share
on conflict do nothing"""
_FIND = """
select state, key, request_sha256, result, epoch from ops.effect
where task_id = %s and attempt = %s and step = %s"""
_SETTLE = """
update ops.effect set state = %s, result = %s, settled_at = now()
where task_id = %s and attempt = %s and step = %s and state = 'pending'"""
_DOUBT = """
update ops.effect set state = 'unknown', settled_at = now()
from unnest(%s::text[], %s::int[], %s::bigint[]) as held(task_id, attempt, epoch)
join ops.work_attempt as attempt on attempt.task_id = held.task_id and attempt.attempt = held.attempt
  and attempt.epoch = held.epoch and attempt.state = 'running'
where effect.task_id = held.task_id and effect.attempt = held.attempt
  and effect.state = 'pending' and not effect.idempotent"""
_IN_DOUBT = "select distinct task_id from ops.effect where task_id = any(%s) and state = 'unknown'"
_UNKNOWN = """
select task_id, attempt, step, target, created_at from ops.effect where state = 'unknown' order by created_at limit %s"""


class Entry(Struct, frozen=True):
    """One effect as it is written down; `began` is true for who wrote it down just now."""

    state: State
    key: str
    request_sha256: str
    result: Any
    began: bool


class Ask(Struct, frozen=True):
    """What is about to be asked for: which step of which claim, of whom, under which key."""

    hold: Hold
    step: str
    key: str
    target: str
    request_sha256: str
    idempotent: bool


async def begin(connection: Connection, ask: Ask) -> Entry | None:
    """Write an effect down as pending, committed before this returns; None: the attempt is no longer ours."""
    cursor = await connection.execute(
        _BEGIN,
        {
            "step": ask.step,
            "key": ask.key,
            "target": ask.target,
            "idempotent": ask.idempotent,
            "request": ask.request_sha256,
            "task_id": ask.hold.task_id,
            "attempt": ask.hold.attempt,
            "epoch": ask.hold.epoch,
        },
    )
    began = cursor.rowcount == 1
    row = await (await connection.execute(_FIND, (ask.hold.task_id, ask.hold.attempt, ask.step))).fetchone()
    if row is None:
        return None
    result = None if row[3] is None else msgspec.json.decode(bytes(row[3]))
    return Entry(row[0], row[1], row[2], result, began)


async def settle(connection: Connection, ask: Ask, state: State, result: Any = None) -> bool:
    """Write down how a pending effect went; return false if that was known already."""
    stored = msgspec.json.encode(result) if state == "done" else None
    hold = ask.hold
    cursor = await connection.execute(_SETTLE, (state, stored, hold.task_id, hold.attempt, ask.step))
    return cursor.rowcount == 1


async def in_doubt(connection: Connection, holds: Sequence[Hold]) -> set[str]:
    """Return the tasks with a side effect that nobody can be asked about again; what hangs is given up now."""
    task_ids = [hold.task_id for hold in holds]
    columns = (task_ids, [hold.attempt for hold in holds], [hold.epoch for hold in holds])
    await connection.execute(_DOUBT, columns)
    return {row[0] for row in await (await connection.execute(_IN_DOUBT, (task_ids,))).fetchall()}


async def unknown(connection: Connection, limit: int) -> list[tuple[Any, ...]]:
    """Return effects that a person must decide on, oldest first: task, attempt, step, target, asked at."""
    return await (await connection.execute(_UNKNOWN, (limit,))).fetchall()
