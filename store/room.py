"""Room: which workers could take more right now, and the ring that wakes no more of them than there is work for.

A worker with room says so in the statement that claims (store/claim.py), and is told of new work once: who rings takes the
offer away, and the worker renews it with its next claim. So a dead worker is rung once, and a full one never.

Who queues rings after its commit, and a worker that has offered room looks once more after its own: whichever of the two comes
second sees the other's rows, so no ring is lost. What a killed ringer or a killed worker leaves behind, a poll finds.
"""

from collections.abc import Sequence

from sqlalchemy import Column, DateTime, Integer, Table, Text, text
from sqlalchemy.dialects.postgresql import ARRAY

from events.ids import derived_id
from events.pool import HOUSE
from store.metadata import metadata
from store.postgres import Connection

work_room = Table(
    "work_room",
    metadata,
    Column("worker", Text, primary_key=True, comment="worker that has room"),
    Column("bell", Text, nullable=False, comment="channel on which it is rung"),
    Column("agents", ARRAY(Text), comment="agents that it serves; null: all"),
    Column("room", Integer, nullable=False, comment="attempts that it could take when it said so"),
    Column("offered_at", DateTime(timezone=True), nullable=False, server_default=text("now()"), comment="said so at"),
    Column("pool", Text, nullable=False, server_default=text("''"), comment="pool that it serves; empty: the house's"),
    comment="Workers that wait to be rung. Unlogged: after a crash of Postgres each of them starts anew, and says so again.",
    prefixes=["UNLOGGED"],
)

# The most room first, then who has waited longest, until there is room for all; and for each agent somebody who serves it.
# The rows are locked in one order, and those that another ring has in hand are passed over: that ring wakes them.
_RING = """
with free as materialized (
  select worker, agents, sum(room) over place - room as before, row_number() over place as place
  from ops.work_room where pool = %(pool)s and (agents is null or agents && %(agents)s::text[])
  window place as (order by room desc, offered_at, worker)
), woken as (
  select worker from free where before < cardinality(%(agents)s::text[])
  union (
    select distinct on (agent) worker from unnest(%(agents)s::text[]) as agent
    join free on free.agents is null or agent = any(free.agents) order by agent, place)
), taken as (
  select worker from ops.work_room where worker in (select worker from woken) order by worker for update skip locked
), rung as (
  delete from ops.work_room using taken where work_room.worker = taken.worker returning bell
)
select pg_notify(bell, '') from rung"""
# As a claim would find them, but nothing is locked.
_LEFT = """
select attempt.agent from ops.work_attempt as attempt
join ops.work_agent as agent
  on agent.tenant = attempt.tenant and agent.agent_id = attempt.agent and agent.state = 'active'
where attempt.state = 'queued' and attempt.pool = %s and attempt.not_before <= now()
order by attempt.priority desc, attempt.queued_at, attempt.task_id limit %s"""
_WITHDRAW = "delete from ops.work_room where worker = %s"
_MOST = 64


def bell_of(worker: str) -> str:
    """Return the channel on which a worker is rung: it fits Postgres, whatever the worker is called."""
    return f"work_{derived_id('bell', worker)}"


async def ring(connection: Connection, agents: Sequence[str], pool: str = HOUSE) -> None:
    """Wake as many workers of a pool as have room for attempts of these agents, one name an attempt; call it after the commit."""
    if agents:
        await connection.execute(_RING, {"agents": list(agents), "pool": pool})


async def ring_all(connection: Connection, calls: Sequence[tuple[str, str]]) -> None:
    """Ring for attempts in several pools: an agent and its pool for each."""
    by_pool: dict[str, list[str]] = {}
    for agent, pool in calls:
        by_pool.setdefault(pool, []).append(agent)
    for pool, agents in by_pool.items():
        await ring(connection, agents, pool)


async def pass_on(connection: Connection, pool: str = HOUSE) -> None:
    """Ring for what waits in a pool now: whoever was rung for it has no room."""
    cursor = await connection.execute(_LEFT, (pool, _MOST))
    await ring(connection, [row[0] for row in await cursor.fetchall()], pool)


async def withdraw(connection: Connection, worker: str) -> None:
    """Take back what a worker has offered."""
    await connection.execute(_WITHDRAW, (worker,))
