"""What the demo's producer sees of its own tasks: it follows three topics, as any outsider could."""

import asyncio
from collections.abc import Callable

from bus.broadcast import Broadcast
from events.answer import AnswerGiven, RequestRefused
from events.learning import ExampleRecorded
from events.task import AgentChosen
from events.topics import ANSWERS, LEARNING, TASKS, Names
from events.wire import Incoming, decode, event_type
from smolit.client import ends, places_of
from smolit.demo.course import Course

_READ = frozenset(cls.event_type.wire_name for cls in (AgentChosen, AnswerGiven, RequestRefused, ExampleRecorded))

FOLLOWED = (TASKS, LEARNING, ANSWERS)


class Watch:
    """Notes when each of our tasks was chosen for, answered and learned from."""

    def __init__(self, kafka: str, names: Names, course: Course, monotonic: Callable[[], float]) -> None:
        self._kafka, self._names = kafka, names
        self._course, self._monotonic = course, monotonic
        self.kept: list[AgentChosen] = []
        self._answers: dict[str, asyncio.Future[AnswerGiven | RequestRefused]] = {}
        self._broadcast = Broadcast(kafka, "demo-watch", tuple(names.of(topic) for topic in FOLLOWED))

    async def start(self) -> None:
        """Follow from the ends as of now."""
        await self._broadcast.start(self._take, await ends(self._kafka, places_of(self._names, FOLLOWED)))

    async def stop(self) -> None:
        """Follow no longer."""
        await self._broadcast.stop()

    def expect(self, request_id: str) -> "asyncio.Future[AnswerGiven | RequestRefused]":
        """Return what will hold the answer to a request; call it before the request is sent."""
        return self._answers.setdefault(request_id, asyncio.get_running_loop().create_future())

    def _take(self, record: Incoming) -> None:
        if event_type(record.headers) not in _READ:
            return
        fact, now = decode(record.headers, record.value).fact, self._monotonic()
        match fact:
            case AgentChosen():
                self._chosen(fact, now)
            case ExampleRecorded(task_id=task_id):
                if (run := self._course.runs.get(task_id)) is not None:
                    run.example_offset = record.offset
            case AnswerGiven(request_id=str(request_id)) | RequestRefused(request_id=str(request_id)):
                waiting = self._answers.get(request_id)
                if waiting is not None and not waiting.done():
                    waiting.set_result(fact)
            case _:
                pass  # refused without an id: not ours, we always send one

    def _chosen(self, fact: AgentChosen, now: float) -> None:
        run = self._course.runs.get(fact.task_id)
        if run is None:  # not of this course: somebody else's, or a copy of a calibration, which names its agent
            return
        self._course.choices.append((now, fact.policy.upto))
        self._keep(fact)
        if run.chosen is None:
            run.chosen = now

    def _keep(self, fact: AgentChosen) -> None:
        """Keep the first choice, and of the later ones the last exploring and the last other one: three to explain."""
        if not self.kept:
            self.kept.append(fact)
        else:
            others = [one for one in self.kept[1:] if one.explored != fact.explored]
            self.kept[1:] = [*others, fact]
