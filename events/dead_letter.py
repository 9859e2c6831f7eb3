"""Records set aside with reason and origin, to be looked at and replayed, and what became of them. Key: the original key."""

from typing import Literal

from events.event import Fact, event
from events.topics import TASKS

Stage = Literal["intake", "selection", "learning", "dispatch", "projections", "work"]
Settlement = Literal["replayed", "purged"]


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


@event("dead_letter.settled", version=1, topic=TASKS, key="original_key")
class DeadLetterSettled(Fact, frozen=True, kw_only=True):
    """A dead letter waits no longer: its record was published again, or somebody gave it up. Written beside the letter."""

    stage: Stage
    origin_topic: str
    origin_partition: int
    origin_offset: int
    original_key: str
    outcome: Settlement
    replayed_as: str | None = None

    def slot(self) -> tuple[str | int, ...]:
        """A dead letter is settled once."""
        return ("dead_letter_settled", self.stage, self.origin_topic, self.origin_partition, self.origin_offset)
