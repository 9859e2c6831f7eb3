"""The work queue on a real Postgres: what is queued, claimed, ended, taken over, cancelled and expired."""

import asyncio
from collections import Counter
from datetime import timedelta

import pytest
from msgspec.structs import replace

from events.answer import AnswerGiven
from events.event import Event
from events.stamp import stamp
from events.task import AttemptEnded, AttemptStarted, TaskEnded
from events.topics import ANSWERS
from events.wire import Incoming, encode
from handlers.attempt import Tried
from handlers.dispatch import Dispatcher, Retry
from handlers.watchdog import Watchdog
from store import blob, claim, outbox, work
from store.postgres import connect
from tests.builders import agent_revised, cancel_requested, ended, moment, paused, registered, resumed, retired, spec
from tests.integration.hands_kit import (
    Floor,
    asked,
    choice_context,
    chose,
    done,
    failed,
    floor,
    ids,
    now,
    task_id,
)
from tests.stacks import Namespace


async def test_a_chosen_task_is_done_and_ends_once(namespace: Namespace) -> None:
    """Submitted, chosen, claimed, completed: start, end, task end and answer, each caused by the one before."""
    async with floor(namespace.postgres) as hall:
        await hall.agent()
        await hall.tell(asked(requested_by="ann"), chose())
        (claimed,) = await hall.claim()

        outcomes = await hall.end(done(claimed, {"answer": 2}))

        events = await hall.outbox()
        start, end, task, answer = events
        assert outcomes == ["completed"]
        assert [type(event.fact) for event in events] == [AttemptStarted, AttemptEnded, TaskEnded, AnswerGiven]
        assert start.envelope.causation_id == end.envelope.causation_id == claimed.cause.id
        assert (task.envelope.causation_id, answer.envelope.causation_id) == (end.id, task.id)
        assert {event.envelope.correlation_id for event in events} == {task_id(1)}
        assert await hall.state() == ("completed", [(1, "completed", 1)])
        (given,) = await hall.sent(AnswerGiven)
        assert (given.outcome, given.output, given.requested_by, given.agent, given.attempt) == (
            "completed",
            {"answer": 2},
            "ann",
            "calculator",
            1,
        )


async def test_facts_read_twice_change_nothing(namespace: Namespace) -> None:
    """A batch that is read again, as after a crash, is counted and dropped: the first in the log has won."""
    async with floor(namespace.postgres) as hall:
        await hall.agent()
        await hall.tell(asked(), chose())
        (claimed,) = await hall.claim()

        await hall.tell_again()
        await hall.end(done(claimed))
        await hall.tell_again()

        assert await hall.state() == ("completed", [(1, "completed", 1)])
        assert hall.counts["dispatch.submitted_again"] == 2
        assert (hall.counts["dispatch.chosen_again"], hall.counts["dispatch.chosen_late"]) == (1, 1)
        assert await hall.claim() == []


async def test_the_first_choice_of_an_attempt_wins(namespace: Namespace) -> None:
    """A selection run again may choose another agent; the work goes to the one chosen first in the log."""
    async with floor(namespace.postgres) as hall:
        await hall.agent("first")
        await hall.agent("second")
        await hall.tell(asked(), chose(agent="first"), chose(agent="second"))
        await hall.tell(chose(agent="second"))

        claimed = await hall.claim()

        assert [one.spec.id for one in claimed] == ["first"]
        assert hall.counts["dispatch.chosen_again"] == 2


async def test_an_end_that_selection_wrote_closes_the_task_and_answers(namespace: Namespace) -> None:
    """A task that fits nobody is ended by selection; dispatch closes its row and gives the answer, once."""
    async with floor(namespace.postgres) as hall:
        await hall.tell(asked(), ended("failed", task_id(1), reason="no_agent_fits", attempts=0))
        await hall.tell_again()

        (answer,) = await hall.sent(AnswerGiven)
        assert (answer.outcome, answer.reason) == ("failed", "no_agent_fits")
        assert await hall.state() == ("failed", [])
        assert hall.counts["dispatch.closed"] == 1


async def test_claims_go_by_priority_then_age_and_take_no_more_than_there_is_room(namespace: Namespace) -> None:
    """The urgent come first, then the old; a claim takes only what it has room for."""
    async with floor(namespace.postgres) as hall:
        await hall.agent()
        for number, priority in [(1, 5), (2, 5), (3, 9), (4, 0)]:
            await hall.tell(asked(number, priority=priority), chose(number, priority=priority))

        first = await hall.claim(limit=3)
        rest = await hall.claim(limit=3)

        assert {one.hold.task_id for one in first} == {task_id(number) for number in (1, 2, 3)}
        assert [one.hold.task_id for one in rest] == [task_id(4)]


async def test_a_worker_gets_only_agents_that_it_serves(namespace: Namespace) -> None:
    """What nobody serves stays in the queue and is seen waiting there."""
    async with floor(namespace.postgres) as hall:
        await hall.agent("here")
        await hall.agent("there")
        await hall.tell(asked(1), chose(1, agent="here"), asked(2), chose(2, agent="there"), asked(3))

        turn = await hall.desk().turn((), ("here",), 10)

        assert [one.spec.id for one in turn.claimed] == ["here"]
        waiting = {one.agent: one.waiting for one in await work.backlog(hall.connection)}
        assert waiting == {"there": 1, None: 1}
        assert await work.serving(hall.connection, ("here", "nobody")) == ("here",)


async def test_two_claimers_never_get_the_same_attempt(namespace: Namespace) -> None:
    """Claims that run at once divide the queue."""
    async with floor(namespace.postgres) as hall:
        await hall.agent()
        await hall.tell(*(fact for n in range(60) for fact in (asked(n), chose(n))))
        connections = [await connect(hall.dsn, f"w{n}") for n in range(4)]

        async def take(name: str, index: int) -> list[str]:
            desk = hall.desk(name, connection=connections[index])
            taken = [await desk.turn((), None, 5) for _ in range(4)]
            return [one.hold.task_id for turn in taken for one in turn.claimed]

        got = await asyncio.gather(*(take(f"w{index}", index) for index in range(4)))
        for connection in connections:
            await connection.close()

        flat = [one for some in got for one in some]
        assert len(flat) == len(set(flat)) == 60


async def test_a_paused_agent_keeps_its_queue_until_it_is_resumed(namespace: Namespace) -> None:
    """The claim checks pauses again: a queued attempt waits, and goes on when the agent does."""
    async with floor(namespace.postgres) as hall:
        await hall.tell(registered(), asked(), chose(), paused())

        while_paused = await hall.claim()
        await hall.tell(agent_revised(spec=spec(description="new")))
        still_paused = await hall.claim()
        await hall.tell(resumed())
        (claimed,) = await hall.claim()

        assert while_paused == still_paused == []
        assert claimed.spec.description == "new"


async def test_a_running_attempt_of_a_paused_agent_ends_as_usual(namespace: Namespace) -> None:
    """Pausing drains: what has begun is brought to its end."""
    async with floor(namespace.postgres) as hall:
        await hall.tell(registered(), asked(), chose())
        (claimed,) = await hall.claim()
        await hall.tell(paused())

        assert await hall.end(done(claimed)) == ["completed"]


async def test_a_retired_agents_queue_is_handed_back(namespace: Namespace) -> None:
    """While attempts are left, another agent is chosen; after the last one the task fails."""
    async with floor(namespace.postgres) as hall:
        await hall.tell(registered(), asked(1), chose(1), asked(2), chose(2, max_attempts=1), retired())

        swept = await hall.sweep()

        assert swept == {"handed_back": 1, "agent_retired": 1}
        (handed,) = await hall.sent(AttemptEnded)
        assert (handed.outcome, handed.error, handed.task_id) == ("abandoned", "agent_retired", task_id(1))
        assert handed.context is not None
        assert handed.context.tried == ("calculator",)
        (task,) = await hall.sent(TaskEnded)
        assert (task.task_id, task.outcome, task.reason) == (task_id(2), "failed", "agent_retired")
        assert (await hall.state(1))[0] == "open"


async def test_an_agent_that_registers_again_after_retiring_is_active(namespace: Namespace) -> None:
    """Retired is final until the agent registers anew."""
    async with floor(namespace.postgres) as hall:
        await hall.tell(registered(), retired(), resumed(), asked(), chose())
        before = await hall.claim()
        await hall.tell(registered(request_id="again"))

        assert before == []
        assert len(await hall.claim()) == 1


async def test_a_lease_that_ran_out_is_queued_again_as_the_same_attempt(namespace: Namespace) -> None:
    """A dead worker's attempt is taken over under the next epoch; its own late end writes nothing."""
    async with floor(namespace.postgres) as hall:
        await hall.agent()
        await hall.tell(asked(), chose())
        (lost,) = await hall.claim("dead", lease_s=0.0)
        swept = await hall.sweep()
        (taken,) = await hall.claim("alive")
        before = len(await hall.outbox())

        late = await hall.end(done(lost), worker="dead")
        written_by_late = len(await hall.outbox()) - before
        own = await hall.end(done(taken), worker="alive")

        assert swept == {"requeued": 1}
        assert (lost.hold.attempt, lost.hold.epoch, taken.hold.attempt, taken.hold.epoch) == (1, 1, 1, 2)
        assert (late, written_by_late, own) == (["lost_lease"], 0, ["completed"])
        assert len(set(ids(await hall.outbox(), AttemptStarted))) == 1
        assert [end.epoch for end in await hall.sent(AttemptEnded)] == [2]


async def test_a_task_that_outlives_its_workers_is_given_up(namespace: Namespace) -> None:
    """An attempt that one worker after another dies of does not go on killing: after a while its task fails."""
    async with floor(namespace.postgres) as hall:
        await hall.agent()
        await hall.tell(asked(), chose())
        watchdog = Watchdog(hall.connection, hall.roads, now, most_claims=3)
        swept = []
        for worker in ("w1", "w2", "w3"):
            await hall.claim(worker, lease_s=0.0)
            swept.append(await watchdog.sweep())

        assert [(some["requeued"], some["workers_died"]) for some in swept] == [(1, 0), (1, 0), (0, 1)]
        (end,), (task,) = await hall.sent(AttemptEnded), await hall.sent(TaskEnded)
        assert (end.outcome, end.epoch, end.context) == ("abandoned", 3, None)
        assert (task.outcome, task.reason, await hall.claim()) == ("failed", "workers_died", [])


async def test_a_renewed_lease_is_not_swept(namespace: Namespace) -> None:
    """Renewal keeps an attempt; a hold that is no longer ours is not renewed."""
    async with floor(namespace.postgres) as hall:
        await hall.agent()
        await hall.tell(asked(1), chose(1), asked(2), chose(2))
        mine, other = await hall.claim(lease_s=0.0)
        stolen = claim.Hold(other.hold.task_id, 1, 0)

        kept = await claim.renew(hall.connection, [mine.hold, stolen], 30.0)
        swept = await hall.sweep()

        assert kept == {mine.hold}
        assert swept == {"requeued": 1}


async def test_a_worker_that_leaves_gives_back_what_it_holds(namespace: Namespace) -> None:
    """Given back means queued at once, not when the lease runs out."""
    async with floor(namespace.postgres) as hall:
        await hall.agent()
        await hall.tell(asked(), chose())
        (held,) = await hall.claim("leaver")

        given = await hall.desk("leaver").give_back([held.hold])
        (taken,) = await hall.claim("next")

        assert (given, taken.hold.epoch) == (1, 2)


async def test_a_failure_asks_for_another_agent_until_the_last_attempt(namespace: Namespace) -> None:
    """Each failed attempt carries the context on with its agent among the tried; the last one fails the task."""
    async with floor(namespace.postgres) as hall:
        await hall.agent("one")
        await hall.agent("two")
        await hall.tell(asked(), chose(agent="one", max_attempts=2))
        (first,) = await hall.claim()
        await hall.end(failed(first))
        (told,) = await hall.sent(AttemptEnded)
        open_after_first = (await hall.state())[0]

        await hall.tell(chose(agent="two", attempt=2, max_attempts=2, tried=("one",)), retry=Retry(base_s=0.0))
        (second,) = await hall.claim()
        await hall.end(failed(second))

        assert told.context == choice_context(deadline=first.context.deadline, max_attempts=2, tried=("one",))
        assert open_after_first == "open"
        last = (await hall.sent(AttemptEnded))[-1]
        (task,) = await hall.sent(TaskEnded)
        assert (last.context, last.error) == (None, "not_arithmetic: it did not work")
        assert (task.outcome, task.reason, task.attempts) == ("failed", "attempts_exhausted", 2)
        assert task.detail == "not_arithmetic: it did not work"


async def test_a_further_attempt_is_held_back(namespace: Namespace) -> None:
    """Retries are spread: an attempt after the first is not claimed before its time."""
    async with floor(namespace.postgres) as hall:
        await hall.agent()
        await hall.tell(asked(), chose(attempt=2), retry=Retry(base_s=60.0, most_s=60.0))

        assert await hall.claim() == []
        wait = await hall.value("select extract(epoch from not_before - queued_at)::float8 from ops.work_attempt")
        assert wait == pytest.approx(30.0)


async def test_a_long_output_is_stored_once_and_referenced(namespace: Namespace) -> None:
    """An output above the limit lies in the blob store under its sha256; facts carry the sha256 alone."""
    async with floor(namespace.postgres) as hall:
        await hall.agent()
        await hall.tell(asked(), chose())
        (claimed,) = await hall.claim()
        finish, content = done(claimed), b'"' + b"x" * 70_000 + b'"'

        await hall.desk().turn([Tried(type(finish)(claimed, "completed", 1), content)], None, 0)

        (end,), (answer,) = await hall.sent(AttemptEnded), await hall.sent(AnswerGiven)
        assert end.output_sha256 == answer.output_sha256
        assert (end.output, answer.output) == (None, None)
        assert await blob.get(hall.connection, end.output_sha256 or "") == content
        with pytest.raises(blob.BlobMissing):
            await blob.get(hall.connection, "0" * 64)


async def let_pass(hall: Floor, *numbers: int) -> None:
    """Let the deadlines of tasks pass, now and by Postgres's clock, however long it took to come here."""
    tasks = [task_id(number) for number in numbers]
    await hall.connection.execute("update ops.work_task set deadline = now() - interval '1 ms' where task_id = any(%s)", (tasks,))


async def test_a_deadline_ends_the_task_whatever_its_attempt_does(namespace: Namespace) -> None:
    """Waiting and running tasks expire; a start has its end; the worker's own end comes too late."""
    async with floor(namespace.postgres) as hall:
        await hall.agent()
        await hall.tell(asked(1), chose(1), asked(2), asked(3))
        (running,) = await hall.claim(limit=1)
        await let_pass(hall, 1, 2)

        swept = await hall.sweep()
        late = await hall.end(done(running))

        assert (swept, late) == ({"expired": 2}, ["lost_lease"])
        (end,) = await hall.sent(AttemptEnded)
        assert (end.outcome, end.task_id, end.worker, end.epoch) == ("abandoned", task_id(1), "w1", 1)
        assert end.duration_us > 0
        assert {(task.task_id, task.outcome, task.attempts) for task in await hall.sent(TaskEnded)} == {
            (task_id(1), "expired", 1),
            (task_id(2), "expired", 0),
        }
        assert len(await hall.sent(AnswerGiven)) == 2
        assert (await hall.state(3))[0] == "open"


async def test_a_failure_after_the_deadline_expires_the_task(namespace: Namespace) -> None:
    """A worker that comes back without a result after the deadline ends the task as expired."""
    async with floor(namespace.postgres) as hall:
        await hall.agent()
        await hall.tell(asked(), chose())
        (claimed,) = await hall.claim()
        late = replace(claimed, task=replace(claimed.task, deadline=now()))

        outcomes = await hall.end(failed(late, "timed_out"))

        assert outcomes == ["failed"]
        assert [task.outcome for task in await hall.sent(TaskEnded)] == ["expired"]


async def test_cancelling_ends_what_is_open_and_comes_too_late_for_the_rest(namespace: Namespace) -> None:
    """Cancel is a request: a running attempt is abandoned, a queued one never starts, an ended task stays ended."""
    async with floor(namespace.postgres) as hall:
        await hall.agent()
        await hall.tell(asked(1), chose(1))
        (running,) = await hall.claim()
        await hall.tell(asked(2), chose(2))
        await hall.tell(*(cancel_requested(task_id(n), reason="enough") for n in (1, 2, 3)))
        await hall.tell(cancel_requested(task_id(1)))

        late = await hall.end(done(running))

        assert (late, await hall.claim()) == (["lost_lease"], [])
        assert [(end.outcome, end.task_id) for end in await hall.sent(AttemptEnded)] == [("abandoned", task_id(1))]
        assert {(task.task_id, task.outcome, task.detail) for task in await hall.sent(TaskEnded)} == {
            (task_id(1), "cancelled", "enough"),
            (task_id(2), "cancelled", "enough"),
        }
        assert (hall.counts["dispatch.cancelled"], hall.counts["dispatch.cancelled_late"]) == (2, 2)


async def test_cancelling_and_completing_at_once_leaves_one_end(namespace: Namespace) -> None:
    """Whoever locks the task first ends it; the other writes nothing. Neither waits for the other in a ring."""
    async with floor(namespace.postgres) as hall:
        await hall.agent()
        numbers = range(120)
        await hall.tell(*(fact for n in numbers for fact in (asked(n), chose(n))))
        claimed = await hall.claim(limit=200)
        other = await connect(hall.dsn, "other")
        desk = hall.desk(connection=other)

        async def complete() -> list[str]:
            outcomes = []
            for start in range(0, 120, 6):
                some = [Tried(done(one)) for one in reversed(claimed[start : start + 6])]
                outcomes += (await desk.turn(some, None, 0)).outcomes
            return outcomes

        async def cancel() -> None:
            for start in range(0, 120, 8):
                await hall.tell(*(cancel_requested(task_id(n)) for n in numbers[start : start + 8]))

        outcomes, _ = await asyncio.gather(complete(), cancel())
        await other.close()

        ends = Counter(task.task_id for task in await hall.sent(TaskEnded))
        assert ends == Counter(task_id(n) for n in numbers)
        assert Counter(end.task_id for end in await hall.sent(AttemptEnded)) == ends
        assert outcomes.count("completed") == sum(t.outcome == "completed" for t in await hall.sent(TaskEnded))


async def test_the_answer_goes_to_a_reply_topic_only_if_it_is_on_the_list(namespace: Namespace) -> None:
    """Answers go to the answers topic, and to the producer's own where the operator allowed it."""
    async with floor(namespace.postgres, reply_topics=["ann.answers"]) as hall:
        await hall.agent()
        await hall.tell(asked(1, reply_to="ann.answers"), chose(1), asked(2, reply_to="evil.topic"), chose(2))

        await hall.end(*(done(claimed) for claimed in await hall.claim()))

        rows = await outbox.unpublished(hall.connection, range(outbox.SHARDS), 100)
        told = Counter(row.record.topic for row in rows if row.record.topic != hall.names.of(ANSWERS))
        assert told["ann.answers"] == 1
        assert "evil.topic" not in told


async def test_what_is_no_fact_becomes_a_dead_letter_and_the_rest_flows_on(namespace: Namespace) -> None:
    """A broken record, an unknown type and a future version are parked with their reason and origin."""
    async with floor(namespace.postgres) as hall:
        good = encode("test.tasks.v1", asked())
        kinds = [b"smolit.task.submitted.v1", b"smolit.task.unheard_of.v1", b"smolit.agent.chosen.v9"]
        headers = [tuple((name, kind if name == "ce_type" else told) for name, told in good.headers) for kind in kinds]
        # Each has a key of its own: what bears the key of a dead letter waits behind it.
        broken = [Incoming(good.topic, 0, place, b"k%d" % place, told, b"{}") for place, told in enumerate(headers)]
        whole = Incoming(good.topic, 0, 3, good.key, good.headers, good.value)
        dispatcher = Dispatcher(hall.roads, now, lambda: 0.0, Retry(), hall.count)

        await dispatcher.apply(hall.connection, [*broken, whole])

        rows = await outbox.unpublished(hall.connection, range(outbox.SHARDS), 100)
        letters = [event.fact for event in await hall.outbox()]
        assert {row.record.topic for row in rows} == {"test.tasks.v1.dlq"}
        assert (await hall.state())[0] == "open"
        assert [(letter.reason, letter.origin_offset, letter.stage) for letter in letters] == [  # type: ignore[attr-defined]
            ("malformed_payload", 0, "dispatch"),
            ("unknown_type", 1, "dispatch"),
            ("unknown_version", 2, "dispatch"),
        ]


async def test_a_worker_of_ours_is_not_read_back(namespace: Namespace) -> None:
    """Ends that the hands wrote closed their row already; the same end by somebody else would close an open task."""
    async with floor(namespace.postgres) as hall:
        await hall.tell(asked(1), asked(2))
        own, foreign = ended("failed", task_id(1)), ended("failed", task_id(2))
        ours = stamp(own.fact, source="smolit/worker", now=moment(1), correlation=task_id(1), cause="c")

        await hall.tell(Event(ours.envelope, ours.fact), foreign)

        assert ((await hall.state(1))[0], (await hall.state(2))[0]) == ("open", "failed")


async def test_a_task_that_ends_leaves_no_attempt_behind_that_was_chosen_meanwhile(namespace: Namespace) -> None:
    """A choice and an end that race leave no queued attempt of an ended task."""
    async with floor(namespace.postgres) as hall:
        await hall.agent()
        numbers = range(40)
        await hall.tell(*(asked(n) for n in numbers))
        await let_pass(hall, *numbers)

        async def choose() -> None:
            for n in numbers:
                await hall.tell(chose(n))

        other = await connect(hall.dsn, "watchdog")
        rival = Floor(hall.dsn, other, hall.names, frozenset())

        async def expire() -> None:
            for _ in range(10):
                await rival.sweep()

        await asyncio.gather(choose(), expire())
        await other.close()

        left = await hall.value("select count(*) from ops.work_attempt where state in ('queued', 'running')")
        assert left == 0
        assert len(await hall.sent(TaskEnded)) == 40


def test_retries_wait_longer_each_time_up_to_a_limit() -> None:
    """The first attempt never waits; the others wait twice as long each, half of it drawn."""
    retry = Retry(base_s=1.0, most_s=4.0)

    assert [retry.delay_s(attempt, 0.0) for attempt in range(1, 6)] == [0.0, 0.5, 1.0, 2.0, 2.0]
    assert retry.delay_s(3, 0.5) == 1.5
    assert retry.delay_s(10_000, 0.999) < 4.0
    assert timedelta(seconds=retry.delay_s(2, 0.0)) == timedelta(milliseconds=500)
