"""What ended long ago leaves queue, ledger and inboxes, on a real Postgres; and nothing is done again after that."""

import asyncio
import time
from collections.abc import Sequence

import pytest

from events.ids import derived_id
from handlers import watchdog
from handlers.purge import Keep, Purge
from store import intake
from store.fold import DurableFold, Move
from tests.integration.hands_kit import Floor, asked, chose, done, floor, now, task_id
from tests.said import PATIENCE_S
from tests.stacks import Namespace

DAYS = 7
TASKS = "select array_agg(task_id order by queued_at) from ops.work_task"
HANGING = "select (select count(*) from ops.work_attempt) + (select count(*) from ops.effect)"
ORIGIN = ("requests", 3, 41)


async def ended(hall: Floor, number: int, days_ago: float) -> None:
    """Have a task done, with an effect, so many days ago."""
    await hall.tell(asked(number), chose(number))
    (claimed,) = await hall.claim()
    await hall.end(done(claimed))
    await hall.connection.execute(
        """insert into ops.effect (task_id, attempt, step, key, target, idempotent, state, request_sha256, epoch)
        values (%s, 1, 'call', 'key', 'there', true, 'done', 'hash', 1)""",
        (task_id(number),),
    )
    await hall.connection.execute(
        """update ops.work_task set ended_at = now() - %s * interval '1 d', deadline = now() - interval '1 h'
        where task_id = %s""",
        (days_ago, task_id(number)),
    )


async def left(hall: Floor) -> list[str]:
    """Purge, and return the tasks that are still there."""
    await Purge(hall.connection, time.monotonic, Keep(DAYS, every_s=0.0)).bite()
    return await hall.value(TASKS) or []


async def test_the_watchdog_lets_go_of_what_ended_long_ago_with_all_that_hangs_on_it(namespace: Namespace) -> None:
    """Attempts and effects go with their task; what is open and what ended lately stays whole."""
    async with floor(namespace.postgres) as hall:
        await hall.agent()
        await ended(hall, 1, days_ago=DAYS + 1)
        await ended(hall, 2, days_ago=DAYS - 1)
        await hall.tell(asked(3), chose(3))

        stopped = asyncio.Event()
        keep = Keep(DAYS, every_s=0.0)
        running = watchdog.run(hall.dsn, hall.roads, stopped, now, time.monotonic, hall.count, keep, every_s=0.05)
        sweeping = asyncio.create_task(running)
        async with asyncio.timeout(PATIENCE_S):
            while not hall.counts["watchdog.purged_tasks"]:  # noqa: ASYNC110 a condition with a deadline
                await asyncio.sleep(0.05)
        stopped.set()
        await sweeping

        assert await hall.value(TASKS) == [task_id(2), task_id(3)]
        assert await hall.value(HANGING) == 3
        assert hall.counts["watchdog.purged_tasks"] == 1


@pytest.mark.parametrize(
    "why",
    [
        "update ops.effect set state = 'unknown'",
        "update ops.work_task set deadline = now() + interval '1 h'",
        "update ops.work_task set state = 'open', ended_at = null",
    ],
    ids=["a person must decide", "before its deadline", "open"],
)
async def test_some_tasks_wait_all_the_same(namespace: Namespace, why: str) -> None:
    """An effect in doubt is not forgotten, and a task that could be claimed once more keeps its row."""
    async with floor(namespace.postgres) as hall:
        await hall.agent()
        await ended(hall, 1, days_ago=DAYS + 1)
        await hall.connection.execute(why.encode())

        assert await left(hall) == [task_id(1)]


async def test_a_request_that_intake_may_read_again_keeps_its_task(namespace: Namespace) -> None:
    """Killed between publishing and moving on, intake submits the task once more, with a new deadline, however late."""
    topic, partition, offset = ORIGIN
    async with floor(namespace.postgres) as hall:
        await hall.agent()
        await ended(hall, 1, days_ago=DAYS + 1)
        claim = intake.Claim(derived_id("key"), "default", "hash", "/".join(map(str, ORIGIN)), task_id(1))
        await intake.claim(hall.connection, [claim])
        fold = DurableFold("intake", hall.connection)
        await fold.positions([(topic, partition)])
        async with fold.step([Move(topic, partition, 0, offset)]):
            pass

        before = await left(hall)
        async with fold.step([Move(topic, partition, offset, offset + 1)]):
            pass

        assert (before, await left(hall)) == ([task_id(1)], [])


async def test_a_task_with_a_strange_name_stops_nobody(namespace: Namespace) -> None:
    """Claims name tasks by UUID; a task id that is none has no claim, and goes like any other."""
    async with floor(namespace.postgres) as hall:
        await hall.agent()
        await ended(hall, 1, days_ago=DAYS + 1)
        await hall.connection.execute("update ops.work_task set task_id = 'no-uuid'")

        assert await left(hall) == []


async def test_what_is_told_again_after_the_purge_is_not_done_again(namespace: Namespace) -> None:
    """A repeated choice queues nothing; if the whole log is read once more, nobody can claim what is past its deadline."""
    async with floor(namespace.postgres) as hall:
        await hall.agent()
        await hall.tell(asked(deadline_s=-60.0), chose())
        await hall.sweep()
        await hall.connection.execute("update ops.work_task set ended_at = now() - interval '8 d'")
        gone = await left(hall)

        await hall.tell(chose())
        queued = await hall.value(HANGING)
        await hall.tell_again()

        assert (gone, queued, await hall.claim()) == ([], 0, [])
        assert hall.counts["dispatch.chosen_late"] == 1


async def test_old_rows_of_the_inboxes_go(namespace: Namespace) -> None:
    """What was taken in long ago is forgotten, what came lately is not."""
    old, young = derived_id("old"), derived_id("young")
    async with floor(namespace.postgres) as hall:
        fold = DurableFold("learning", hall.connection)
        await fold.fresh([old, young])
        await hall.connection.execute("update ops.fold_inbox set taken_at = now() - interval '8 d' where event_id = %s", (old,))

        purged = await Purge(hall.connection, time.monotonic, Keep(DAYS, every_s=0.0)).bite()

        assert purged == {"tasks": 0, "inbox_rows": 1, "plans": 0, "approvals": 0}
        assert await fold.fresh([old, young]) == {old}


async def test_a_full_bite_is_followed_at_once_a_small_one_after_a_while(namespace: Namespace) -> None:
    """Deleting keeps up with what comes, and costs nothing while there is little to delete."""
    clock = [0.0]
    async with floor(namespace.postgres) as hall:
        await DurableFold("learning", hall.connection).fresh([derived_id("old", number) for number in range(3)])
        await hall.connection.execute("update ops.fold_inbox set taken_at = now() - interval '8 d'")
        purge = Purge(hall.connection, lambda: clock[0], Keep(DAYS, every_s=10.0, bite=2))

        async def bites(times: Sequence[float]) -> list[int | None]:
            found: list[int | None] = []
            for moment in times:
                clock[0] = moment
                found.append((await purge.bite()).get("inbox_rows"))
            return found

        assert await bites([9.0, 10.0, 10.5, 11.0, 20.5]) == [None, 2, 1, None, 0]
