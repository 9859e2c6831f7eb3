"""Budgets and the cache on a real Postgres: limits hold over processes, and an answer is given again to whom it belongs."""

import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from agents.errors import CacheUnreachable
from agents.llm.cache import Kept
from agents.llm.house import DayLimits, LentBlobs, StoredPurse
from agents.llm.keeping import Keeping, PostgresShelf, RedisShelf
from agents.llm.purse import Charge, OverBudget
from agents.port import Ask, Message
from events.agent import AgentSpec, Budget
from smolit.settings import PROJECT
from smolit.stack.local import Endpoints
from store import llm_cache, llm_spend, work
from store.lent import Lent
from store.llm_spend import Account
from store.migrate import upgrade
from store.postgres import Connection, connect
from tests.resp import served as resp_server
from tests.said import PATIENCE_S
from tests.stacks import namespace_on

NOW = datetime(2030, 1, 1, 12, tzinfo=UTC)
INF = {"": float("inf")}
FREE = DayLimits(INF, INF, INF, {})
LIMIT, CALL = 20_000, 300
# What one worker does: set aside, use a little less, settle, as fast as it can.
RACER = f"""
import asyncio, sys
from datetime import UTC, datetime
from agents.llm.house import DayLimits, StoredPurse
from agents.llm.purse import Charge, OverBudget
from agents.port import Ask
from store.lent import Lent
from store.postgres import connect

async def main():
    inf = {{"": float("inf")}}
    lent = Lent(lambda: connect(sys.argv[1], "racer"))
    purse = StoredPurse(lent, DayLimits({{"": {LIMIT}.0}}, inf, inf, {{}}), lambda: datetime.now(UTC))
    spent = 0
    for number in range(200):
        ask = Ask((), datetime(2030, 1, 1, tzinfo=UTC), "race", "racer", f"{{sys.argv[2]}}-{{number}}")
        try:
            await purse.reserve(ask, Charge({CALL}, 0, 1))
        except OverBudget:
            continue
        await purse.settle(ask, Charge({CALL}, 0, 1), Charge(250, 0, 1))
        spent += 250
    print(spent)
    await lent.close()

asyncio.run(main())
"""


@pytest.fixture(scope="module")
def dsn(stack: Endpoints, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A migrated database."""
    with namespace_on(stack, tmp_path_factory.mktemp("limits")) as mine:
        upgrade(mine.postgres)
        yield mine.postgres


@pytest.fixture
async def connection(dsn: str) -> AsyncIterator[Connection]:
    """A connection to it."""
    made = await connect(dsn, "test")
    yield made
    await made.close()


@pytest.fixture
async def lent(dsn: str) -> AsyncIterator[Lent]:
    """A connection that is opened late."""
    made = Lent(lambda: connect(dsn, "test-lent"))
    yield made
    await made.close()


def ask(task: str, agent: str = "a", tenant: str = "default", deadline: datetime = NOW) -> Ask:
    """Return a question."""
    return Ask((Message("user", "hello"),), deadline, tenant, agent, task)


def kept(**more: Any) -> Kept:
    """Return an answer as it is kept."""
    return Kept(**{"text": "yes", "model": "m", "tokens_in": 3, "tokens_out": 4, "cost_microusd": 50, "duration_us": 2_000_000,
                   "prompt_sha256": "p", "answer_sha256": "q", **more})  # fmt: skip


def test_two_workers_that_race_do_not_pass_the_limit(dsn: str) -> None:
    """Two processes use up one daily limit together: never more than it, and nearly all of it (a call may take 300)."""
    racers = [
        subprocess.Popen([sys.executable, "-c", RACER, dsn, name], stdout=subprocess.PIPE, cwd=PROJECT, text=True)
        for name in ("one", "other")
    ]
    spent = sum(int(racer.communicate(timeout=PATIENCE_S)[0]) for racer in racers)

    assert spent <= LIMIT
    assert spent > LIMIT - 2 * CALL


async def test_a_task_has_the_budget_of_its_agent(lent: Lent, connection: Connection) -> None:
    """Tokens, money and calls of the spec, over all calls of the task; another task starts anew; the sentence says how much."""
    budget = Budget(tokens=1000, microusd=100, steps=3)
    await work.put_agent(connection, "default", AgentSpec("lean", "d", ("s",), "llm", budget=budget), "x", keep_state=False)
    purse = StoredPurse(lent, FREE, lambda: NOW)
    used = ask("t1", "lean")
    await purse.reserve(used, Charge(600, 10, 5))

    with pytest.raises(OverBudget, match="600 of this task's 1000 tokens are used or set aside, and this call may take 600"):
        await purse.reserve(used, Charge(600, 10, 5))
    await purse.settle(used, Charge(600, 10, 5), Charge(100, 5, 3))
    await purse.reserve(used, Charge(600, 10, 5))
    with pytest.raises(OverBudget, match="of this task's 100 millionths of a dollar"):
        await purse.reserve(used, Charge(1, 90, 5))
    with pytest.raises(OverBudget, match="does not say what the model costs"):
        await purse.reserve(used, Charge(1, None, 5))
    await purse.reserve(used, Charge(1, 1, 5))
    with pytest.raises(OverBudget, match="3 of this task's 3 calls"):
        await purse.reserve(used, Charge(1, 1, 5))
    await purse.reserve(ask("t2", "lean"), Charge(900, 100, 5))
    with pytest.raises(OverBudget, match="this task's 1000 tokens"):
        await purse.reserve(ask("t3", "lean"), Charge(1001, 1, 5))


async def test_days_of_tenants_and_agents_are_limited(lent: Lent) -> None:
    """Each its own; the next day starts anew; a refused call leaves nothing set aside anywhere."""
    limits = DayLimits({"": float("inf"), "poor": 1000.0}, INF, {"": float("inf"), "slow": 2.0}, {"talker": 500, "*": 10_000})
    purse = StoredPurse(lent, limits, lambda: NOW)
    await purse.reserve(ask("d1", tenant="poor"), Charge(900, 0, 0))

    with pytest.raises(OverBudget, match="of poor's daily 1000 tokens"):
        await purse.reserve(ask("d2", tenant="poor"), Charge(200, 0, 0))
    await purse.reserve(ask("d2", tenant="poor", deadline=NOW + timedelta(days=1)), Charge(200, 0, 0))
    with pytest.raises(OverBudget, match="of talker's daily 500 tokens"):
        await purse.reserve(ask("d3", "talker"), Charge(501, 0, 0))
    with pytest.raises(OverBudget, match="of slow's daily 2000000 microseconds"):
        await purse.reserve(ask("d4", tenant="slow"), Charge(1, 0, 2_000_001))

    async with lent.connection() as connection:
        refused = await llm_spend.known(connection, Account("default", "task", "d3", ""))
    assert refused.tokens == 0


async def test_an_answer_is_kept_for_its_tenant_until_it_expires(lent: Lent, connection: Connection) -> None:
    """Given again to the same tenant only; gone after its time; hits and what they saved are counted."""
    keeping = Keeping(PostgresShelf(lent, 60), lent, time.monotonic, lambda _told: None)
    await keeping.put("c1", "key", kept())

    found, other = await keeping.get("c1", "key"), await keeping.get("c2", "key")
    await connection.execute("update ops.llm_cache set expires_at = now() where tenant = 'c1'")
    late = await keeping.get("c1", "key")

    assert (found, other, late) == (kept(), None, None)
    assert await llm_cache.tally(connection, "c1") == llm_cache.Tally(1, 1, 7, 50, 2_000_000)


async def test_a_redis_server_keeps_answers_too(lent: Lent) -> None:
    """The same over RESP, with expiry; and when the server goes away, questions go on and trouble is told once."""
    told: list[str] = []
    async with resp_server() as server:
        shelf = RedisShelf(server.url, 60)
        keeping = Keeping(shelf, lent, time.monotonic, told.append)
        await keeping.put("r1", "key", kept())
        found, other = await keeping.get("r1", "key"), await keeping.get("r2", "key")
        server.pass_by(59)
        there = await keeping.get("r1", "key")
        server.pass_by(1)
        late = await keeping.get("r1", "key")
    began = time.monotonic()
    away = [await keeping.get("r1", "key") for _ in range(3)]
    await keeping.put("r1", "key", kept())
    took_s = time.monotonic() - began
    await shelf.close()

    assert (found, there, other, late, away) == (kept(), kept(), None, None, [None] * 3)
    assert len(told) == 1
    assert "only costs time" in told[0]
    assert took_s < 4.0


@pytest.mark.parametrize("where", ["postgres", "redis"])
async def test_answers_are_counted_and_forgotten_where_they_are_kept(lent: Lent, where: str) -> None:
    """`smolit llm cache` tells what lies there for a tenant, and forgets that alone."""
    async with resp_server() as server:
        shelf = RedisShelf(server.url, 60) if where == "redis" else PostgresShelf(lent, 60)
        for tenant, key in (("f1", "a"), ("f1", "b"), ("f2", "a")):
            await shelf.put(tenant, key, b"answer")
        before = [await shelf.kept(tenant) for tenant in ("f1", "f2", "f3")]
        gone = await shelf.clear("f1")
        after = [await shelf.kept(tenant) for tenant in ("f1", "f2")]
        if isinstance(shelf, RedisShelf):
            await shelf.close()

    assert (before, gone, after) == ([2, 1, 0], 2, [0, 1])


async def test_a_server_that_is_away_is_said_to_be() -> None:
    """Who asks what is kept learns that nobody knows, rather than that nothing is kept."""
    async with resp_server() as server:
        shelf = RedisShelf(server.url, 60)
    with pytest.raises(CacheUnreachable, match="cannot be asked"):
        await shelf.kept("f1")
    await shelf.close()


async def test_what_is_kept_and_cannot_be_read_is_a_miss(lent: Lent, connection: Connection) -> None:
    """Garbage in the cache is no answer."""
    await llm_cache.put(connection, "g", "key", b"\x00garbage", 60)
    keeping = Keeping(PostgresShelf(lent, 60), lent, time.monotonic, lambda _told: None)

    assert await keeping.get("g", "key") is None


async def test_prompts_are_stored_once(lent: Lent, connection: Connection) -> None:
    """The same bytes twice are one blob."""
    blobs = LentBlobs(lent)
    first, second = await blobs.put(b"prompt of a test"), await blobs.put(b"prompt of a test")
    row = await (await connection.execute("select count(*) from ops.blob where sha256 = %s", (first,))).fetchone()

    assert first == second
    assert row == (1,)
    assert await blobs.get(first) == b"prompt of a test"
