"""Generations: each is one schema that holds all read models; one serves, at most one is being built.

A generation folds under its own consumer name, so its positions are its own. Who folds locks the generation's row in the
transaction that moves them: so a switch and a step never overlap.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from msgspec import Struct
from psycopg.types.json import Jsonb
from sqlalchemy import Column, DateTime, Index, Table, Text, text
from sqlalchemy.dialects.postgresql import JSONB

from store.errors import SchemaMissing
from store.metadata import metadata
from store.postgres import Connection

State = Literal["building", "serving", "retired", "kept", "dropped"]

read_generation = Table(
    "read_generation",
    metadata,
    Column("name", Text, primary_key=True, comment="schema that holds its tables; never used again"),
    Column("state", Text, nullable=False, comment="building, serving, retired (served once), kept (as of a moment), dropped"),
    Column("shape", JSONB, nullable=False, comment="digest of each read model's declaration when it was made"),
    Column("asked", Text, nullable=False, comment="in which words it was asked for: the same words resume it"),
    Column("anew", Text, nullable=True, comment="the one read model that is folded anew; null: every one"),
    Column("until", JSONB, nullable=True, comment="where it stops: offset by topic/partition; null: it follows the log"),
    Column("made_at", DateTime(timezone=True), nullable=False, server_default=text("now()"), comment="made at"),
    Column("changed_at", DateTime(timezone=True), nullable=False, server_default=text("now()"), comment="when its state changed"),
    Index("read_generation_one", "state", unique=True, postgresql_where=text("state in ('serving', 'building')")),
    comment="Generations of the read models: which one serves, which is being built, and how each came about.",
)

_COLUMNS = "name, state, shape, asked, anew, until, made_at, changed_at"
_ALL = f"select {_COLUMNS} from ops.read_generation where state <> 'dropped' order by made_at, name"  # noqa: S608 ours
_NEXT = "select 'g' || coalesce(max(substr(name, 2)::int), 0) + 1 from ops.read_generation"
_ADD = "insert into ops.read_generation (name, state, shape, asked, anew, until) values (%s, 'building', %s, %s, %s, %s)"
# A step does not wait for the disk: its rows and its positions are in one transaction, so what a crash takes it takes whole,
# and it is read again. The switch does wait, and with it all that was committed before.
_ENTER = """
select set_config('search_path', name, true), set_config('synchronous_commit', 'off', true) from ops.read_generation
where name = %s and state = %s and shape = coalesce(%s, shape) for share"""
_HOLD = "select state from ops.read_generation where name = %s for update"
_TURN = "update ops.read_generation set state = %s, changed_at = now() where name = %s"
_WHOLE = "update ops.read_generation set anew = null where name = %s"
_POSITIONS = "select topic, partition, next from ops.fold_position where consumer = %s and next > 0"
_FORGET = "delete from ops.fold_position where consumer = %s"
_LOOK = "select set_config('search_path', %s, true)"


class Generation(Struct, frozen=True, kw_only=True):
    """One generation, as its row says."""

    name: str
    state: State
    shape: dict[str, str]
    asked: str
    anew: str | None
    until: dict[str, int] | None
    made_at: datetime
    changed_at: datetime

    @property
    def consumer(self) -> str:
        """Return the name under which it folds."""
        return consumer_of(self.name)


def consumer_of(name: str) -> str:
    """Return the name under which a generation folds; stored beside its positions."""
    return f"projections.{name}"


async def generations(connection: Connection) -> list[Generation]:
    """Return every generation that is there, oldest first."""
    rows = await (await connection.execute(_ALL.encode())).fetchall()
    names = Generation.__struct_fields__
    return [Generation(**dict(zip(names, row, strict=True))) for row in rows]


async def in_state(connection: Connection, state: State) -> Generation | None:
    """Return the generation that serves or is being built, if there is one."""
    return next((one for one in await generations(connection) if one.state == state), None)


async def serving(connection: Connection) -> Generation:
    """Return the generation that serves.

    Raises:
        SchemaMissing: there is none.
    """
    found = await in_state(connection, "serving")
    if found is None:
        raise SchemaMissing("no generation of the read models serves; `smolit up` makes one")
    return found


async def add(connection: Connection, shape: dict[str, str], asked: str, anew: str | None, until: dict[str, int] | None) -> str:
    """Enter a new generation that is being built, and return its name; its schema is made in the same transaction."""
    row: Any = await (await connection.execute(_NEXT)).fetchone()
    given = None if until is None else Jsonb(until)
    await connection.execute(_ADD, (row[0], Jsonb(shape), asked, anew, given))
    return str(row[0])


async def enter(connection: Connection, name: str, state: State, shape: Mapping[str, str] | None = None) -> bool:
    """Turn this transaction to a generation's tables and keep it as it is until the end; False: its state or shape is another."""
    wanted = None if shape is None else Jsonb(shape)
    return await (await connection.execute(_ENTER, (name, state, wanted))).fetchone() is not None


async def look(connection: Connection, name: str) -> None:
    """Turn this transaction to a generation's tables, to read them."""
    await connection.execute(_LOOK, (name,))


async def hold(connection: Connection, name: str) -> State | None:
    """Keep everybody from folding into a generation until the transaction ends; return its state."""
    row: Any = await (await connection.execute(_HOLD, (name,))).fetchone()
    return row[0] if row else None


async def turn(connection: Connection, name: str, state: State) -> None:
    """Give a generation another state; there is one that serves, and one that is being built, at most."""
    await connection.execute(_TURN, (state, name))


async def make_whole(connection: Connection, name: str) -> None:
    """Note that from now on every read model of a generation is folded."""
    await connection.execute(_WHOLE, (name,))


async def positions(connection: Connection, name: str) -> dict[tuple[str, int], int]:
    """Return how far a generation has come."""
    rows = await (await connection.execute(_POSITIONS, (consumer_of(name),))).fetchall()
    return {(topic, partition): position for topic, partition, position in rows}


async def forget(connection: Connection, name: str) -> None:
    """Delete a generation's positions."""
    await connection.execute(_FORGET, (consumer_of(name),))
