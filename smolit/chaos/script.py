"""What the clients will ask for, drawn from a seed: tasks of several kinds, and what people say of them, early and late."""

import random
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, Literal

from msgspec import Struct

from events.agent import AgentSpec
from events.task import FeedbackKind

When = Literal["before", "after", "late"]
QUICK, SUM, CHARGE, MAIL, TEAM = "quick", "sum", "charge", "mail", "team"
EFFECTS = (CHARGE, MAIL)
SHARES: Mapping[str, int] = MappingProxyType({QUICK: 36, SUM: 14, CHARGE: 22, MAIL: 16, TEAM: 12})
# A diamond: two steps at once with an effect in one of them, a second effect after the first step, and all together at the end.
PLAN: Mapping[str, Any] = MappingProxyType(
    {
        "name": "diamond",
        "steps": [
            {"id": "a", "kind": QUICK, "text": "${task.text}: a", "needed": True},
            {"id": "b", "kind": CHARGE, "text": "${task.text}: b", "needed": True},
            {"id": "c", "kind": CHARGE, "text": "${task.text}: c, after ${a.output.sha256}", "needed": True},
            {"id": "d", "kind": QUICK, "text": "${task.text}: d, after ${b.output.receipt}, ${c.output.receipt}", "needed": True},
        ],
    }
)
_SOLVABLE = 0.6
_WORDS = ("red", "river", "seven", "count", "sort", "why", "lamp", "north", "paper", "song", "stone", "wind")
_COMMENTS = ("great, thank you", "wrong and useless", "see ticket 12", "not bad at all", "das ist leider falsch")


class Word(Struct, frozen=True):
    """Something that a rater says of a task; `attempt` None means the one that completed it.

    `text` is the comment or the correction; a comparison is with the answer of the task's second attempt.
    """

    rater: str
    attempt: int | None
    kind: FeedbackKind
    value: float | None
    text: str | None
    revision: int
    when: When


class Job(Struct, frozen=True):
    """One task from its client's side. `repeated`: sent twice; `forged`: its id is used again for something else.

    `latency` is its weight in the reward.
    """

    request_id: str
    kind: str
    text: str
    latency: float | None
    words: tuple[Word, ...]
    cancelled: bool
    repeated: bool
    forged: bool


def crew_specs(once_url: str, plain_url: str) -> tuple[AgentSpec, ...]:
    """Return the agents: three that hash, two that add up, two for each provider, two supervisors."""
    hashing = [_spec(f"hash-{rounds}", QUICK, "hashing", {"rounds": rounds}) for rounds in (10, 40, 160)]
    charging = [_spec(f"charge-{name}", CHARGE, "webhook", {"url": once_url, "idempotent": True}) for name in "ab"]
    mailing = [_spec(f"mail-{name}", MAIL, "webhook", {"url": plain_url, "idempotent": False}) for name in "ab"]
    adding = [_spec(f"adder-{name}", SUM, "arithmetic", {}) for name in "ab"]
    supervising = [_spec(f"supervisor-{name}", TEAM, "supervise", {}) for name in "ab"]
    return (*hashing, *adding, *charging, *mailing, *supervising)


def jobs(seed: int, prefix: str, shares: Mapping[str, int] = SHARES) -> Iterator[Job]:
    """Yield jobs without end, kinds by their shares; the same seed yields the same ones."""
    rng = random.Random(seed)  # noqa: S311  # a script, no secret
    number = 0
    while True:
        number += 1
        yield _job(rng, f"{prefix}-{number:06d}", shares)


def _job(rng: random.Random, request_id: str, shares: Mapping[str, int]) -> Job:
    kind = rng.choices(list(shares), weights=list(shares.values()))[0]
    return Job(
        request_id=request_id,
        kind=kind,
        text=f"{request_id}: {_text(rng, kind)}" if kind == TEAM else _text(rng, kind),  # so each step has a text of its own
        latency=rng.choice((None, 0.0, 0.25)),
        words=tuple(_words(rng)),
        cancelled=rng.random() < 0.03,
        repeated=rng.random() < 0.05,
        forged=rng.random() < 0.03,
    )


def _text(rng: random.Random, kind: str) -> str:
    if kind == SUM and rng.random() < _SOLVABLE:  # what both fail at is chosen for again, and given up
        return f"{rng.randint(1, 999)} + {rng.randint(1, 999)} * {rng.randint(1, 9)}"
    return " ".join(rng.choices(_WORDS, k=rng.randint(3, 12)))


def _words(rng: random.Random) -> Iterator[Word]:
    """Yield what up to two raters say; one may change their mind, and the revision may come before what it revises."""
    for rater in rng.sample(("ann", "bob", "eve"), k=rng.choices((0, 1, 2), weights=(2, 5, 3))[0]):
        when: When = rng.choices(("before", "after", "late"), weights=(1, 6, 2))[0]
        attempt = rng.choice((None, 1))
        said = [
            Word(rater, attempt, *_opinion(rng, attempt), revision, when)
            for revision in range(rng.choices((1, 2, 3), (6, 3, 1))[0])
        ]
        yield from said if rng.random() < 0.8 else reversed(said)


def _opinion(rng: random.Random, attempt: int | None) -> tuple[FeedbackKind, float | None, str | None]:
    """Return what somebody thinks: kind, value and text. Two answers to one task are compared by their numbers alone."""
    kind: FeedbackKind = rng.choices(("score", "boolean", "comment", "correction", "comparison"), weights=(5, 2, 2, 1, 1))[0]
    if kind == "comment":
        return kind, None, rng.choice(_COMMENTS)
    if kind == "correction":
        return kind, None, " ".join(rng.choices(_WORDS, k=3))
    if kind == "comparison" and attempt is not None:
        return kind, rng.choice((0.0, 0.5, 1.0)), None
    return ("boolean", float(rng.random() < 0.6), None) if kind == "boolean" else ("score", round(rng.random(), 3), None)


def _spec(name: str, skill: str, pipeline: str, settings: dict[str, Any]) -> AgentSpec:
    return AgentSpec(id=name, description=f"does {skill}", skills=(skill,), pipeline=pipeline, settings=settings, timeout_s=20.0)
