"""What a turn of the chat takes, stage by stage, on a stack that runs: `python -m bench.agents.chat_path --turns 1000`.

Tasks of arithmetic go through the front agent, a window of them at a time, each in its own conversation. Times are those that
facts carry, of one machine's clock; every turn has to end with exactly one answer.
"""

import argparse
import asyncio
import statistics
from collections import Counter
from collections.abc import Sequence
from datetime import datetime

import msgspec
from msgspec import Struct

from events.conversation import Letter, MessageDelivered, MessageRefused, MessageSent
from events.event import Event, Message
from events.ids import task_id
from events.task import AgentChosen
from handlers.errand import SOURCE, errand_id
from handlers.front_port import FRONT
from smolit.chat.post import Post, fresh_id, open_post
from smolit.cli.desk import Desk, now, open_desk

USER = "user:bench"
STAGES = ("intake", "delivery", "front to choice", "choice to answer", "answer heard", "whole")
_SILENCE_S = 60.0


class Stage(Struct, frozen=True):
    """One stage over all turns, in milliseconds."""

    stage: str
    p50_ms: float
    p95_ms: float


class Passed(Struct, frozen=True):
    """What came of a run: `answers` counts how many turns had so many answers."""

    turns: int
    answers: dict[int, int]
    outcomes: dict[str, int]
    seconds: float
    stages: tuple[Stage, ...]


class Turns:
    """Turns under way, and when each stage of each was reached."""

    def __init__(self, post: Post) -> None:
        self._post = post
        self.times: dict[str, dict[str, datetime]] = {}
        self.answers: Counter[str] = Counter()
        self.outcomes: Counter[str] = Counter()
        self._tasks: dict[str, str] = {}

    @property
    def open(self) -> int:
        """Return how many turns have no answer yet."""
        return len(self.times) - len(self.answers)

    async def say(self, number: int) -> None:
        """Begin a turn."""
        letter = Letter(
            conversation_id=fresh_id(),
            message_id=fresh_id(),
            sender=USER,
            recipient=FRONT,
            kind="query",
            text=f"What is {number} + {number % 7 + 1}?",
        )
        self.times[letter.message_id] = {"said": now()}
        self._tasks[task_id(self._post.tenant, SOURCE, errand_id(letter.message_id))] = letter.message_id
        await self._post.send(letter)

    def hear(self, event: Event[Message]) -> None:
        """Note when a stage was reached."""
        fact, at = event.fact, event.envelope.time
        match fact:
            case MessageSent(letter=letter) if letter.message_id in self.times:
                self.times[letter.message_id].setdefault("sent", at)
            case MessageDelivered(message_id=one) | MessageRefused(message_id=one) if one in self.times:
                self.times[one].setdefault("delivered", at)
            case AgentChosen(task_id=task) if task in self._tasks:
                self.times[self._tasks[task]].setdefault("chosen", at)
            case MessageSent(letter=letter) if letter.sender == FRONT and letter.in_reply_to in self.times:
                self._answered(letter, at)
            case _:
                pass

    def _answered(self, letter: Letter, at: datetime) -> None:
        one = letter.in_reply_to or ""
        self.answers[one] += 1
        self.outcomes[str(letter.body.get("outcome", letter.kind))] += 1
        self.times[one].setdefault("answered", at)
        self.times[one].setdefault("heard", now())


async def run(desk: Desk, tenant: str, turns: int, window: int) -> Passed:
    """Say so many turns, a window of them at a time, and return what they took."""
    async with open_post(desk, tenant) as post:
        await post.sign_in(USER)
        under_way, began = Turns(post), now()
        await under_way.say(0)
        said = 1
        async for event in post.heard(_SILENCE_S + turns):
            under_way.hear(event)
            while said < turns and under_way.open < window:
                await under_way.say(said)
                said += 1
            if said == turns and not under_way.open:
                break
        return passed(under_way, (now() - began).total_seconds())


def passed(turns: Turns, seconds: float) -> Passed:
    """Return what turns took by stage."""
    marks = ("said", "sent", "delivered", "chosen", "answered", "heard")
    whole = [one for one in turns.times.values() if all(mark in one for mark in marks)]
    spans = {name: [_ms(one[a], one[b]) for one in whole] for name, a, b in zip(STAGES, marks, marks[1:], strict=False)}
    spans["whole"] = [_ms(one["said"], one["heard"]) for one in whole]
    answers = Counter(turns.answers.get(one, 0) for one in turns.times)
    stages = tuple(Stage(name, *_middle_and_tail(found)) for name, found in spans.items() if len(found) > 1)
    return Passed(len(turns.times), dict(answers), dict(turns.outcomes), seconds, stages)


def _ms(start: datetime, end: datetime) -> float:
    return (end - start).total_seconds() * 1000


def _middle_and_tail(values: Sequence[float]) -> tuple[float, float]:
    return round(statistics.median(values), 1), round(statistics.quantiles(values, n=20, method="inclusive")[-1], 1)


def main() -> None:
    """Run it and print what it took."""
    parser = argparse.ArgumentParser(description="What a turn of the chat takes, stage by stage.")
    parser.add_argument("--turns", type=int, default=1000)
    parser.add_argument("--window", type=int, default=8)
    parser.add_argument("--tenant", default="default")
    told = parser.parse_args()
    found = asyncio.run(run(open_desk(), told.tenant, told.turns, told.window))
    print(msgspec.json.format(msgspec.json.encode(found), indent=2).decode())


if __name__ == "__main__":
    main()
