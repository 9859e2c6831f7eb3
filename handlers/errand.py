"""Errands: tasks that the front agent submits for a user, and their answers, whoever waits for them and whenever they come.

A request's id derives from the message that caused it, so a message that is handled again, after a crash, asks for the same task
and finds its answer where it was left.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
from msgspec import Struct

from bus.producer import Publisher
from bus.reader import MakeReader, Place
from events.answer import AnswerGiven, RequestRefused
from events.errors import EventError
from events.event import Envelope, Event, Message
from events.ids import task_id
from events.request import Request, SubmitTask
from events.topics import ANSWERS, Names
from events.wire import decode, encode

SOURCE = "smolit/front"
_OURS = SOURCE.encode()
_ASKED_BEFORE = "request_id_reused"  # intake's word for a request that was made before, otherwise
LOOK_S = 1.0  # between two looks into the read models, for an answer that was given while nobody listened
Answer = AnswerGiven | RequestRefused

PATIENCE = timedelta(seconds=120)  # for a task that somebody waits for
_ERRAND = "front-"  # before the id of the message that a request is for


def errand_id(message_id: str) -> str:
    """Return the id of the request for the task that a message asks for; the task's id follows from it."""
    return f"{_ERRAND}{message_id}"


def given_in(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the `input` that a message's body brings along for a task; what is no object is none."""
    given = body.get("input")
    return dict(given) if isinstance(given, dict) else {}


def message_of(request_id: str) -> str | None:
    """Return the message that a request of the front agent is for; None: it is for none."""
    return request_id.removeprefix(_ERRAND) if request_id.startswith(_ERRAND) else None


class Ended(Struct, frozen=True):
    """How a task ended, as the read models tell it."""

    outcome: str
    agent: str | None
    output: Any
    output_sha256: str | None
    reason: str | None
    detail: str | None

    @property
    def why(self) -> str:
        """Why it has no output, in words."""
        return self.detail or self.reason or "no reason was given"

    async def whole(self, stored: Callable[[str], Awaitable[bytes]]) -> Any:
        """Return the output, out of the blob store where it lies there."""
        return self.output if self.output_sha256 is None else msgspec.json.decode(await stored(self.output_sha256))


Look = Callable[[str, str], Awaitable[Ended | None]]  # of a tenant's task; None: it has not ended, or is not known yet


class Errands:
    """Submits tasks and hears their answers."""

    def __init__(
        self, kafka: str, names: Names, publisher: Publisher, look: Look, clock: Callable[[], datetime], make_reader: MakeReader
    ) -> None:
        self._names, self._publisher, self._look, self._clock = names, publisher, look, clock
        self._reader = make_reader(kafka, SOURCE.replace("/", "-"))
        self._waiting: dict[tuple[str, str], asyncio.Future[Ended]] = {}
        self._wanted, self._listening = asyncio.Event(), asyncio.Event()

    async def _start(self) -> None:
        """Listen from now on."""
        places: list[Place] = [(self._names.of(ANSWERS), number) for number in range(ANSWERS.partitions)]
        await self._reader.start(dict.fromkeys(places, 0))
        ends = await self._reader.ends()
        await self._reader.stop()
        await self._reader.start(ends)

    async def stop(self) -> None:
        """Listen no longer."""
        await self._reader.stop()

    async def listen(self) -> None:
        """Hand every answer to whoever waits for it; a house in which nobody ever asks for a task reads no answers."""
        await self._wanted.wait()
        await self._start()
        self._listening.set()
        while True:
            for record in await self._reader.fetch():
                if _OURS not in (record.value or b""):
                    continue  # most answers are others', and need not be read
                try:
                    fact = decode(record.headers, record.value).fact
                except EventError:
                    continue  # it has its dead letter elsewhere
                if isinstance(fact, AnswerGiven | RequestRefused) and fact.requested_by == SOURCE:
                    self._hand_over(fact)

    async def ask(self, tenant: str, request: Request, request_id: str) -> None:
        """Put a request to the house."""
        await self._publisher.publish([self._record(tenant, request, request_id)])

    async def do(self, tenant: str, request: SubmitTask, request_id: str, until: datetime) -> Ended:
        """Submit a task, unless it has ended before, and return how it ends; `timed_out` if that is not known in time."""
        task = task_id(tenant, SOURCE, request_id)
        future = self._waiting.setdefault((tenant, request_id), asyncio.get_running_loop().create_future())
        self._wanted.set()
        try:
            await self._listening.wait()
            before = await self._look(tenant, task)
            if before is not None:
                return before
            await self.ask(tenant, request, request_id)
            return await self._answer(tenant, task, future, until)
        finally:
            self._waiting.pop((tenant, request_id), None)

    async def _answer(self, tenant: str, task: str, future: "asyncio.Future[Ended]", until: datetime) -> Ended:
        while (left := (until - self._clock()).total_seconds()) > 0:
            done, _ = await asyncio.wait([future], timeout=min(LOOK_S, left))
            if done:
                return future.result()
            if (found := await self._look(tenant, task)) is not None:
                return found
        return Ended("timed_out", None, None, None, "no_answer", "no answer came in time; the task goes on")

    def _hand_over(self, fact: Answer) -> None:
        future = self._waiting.get((fact.tenant, fact.request_id or ""))
        if future is None or future.done():
            return
        if isinstance(fact, RequestRefused) and fact.reason == _ASKED_BEFORE:
            return  # whoever had the message before us asked otherwise, and died: that task is the turn's
        if isinstance(fact, RequestRefused):
            future.set_result(Ended("refused", None, None, None, fact.reason, fact.detail))
        else:
            future.set_result(Ended(fact.outcome, fact.agent, fact.output, fact.output_sha256, fact.reason, fact.detail))

    def _record(self, tenant: str, request: Request, request_id: str) -> Any:
        envelope = Envelope(
            id=request_id,
            source=SOURCE,
            subject=request.key,
            time=self._clock(),
            correlation_id=request_id,
            causation_id=request_id,
        )
        event: Event[Message] = Event(envelope, request)
        made = encode(self._names.requests_of(tenant), event)
        return msgspec.structs.replace(made, key=request_id.encode())


def submission(
    text: str, kind: str | None, given: dict[str, Any], files: Sequence[dict[str, Any]], unit: str, deadline: datetime
) -> SubmitTask:
    """Return the request for a task; raises `msgspec.ValidationError` where a file does not fit, or none can be sent."""
    fields: dict[str, Any] = {"text": text, "kind": kind, "input": given, "unit": unit, "deadline": deadline}
    if files:
        fields["files"] = list(files)
    return msgspec.convert(fields, SubmitTask)
