"""A record set aside with its reason and origin, so that it can be looked at and replayed. Key: the original key."""

from typing import Literal

from events.event import Fact, event
from events.topics import TASKS

Stage = Literal["intake", "selection", "learning", "dispatch", "projections", "work"]


@event("dead_letter.recorded", version=1, topic=TASKS, key="original_key")
class DeadLetter(Fact, frozen=True, kw_only=True):
    """What could not be handled, by whom, and why. It is written to `<origin topic>.dlq`, never to the topic itself."""

    stage: Stage
    reason: str
    detail: str
    origin_topic: str
    origin_partition: int
    origin_offset: int
    original_key: str
    original_headers: tuple[tuple[str, bytes], ...]
    original_value: bytes

    def slot(self) -> tuple[str | int, ...]:
        """One dead letter per stage and record."""
        return ("dead_letter", self.stage, self.origin_topic, self.origin_partition, self.origin_offset)
