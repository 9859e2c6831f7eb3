"""From what became of a request to the records that say so, counted by outcome. Pure but for the counters."""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime

from events.aside import dead_letter, refusal
from events.event import Event, Fact
from events.request import SubmitTask
from events.stamp import stamp
from events.task import TaskAdmitted, TaskEnded
from events.topics import Names
from events.wire import Outgoing, encode
from streams.admitting import Accepted, Told
from streams.inspection import Healthy, Sick

SOURCE = "smolit/intake"


class Records:
    """Makes the records of intake; `outcomes` counts them by what they say."""

    def __init__(self, names: Names, clock: Callable[[], datetime], outcomes: Counter[str]) -> None:
        self._names, self._clock, self._outcomes = names, clock, outcomes

    def of(self, told: Told) -> list[Outgoing]:
        """Return the facts that follow from a request, or its dead letter and the refusal that answers it."""
        return self.refused(told) if isinstance(told, Sick) else self._accepted(told)

    def story(self, facts: Sequence[Fact], one: Healthy) -> list[Outgoing]:
        """Return the records of an accepted request's facts: a choice follows from the admission before it."""
        self._outcomes["accepted"] += 1
        now, by, records = self._clock(), one.asked.envelope, []
        for fact in facts:
            correlation = _story_of(fact) or one.claim.request_key
            event: Event[Fact] = stamp(
                fact, source=SOURCE, now=now, correlation=correlation, cause=by.id, traceparent=by.traceparent
            )
            records.append(encode(self._names.of(fact.event_type.topic), event))
            by = event.envelope if isinstance(fact, TaskAdmitted) else by
        return records

    def refused(self, sick: Sick) -> list[Outgoing]:
        """Return the dead letter and the answer of a refused request."""
        self._outcomes[f"refused_{sick.reason}"] += 1
        tenant, now = self._names.tenant_of(sick.record.topic), self._clock()
        return [
            dead_letter(sick.record, "intake", tenant, sick.reason, sick.detail, self._names, now),
            refusal(sick.record, tenant, sick.envelope, sick.reason, sick.detail, self._names, now),
        ]

    def _accepted(self, told: Accepted) -> list[Outgoing]:
        if isinstance(told.request.asked.request, SubmitTask):
            self._outcomes["nobody_fits" if isinstance(told.facts[-1], TaskEnded) else "chosen"] += 1
        return self.story(told.facts, told.request)


def _story_of(fact: Fact) -> str | None:
    """Return what ties a fact's story together where that is not the request: its task, or its conversation."""
    return getattr(fact, "task_id", None) or getattr(fact, "conversation_id", None)
