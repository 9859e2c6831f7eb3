"""The bridge on a real Postgres: what workers elsewhere say counts once, from whoever has the attempt, and from nobody else."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, cast

import msgspec
import pytest

from agents.signature import Key
from bus.errors import WrongTopics
from bus.producer import Publisher
from events.answer import AnswerGiven, RequestRefused
from events.dead_letter import DeadLetter
from events.event import Envelope, Event, Message
from events.heartbeat import WorkerSeen
from events.request import AnnounceWorker, AnswerAttempt, BeatWorker, DoneStep, Held
from events.task import AttemptEnded, AttemptStarted, TaskEnded
from events.wire import Incoming, Outgoing, decode, encode
from events.work import DoAttempt, DropAttempt
from handlers.dispatch import Retry
from handlers.ear import Ear
from handlers.giving import Hand
from handlers.ordering import House
from handlers.pool_topics import Topics
from handlers.remote import Rhythm
from tests.integration.hands_kit import Floor, asked, chose, floor, now, task_id
from tests.stacks import Namespace

RHYTHM = Rhythm(lease_s=30.0, heartbeat_s=10.0)
LIMIT = 100_000
HOUSE_KEY = Key("house", b"h" * 32)


class Broker:
    """Keeps what is published."""

    def __init__(self) -> None:
        self.seen: list[WorkerSeen] = []

    async def publish(self, records: Sequence[Outgoing]) -> None:
        """Take heartbeats."""
        facts = [decode(record.headers, record.value).fact for record in records]
        self.seen += [fact for fact in facts if isinstance(fact, WorkerSeen)]


class Bridge:
    """Both loops of a bridge, a step at a time."""

    def __init__(self, hall: Floor) -> None:
        self.hall, self.broker = hall, Broker()
        self.house = House(hall.names, lambda _tenant: HOUSE_KEY)
        self.listen(("*",))  # those with a key: test_bridge_signed.py
        self._hand = Hand(hall.connection, self.house, hall.roads, RHYTHM, now, hall.count)
        self._offset = 0

    def listen(self, unsigned: Sequence[str] = ()) -> None:
        """Listen anew; those who are named need not sign."""
        self.ear = Ear(self.house, self.hall.roads, RHYTHM, now, LIMIT, self.hall.count, unsigned)

    async def say(self, *said: Message, source: str = "farm", tenant: str = "default", request_id: str = "", **more: Any) -> None:
        """Let the bridge read what a worker says, all in one batch."""
        await self.read(*(self.record(one, source, tenant, request_id, **more) for one in said))

    async def read(self, *records: Incoming) -> None:
        """Let the bridge read records."""
        async with self.hall.connection.transaction():
            await self.ear.apply(self.hall.connection, records)
        await self.ear.committed(self.hall.connection, cast(Publisher, self.broker))

    def record(self, said: Message, source: str, tenant: str, request_id: str = "", ago_s: float = 0.0) -> Incoming:
        """Return a record on a tenant's request topic."""
        self._offset += 1
        name = request_id or f"r-{self._offset}"
        told = Envelope(
            id=name, source=source, subject="", time=now() - timedelta(seconds=ago_s), correlation_id=name, causation_id=name
        )
        made = encode(self.hall.names.requests_of(tenant), Event(told, said))
        return Incoming(made.topic, 0, self._offset, made.key, made.headers, made.value)

    async def turn(self) -> list[DoAttempt]:
        """Give what can be given, and return every command so far."""
        await self._hand.turn()
        return await self.hall.sent(DoAttempt)

    async def refused(self) -> list[str]:
        """Return why something was refused, each recorded as a dead letter and told to its sender."""
        letters = [letter.reason for letter in await self.hall.sent(DeadLetter)]
        assert letters == [word.reason for word in await self.hall.sent(RequestRefused)]
        return letters


@asynccontextmanager
async def bridge(namespace: Namespace, **settings: Any) -> AsyncIterator[Bridge]:
    """Lend a bridge with one agent in the pool `farm`, and one task for it."""
    async with floor(namespace.postgres) as hall:
        await hall.agent("factor", pipeline="remote", pool="farm", timeout_s=60.0, settings=settings)
        await hall.tell(asked(1), chose(1, agent="factor"))
        yield Bridge(hall)


def announce(worker: str = "w1", pool: str = "farm", capacity: int = 2) -> AnnounceWorker:
    """Return an announcement."""
    return AnnounceWorker(worker=worker, pool=pool, capacity=capacity)


def beat(*held: DoAttempt, worker: str = "w1", capacity: int = 2) -> BeatWorker:
    """Return a sign of life that names attempts."""
    holding = tuple(Held(one.task_id, one.attempt, one.epoch) for one in held)
    return BeatWorker(worker=worker, pool="farm", capacity=capacity, holding=holding)


def answer(to: DoAttempt, **fields: Any) -> AnswerAttempt:
    """Return an answer."""
    given = {"task_id": to.task_id, "attempt": to.attempt, "epoch": to.epoch, "worker": to.worker, "outcome": "completed"}
    return AnswerAttempt(**{**given, "output": {"factors": [2, 3]}, **fields})


async def lapse(made: Bridge) -> None:
    """Let every lease run out, and the watchdog see it."""
    await made.hall.connection.execute("update ops.work_attempt set lease_until = now() - interval '1 s'")
    await made.hall.sweep()


LEFT = "select extract(epoch from lease_until - now()) from ops.work_attempt"


async def test_a_worker_elsewhere_announces_itself_gets_an_attempt_and_answers(namespace: Namespace) -> None:
    """Start, end, answer and steps are in the log as for a worker of ours, and it is shown as alive."""
    async with bridge(namespace) as made:
        nothing = await made.turn()
        await made.say(announce())
        (command,) = await made.turn()
        await made.say(beat(command))
        done = (DoneStep("divide", 7, "trial/1"),)
        await made.say(answer(command, steps=done, cost_microusd=5))

        (started,), (ended,) = await made.hall.sent(AttemptStarted), await made.hall.sent(AttemptEnded)
        (told,) = await made.hall.sent(AnswerGiven)
        assert nothing == []
        assert (command.source, command.worker, command.epoch, command.text) == ("farm", "w1", 1, "1 + 1")
        assert started.worker == ended.worker == "default:farm#w1"
        assert [(step.name, step.model) for step in ended.steps] == [("divide", "trial/1")]
        assert (ended.outcome, ended.cost_microusd, told.output) == ("completed", 5, {"factors": [2, 3]})
        assert [(seen.worker, seen.agents, seen.busy) for seen in made.broker.seen] == [
            ("default:farm#w1", ("factor",), 0), ("default:farm#w1", ("factor",), 1),
        ]  # fmt: skip
        assert (await made.hall.state())[0] == "completed"
        assert await made.refused() == []


async def test_workers_of_the_house_never_take_what_lives_elsewhere(namespace: Namespace) -> None:
    """Nor does a pool of ours of the same name; without a worker elsewhere the attempt waits."""
    async with bridge(namespace) as made:
        assert await made.hall.claim() == []
        await made.hall.agent("heavy", pool="farm")
        await made.hall.tell(asked(2), chose(2, agent="heavy"))
        assert await made.hall.claim() == []
        await made.say(announce())

        assert [command.agent for command in await made.turn()] == ["factor"]


async def test_an_answer_that_comes_twice_counts_once(namespace: Namespace) -> None:
    """The very record again falls away; another request about the same attempt is refused; a reused id is, too."""
    async with bridge(namespace) as made:
        await made.say(announce())
        (command,) = await made.turn()
        first = made.record(answer(command), "farm", "default", "a-1")
        again = made.record(answer(command), "farm", "default", "a-1")
        await made.read(first, again)
        await made.say(answer(command, output="other"), request_id="a-1")
        await made.say(answer(command), answer(command), request_id="a-2")

        assert made.hall.counts["bridge.repeated"] == 2
        assert await made.refused() == ["request_id_reused", "attempt_over"]
        assert len(await made.hall.sent(AttemptEnded)) == len(await made.hall.sent(AnswerGiven)) == 1


async def test_two_answers_in_one_batch_are_one_end(namespace: Namespace) -> None:
    """The first in the log counts."""
    async with bridge(namespace) as made:
        await made.say(announce())
        (command,) = await made.turn()
        await made.say(answer(command, output=1), answer(command, output=2))

        (told,) = await made.hall.sent(AnswerGiven)
        assert (told.output, await made.refused()) == (1, ["attempt_over"])


async def test_a_silent_workers_attempt_goes_to_another_and_its_late_answer_is_refused(namespace: Namespace) -> None:
    """After the lease the next worker has it under a higher epoch; the old one is told to drop it, and counts no more."""
    async with bridge(namespace) as made:
        await made.say(announce("w1"))
        (old,) = await made.turn()
        await lapse(made)
        await made.say(answer(old), request_id="between")
        await made.say(announce("w2"))
        await made.hall.connection.execute("update ops.remote_worker set seen_at = now() - interval '1 h' where worker = 'w1'")
        (_, new) = await made.turn()
        await made.say(beat(old, worker="w1"), answer(old))
        await made.say(answer(new, output="mine"))

        (told,), (dropped,) = await made.hall.sent(AnswerGiven), await made.hall.sent(DropAttempt)
        assert (new.worker, new.epoch, new.effect_key) == ("w2", 2, old.effect_key)
        assert (dropped.worker, dropped.epoch) == ("w1", 1)
        assert await made.refused() == ["lease_lost", "stale_epoch"]
        assert (told.output, told.attempt) == ("mine", 1)


@pytest.mark.parametrize(
    ("fields", "how", "reason"),
    [
        ({}, {"source": "thief"}, "not_yours"),
        ({"worker": "w2"}, {}, "not_yours"),
        ({}, {"tenant": "other"}, "unknown_attempt"),
        ({"epoch": 2}, {}, "unknown_epoch"),
        ({"attempt": 2}, {}, "unknown_attempt"),
        ({"task_id": task_id(9)}, {}, "unknown_attempt"),
    ],
)
async def test_only_who_has_the_attempt_may_answer(
    namespace: Namespace, fields: dict[str, Any], how: dict[str, Any], reason: str
) -> None:
    """Another source, name, tenant, claim, attempt or task is refused and recorded, and the attempt goes on."""
    async with bridge(namespace) as made:
        await made.say(announce())
        (command,) = await made.turn()
        await made.say(answer(command, **fields), **how)

        assert await made.refused() == [reason]
        assert await made.hall.state() == ("open", [(1, "running", 1)])


async def test_beats_renew_what_they_name_and_only_for_whoever_has_it(namespace: Namespace) -> None:
    """A stranger's beat renews nothing; one that is read a minute late is no sign of life."""
    async with bridge(namespace) as made:
        await made.say(announce())
        (command,) = await made.turn()
        await made.hall.connection.execute("update ops.work_attempt set lease_until = now() + interval '5 s'")
        await made.say(beat(command), source="thief")
        await made.say(beat(), beat(command, worker="w2"))
        await made.say(beat(command), ago_s=100.0)
        before = await made.hall.value(LEFT)
        await made.say(beat(command))

        assert before < 6
        assert await made.hall.value(LEFT) > 20
        assert made.hall.counts["bridge.late_sign"] == 1
        assert {one.worker for one in await made.hall.sent(DropAttempt)} == {"w1", "w2"}  # thief's w1, and ours of another name


async def test_only_granted_sources_serve_a_pool(namespace: Namespace) -> None:
    """A pool that names its sources lets nobody else in; unknown pools and strangers are refused, beats once a minute."""
    async with bridge(namespace, sources=["farm"]) as made:
        await made.say(announce(), source="thief")
        await made.say(announce(pool="nowhere"))
        await made.say(announce(), tenant="other")
        await made.say(beat(), beat(), beat(), source="thief")
        nothing = await made.turn()
        await made.say(announce())

        assert await made.refused() == ["not_granted", "unknown_pool", "unknown_pool", "not_granted"]
        assert (nothing, len(await made.turn())) == ([], 1)


async def test_a_worker_that_begins_anew_holds_nothing(namespace: Namespace) -> None:
    """What it had before its crash goes out again at once, under the next claim, without waiting for the lease."""
    async with bridge(namespace) as made:
        await made.say(announce())
        (old,) = await made.turn()
        await made.say(announce())
        (_, new) = await made.turn()
        await made.say(answer(old))
        await made.say(answer(new))

        assert (old.epoch, new.epoch) == (1, 2)
        assert await made.refused() == ["stale_epoch"]
        assert (await made.hall.state())[0] == "completed"


async def test_no_more_is_given_than_there_is_room_for(namespace: Namespace) -> None:
    """Capacity counts what is with the worker; one that was not heard of lately, or says goodbye, gets nothing."""
    async with bridge(namespace) as made:
        for n in (2, 3, 4):
            await made.hall.tell(asked(n), chose(n, agent="factor"))
        await made.say(announce(capacity=2))
        first = await made.turn()
        await made.turn()
        assert len(await made.turn()) == len(first) == 2
        await made.say(answer(first[0]))
        assert len(await made.turn()) == 3
        await made.say(beat(*first, capacity=0), answer(first[1]))
        assert len(await made.turn()) == 3
        await made.say(beat(capacity=2))
        await made.hall.connection.execute("update ops.remote_worker set seen_at = now() - interval '31 s'")
        assert len(await made.turn()) == 3


async def test_a_failure_and_a_bad_output_lead_to_another_attempt(namespace: Namespace) -> None:
    """The reason that the worker gives is recorded; an output that the agent's schema does not allow is none."""
    async with bridge(namespace) as made:
        await made.hall.agent("factor", pipeline="remote", pool="farm", outputs={"type": "object"})
        await made.hall.tell(asked(2), chose(2, agent="factor"))
        await made.say(announce())
        commands = await made.turn()
        for command, fields in zip(commands, ({"outcome": "failed", "reason": "too_big"}, {"output": 7}), strict=True):
            await made.say(answer(command, **fields))

        ended = await made.hall.sent(AttemptEnded)
        assert [one.outcome for one in ended] == ["failed", "failed"]
        assert sorted(str(one.error).split(":")[0] for one in ended) == ["bad_output", "too_big"]
        assert all(one.context and one.context.tried == ("factor",) for one in ended)
        assert commands[0].outputs == {"type": "object"}


async def test_who_takes_too_long_has_timed_out(namespace: Namespace) -> None:
    """However lively it beats."""
    async with bridge(namespace) as made:
        await made.say(announce())
        (command,) = await made.turn()
        await made.say(beat(command))
        await made.hall.connection.execute("update ops.remote_attempt set due_at = now() - interval '1 s'")
        await made.turn()
        await made.say(answer(command))

        (ended,) = await made.hall.sent(AttemptEnded)
        assert (ended.outcome, await made.refused()) == ("timed_out", ["attempt_over"])


@pytest.mark.parametrize(("effects", "state"), [("once", "failed"), ("keyed", "completed"), ("nothing", "completed")])
async def test_what_takes_no_key_is_begun_once(namespace: Namespace, effects: str, state: str) -> None:
    """When its worker dies in the middle, a person decides; what takes our key goes out again under the same."""
    async with bridge(namespace, effects=effects) as made:
        await made.say(announce())
        await made.turn()
        await lapse(made)
        commands = await made.turn()
        if len(commands) == 2:
            await made.say(answer(commands[1]))

        (ended,) = await made.hall.sent(TaskEnded)
        assert ended.outcome == state
        assert ended.reason == ("effect_unknown" if state == "failed" else None)
        assert len({command.effect_key for command in commands}) == 1


async def test_garbage_is_passed_over_and_the_rest_is_heard(namespace: Namespace) -> None:
    """What is no event, too long, or a text that cannot be stored is intake's to refuse; the bridge reads on."""
    async with bridge(namespace) as made:
        good = made.record(announce(), "farm", "default")
        unstorable = AnswerAttempt(task_id=task_id(1), attempt=1, epoch=1, worker="w1", outcome="completed", output="\x00")
        garbage = [
            msgspec.structs.replace(good, value=b"{"),
            msgspec.structs.replace(good, value=b" " * (LIMIT + 1)),
            msgspec.structs.replace(good, value=None),
            msgspec.structs.replace(good, headers=()),
            msgspec.structs.replace(good, value=good.value.replace(b"w1", b"w" * 500) if good.value else None),
            made.record(unstorable, "farm", "default"),
        ]
        await made.read(*garbage, good)

        assert await made.refused() == []
        assert len(await made.turn()) == 1


async def test_an_input_that_does_not_fit_is_not_sent(namespace: Namespace) -> None:
    """The attempt fails by name before anybody elsewhere hears of it."""
    async with bridge(namespace) as made:
        await made.hall.agent("factor", pipeline="remote", pool="farm", inputs={"required": ["number"]})
        await made.say(announce())
        commands = await made.turn()

        (ended,) = await made.hall.sent(AttemptEnded)
        assert (commands, ended.outcome) == ([], "failed")
        assert str(ended.error).startswith("bad_input")


async def test_an_agent_that_moves_takes_what_waits_along(namespace: Namespace) -> None:
    """A choice that was read before its agent, and an agent that moves to another pool: who claims there finds it."""
    async with floor(namespace.postgres) as hall:
        await hall.tell(asked(1), chose(1, agent="heavy"))
        await hall.agent("heavy", pool="models")
        strayed = await hall.claim()
        swept = await hall.sweep()
        pooled = await hall.value("select pool from ops.work_attempt")
        await hall.agent("heavy")
        await hall.sweep()

        assert (strayed, swept, pooled) == ([], {"moved": 1}, "models")
        assert [one.spec.id for one in await hall.claim()] == ["heavy"]


async def test_bells_of_one_pool_wake_nobody_else(namespace: Namespace) -> None:
    """Room is rung only for attempts of its own pool, and an attempt that comes later is rung for there."""
    async with floor(namespace.postgres) as hall:
        await hall.agent("light")
        await hall.agent("heavy", pool="models")
        await hall.claim("house")
        await hall.tell(asked(1), chose(1, agent="heavy"), retry=Retry(base_s=0.0))
        await asyncio.sleep(0)

        assert await hall.value("select count(*) from ops.work_room where worker = 'house' and pool = ''") == 1
        assert await hall.claim("house") == []


async def test_a_topic_that_kafka_does_not_let_us_make_stops_nothing_else(
    namespace: Namespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its pool gets nothing, which is counted once; every pool is told, whichever way."""
    told: list[tuple[str, ...]] = []

    async def refuse(_kafka: str, topics: dict[str, Any], _replicas: int) -> None:
        if any("barn" in name for name in topics):
            raise WrongTopics("not allowed")

    monkeypatch.setattr("handlers.pool_topics.provision", refuse)
    async with bridge(namespace) as made:
        await made.hall.agent("stacker", pipeline="remote", pool="barn")
        await made.hall.agent("heavy", pool="models")
        topics = Topics("nowhere", made.hall.names, 1, lambda pools: told.append(tuple(pools)), made.hall.count)
        answers = [await topics.made_for(made.hall.connection) for _ in range(3)]

        assert answers == [True] * 3
        assert topics.made == {"@default/farm"}
        assert made.hall.counts["bridge.no_topic"] == 1
        assert told == [("@default/barn", "@default/farm", "models")]
