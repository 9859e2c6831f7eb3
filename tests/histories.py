"""Histories for tests of the memory: what a busy day leaves in Kafka, good and bad, the same for the same seed."""

import random
from collections.abc import Sequence
from itertools import pairwise
from math import nan

from events.event import Event, Fact
from events.task import Against, Features, Step
from events.wire import Incoming
from tests import knowledge
from tests.approvals import approval_life
from tests.builders import (
    NAMES,
    Log,
    admitted,
    agent_revised,
    assigned,
    attempt_ended,
    calibration_ended,
    calibration_started,
    cancel_requested,
    chosen,
    concluded,
    context,
    copy_of,
    dead_letter,
    ended,
    example,
    experiment_started,
    features,
    felt,
    forgotten,
    given,
    halves,
    model_judged,
    model_promoted,
    model_registered,
    model_rolled_back,
    paused,
    policy_set,
    registered,
    resumed,
    retired,
    revised,
    search_ended,
    search_started,
    settled,
    snapshot,
    started,
    submitted,
    superseded,
    terms,
    trial_ended,
)
from tests.cards import cards_life, step
from tests.plans import plan_facts
from tests.talk import conversation

AGENTS = ("anna", "bert", "carl")
TASKS_TOPIC = NAMES.of(submitted().fact.event_type.topic)


def history(seed: int, tasks: int = 12) -> list[Incoming]:
    """Return a log of tasks with all that can happen to them, of everything else there is, and of bad records."""
    rng = random.Random(seed)
    log = Log()
    stories = [_task(rng, number) for number in range(tasks)]
    stories += [_learned(rng, number) for number in range(tasks)]
    stories += [_agent(rng, agent) for agent in AGENTS]
    stories += [
        [experiment_started(), concluded()],
        [calibration_started(), calibration_ended()],
        [search_started(), trial_ended(0), trial_ended(1), search_ended()],
        [policy_set(), policy_set(None), snapshot()],
    ]
    stories += [_models(rng, scope) for scope in ("default", "games")]
    stories += [conversation(rng, number) for number in range(3)]
    stories += [cards_life(rng, name) for name in ("small", "large")]
    stories += [approval_life(rng, number) for number in range(4)]
    stories += [[dead_letter(), settled(dead_letter(), at=9)]]
    while stories := [story for story in stories if story]:
        story = rng.choice(stories)
        fact = story.pop(0)
        log.add(fact, partition=hash_of(fact.fact.key) if "task" in fact.fact.event_type.topic.entity else 0)
        if rng.random() < 0.1:
            log.repeat(rng.randrange(len(log.records)))
        if rng.random() < 0.05:
            _spoil(log, rng)
    for event in plan_facts():
        log.add(event, partition=hash_of(event.fact.key))
    return log.add(*knowledge.story(seed)).records


def hash_of(key: str) -> int:
    """Return the partition of a key, one of two."""
    return sum(key.encode()) % 2


def batches(records: Sequence[Incoming], seed: int) -> list[list[Incoming]]:
    """Return the records in order, cut at random places."""
    rng = random.Random(seed)
    cut: list[list[Incoming]] = [[]]
    for record in records:
        if rng.random() < 0.2:
            cut.append([])
        cut[-1].append(record)
    return [batch for batch in cut if batch]


def interleaved(records: Sequence[Incoming], seed: int) -> list[Incoming]:
    """Return the records in another order that Kafka may deliver them in: only within a partition it stays."""
    rng = random.Random(seed)
    queues: dict[tuple[str, int], list[Incoming]] = {}
    for record in records:
        queues.setdefault((record.topic, record.partition), []).append(record)
    mixed = []
    while waiting := [queue for queue in queues.values() if queue]:
        mixed.append(rng.choice(waiting).pop(0))
    return mixed


def _task(rng: random.Random, number: int) -> list[Event[Fact]]:
    """Return the facts of one task, in order; it may stop anywhere."""
    task_id, at = f"task-{number}", number * 900.0 + rng.random()
    put_in = assigned(rng.choice("ab"), unit=f"unit-{number % 5}") if number % 2 else None
    dial = terms(0.25, 0.5) if number % 4 else None
    seen = context(assignment=put_in, kind=rng.choice(("law", "maths", None)), features=_features(number), reward=dial)
    again = {"agent": "anna", "copy_of": copy_of()} if number % 3 == 0 else {}
    story = [submitted(task_id, at, **again), admitted(task_id, at + 1, context=seen)]
    for attempt in range(1, rng.randint(1, 3) + 1):
        story += _attempt(rng, task_id, attempt, at + 10 * attempt, seen)
    last = story[-1].fact
    if rng.random() < 0.2:
        story.append(cancel_requested(task_id, at + 50))
    outcome = "completed" if getattr(last, "outcome", "") == "completed" else rng.choice(("failed", "cancelled", "expired"))
    story.append(ended(outcome, task_id, at + 60, agent=getattr(last, "agent", None), reason=None, detail="done"))
    story = story[: rng.randint(1, 2 * len(story))]
    if number % 5 == 0:
        story.append(forgotten(task_id, at + 65))
    for rater in ("ann", "bob")[: rng.randint(0, 2)]:
        story.append(given(rng.random(), task_id, at + 70, rater=rater, attempt=rng.choice((None, 1))))
        story += [revised(rng.random(), turn, task_id, at + 80, rater=rater) for turn in range(1, rng.randint(1, 3))]
    if number % 3 == 0:
        story.append(given(0.5, task_id, at + 90, rater="cid", kind="comparison", against=Against("task-1", None)))
        story.append(given(None, task_id, at + 91, rater="dan", kind="comment", comment="fine", sentiment=felt(0.2)))
        story.append(revised(None, 1, task_id, at + 92, rater="dan", kind="correction", correction="4"))
    return story


def _features(number: int) -> Features:
    """Return features of a task; the vector of one in three cannot be compared."""
    rng = random.Random(number)
    numbers = [rng.gauss(0, 10.0 ** rng.randint(-6, 2)) for _ in range(384)]
    bad = {0: halves(numbers[1:]), 1: halves([nan, *numbers[1:]]), 2: halves([0.0] * 384)}
    return features(embedding=bad.get(number % 9, halves([-0.0, *numbers[1:]])))


def _attempt(rng: random.Random, task_id: str, attempt: int, at: float, seen: object) -> list[Event[Fact]]:
    """Return the facts of one attempt."""
    agent = rng.choice(AGENTS)
    choice = {"context": seen, "propensity": rng.uniform(0.05, 1), "explored": rng.random() < 0.5}
    decided = rng.choice(("default", "experiment", "policy_set"))
    return [
        chosen(agent, task_id, attempt, at, decided_by=decided, **choice),
        started(agent, task_id, attempt, at + 1),
        attempt_ended(
            rng.choice(("completed", "failed", "timed_out", "abandoned")),
            agent,
            task_id,
            attempt,
            at + 2,
            duration_us=rng.choice((0, 10, 11, rng.randrange(10**7), 10**13)),
            cost_microusd=rng.choice((None, 0, rng.randrange(10**6))),
            steps=_steps(rng),
        ),
    ]


def _steps(rng: random.Random) -> tuple[Step, ...]:
    """Return the steps of an attempt: some asked a language model, some had a choice among models."""
    failed = step(error=rng.choice((None, "no_text")), domain=rng.choice((None, "law")))
    asked = Step("ask", rng.randrange(10**6), "small@1", 12, rng.choice((None, 5)), rng.choice((None, 3)))
    return (Step("compute", 1_400), failed, asked, step("choose.2", model="other/1", explored=True))


def _learned(rng: random.Random, number: int) -> list[Event[Fact]]:
    """Return the example of a task's first attempt, and its corrections, hours apart."""
    task_id, agent, at = f"task-{number}", rng.choice(AGENTS), number * 1800.0
    rewards = [rng.random() for _ in range(rng.randint(1, 4))]
    variant = rng.choice((None, "a", "b"))
    story = [example(rewards[0], agent, task_id, at=at, variant=variant, sequence=number)]
    for turn, (old, new) in enumerate(pairwise(rewards), start=1):
        told = {"revision": turn, "sequence": 100 * turn + number, "at": at + turn * 4000, "variant": variant}
        story.append(superseded(old, new, agent, task_id, **told))
    return story


def _agent(rng: random.Random, agent: str) -> list[Event[Fact]]:
    """Return an agent's life, which need not make sense."""
    makers = (registered, agent_revised, paused, resumed, retired)
    return [rng.choice(makers)(agent, at=turn * 100, request_id=f"{agent}-{turn}") for turn in range(rng.randint(1, 9))]


def _models(rng: random.Random, scope: str) -> list[Event[Fact]]:
    """Return versions of a scope and what happens to them, in any order; the first is judged, and may be before it is known."""
    makers = (model_registered, model_judged, model_promoted, model_rolled_back)
    story = [rng.choice(makers)(rng.randint(1, 4), at, scope) for at in range(rng.randint(5, 15))]
    story += [model_judged(1, 20, scope, fine=rng.random() < 0.5), policy_set(rng.choice((None, "uniform")), 21, scope=scope)]
    turns = [
        model_promoted(rng.randint(1, 4), at, scope, alias=alias) for at, alias in enumerate(("champion", "shadow"), start=22)
    ]
    return [*story, *turns, model_registered(rng.randint(1, 4), 30, scope)]


def _spoil(log: Log, rng: random.Random) -> None:
    """Append a record that no read model can take in."""
    good = log.records[0]
    bad = rng.choice(
        (
            (good.headers, b"{"),
            (good.headers, None),
            ((("ce_type", b"nonsense"), ("a\x00b", b"\xff\x00")), b"\x00\xff"),
            (tuple((name, b"smolit.task.submitted.v9" if name == "ce_type" else item) for name, item in good.headers), b"{}"),
            _record_of(given(7.5, at=rng.random())),
            _record_of(attempt_ended(duration_us=-1)),
            _record_of(attempt_ended(duration_us=2**70)),
            _record_of(chosen(propensity=0.0)),
            _record_of(submitted(text="a\x00b")),
            _record_of(registered()),
        )
    )
    log.raw(TASKS_TOPIC, b"bad\x00key", bad[0], bad[1], partition=rng.randrange(2))


def _record_of(event: Event[Fact]) -> tuple[tuple[tuple[str, bytes], ...], bytes | None]:
    """Return headers and value of an event's record."""
    record = Log().add(event).records[0]
    return record.headers, record.value
