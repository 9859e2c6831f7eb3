"""The naive fold: what the read models should hold, computed from Kafka's records in plain dicts.

It shares nothing with the read models but `events/`: what both get wrong alike would have to be wrong twice. It is slow,
holds everything in memory, and is what `projection verify` compares the live tables with.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, NamedTuple

import msgspec

from events.dead_letter import DeadLetter, DeadLetterSettled
from events.errors import EventError
from events.event import Fact, Message
from events.learning import ExampleRecorded, ExampleSuperseded
from events.task import AgentChosen, AttemptEnded, FeedbackGiven, FeedbackRevised, TaskAdmitted, TaskSubmitted
from events.text import unstorable
from events.topics import Names
from events.wire import Headers, Incoming, decode

Key = tuple[Any, ...]
Table = dict[Key, dict[str, Any]]


class Seen(NamedTuple):
    """One fact that counts, with when it happened and where it lies."""

    fact: Fact
    at: datetime
    event_id: str
    record: Incoming


class Reading(NamedTuple):
    """What a log holds: the facts that count, records that are no facts (with reason and detail), and repeats."""

    seen: list[Seen]
    unreadable: list[tuple[Incoming, str, str]]
    repeats: list[Incoming]


Model = Callable[[Sequence[Seen]], Table]


def read(records: Iterable[Incoming], names: Names) -> Reading:
    """Sort records in log order: the first record of an id counts."""
    reading = Reading([], [], [])
    known: set[str] = set()
    for record in records:
        try:
            event = decode(record.headers, record.value)
        except EventError as error:
            reading.unreadable.append((record, error.code, str(error)))
            continue
        wrong = _wrong(event.fact, record.topic, names)
        if wrong:
            reading.unreadable.append((record, *wrong))
        elif event.id in known:
            reading.repeats.append(record)
        elif isinstance(event.fact, Fact):
            known.add(event.id)
            reading.seen.append(Seen(event.fact, event.envelope.time, event.id, record))
    return reading


def fold(reading: Reading, models: Mapping[str, Model]) -> dict[str, Table]:
    """Return what each read model should hold, by key; the tally and the dead letters also know what was no fact."""
    tables = {name: model(reading.seen) for name, model in models.items()}
    return {**tables, "events": log(reading.seen), "fold_tally": tally(reading), "dead_letters": dead_letters(reading)}


def log(seen: Sequence[Seen]) -> Table:
    """Return where each fact that counts lies, and what its bytes were."""
    return {
        (item.event_id,): {
            "event_id": item.event_id,
            "topic": item.record.topic,
            "partition": item.record.partition,
            "log_offset": item.record.offset,
            "value_sha256": sha256(item.record.value or b"").digest(),
        }
        for item in seen
    }


def tally(reading: Reading) -> Table:
    """Return what became of the records of each partition."""
    table: Table = {}
    kinds = {
        "applied": [item.record for item in reading.seen],
        "parked": [item[0] for item in reading.unreadable],
        "repeated": reading.repeats,
    }
    for kind, records in kinds.items():
        for record in records:
            place = (record.topic, record.partition)
            blank = {"topic": record.topic, "partition": record.partition, "applied": 0, "parked": 0, "repeated": 0}
            table.setdefault(place, blank)[kind] += 1
    return table


def dead_letters(reading: Reading) -> Table:
    """Return every record that somebody set aside: those that say so, and those that nobody can read."""
    table: Table = {}
    for item in reading.seen:
        if isinstance(item.fact, DeadLetter):
            table[_place_of(item.fact)] = _told_dead(item.fact, item.at)
    for record, reason, detail in reading.unreadable:
        key = ("projections", record.topic, record.partition, record.offset)
        table[key] = _found_dead(record, reason, detail)
    ends = {_place_of(item.fact): item for item in reading.seen if isinstance(item.fact, DeadLetterSettled)}
    return {
        place: {**table.get(place, _unknown_dead(place)), **_settled(ends.get(place))} for place in table.keys() | ends.keys()
    }


def _settled(end: Seen | None) -> dict[str, Any]:
    """Return how a dead letter was settled, if it was."""
    if end is None or not isinstance(end.fact, DeadLetterSettled):
        return {"settled": None, "settled_at": None, "replayed_as": None}
    return {"settled": end.fact.outcome, "settled_at": end.at, "replayed_as": end.fact.replayed_as}


def _unknown_dead(place: Key) -> dict[str, Any]:
    """Return the row of a dead letter of which only the settlement is known."""
    names = ("tenant", "recorded_at", "reason", "detail", "original_type", "original_key", "original_headers", "original_value")
    return {
        **dict(zip(("stage", "origin_topic", "origin_partition", "origin_offset"), place, strict=True)),
        **dict.fromkeys(names),
    }


def _place_of(fact: DeadLetter | DeadLetterSettled) -> Key:
    """Return the key of a dead letter."""
    return (fact.stage, fact.origin_topic, fact.origin_partition, fact.origin_offset)


def _told_dead(fact: DeadLetter, at: datetime) -> dict[str, Any]:
    """Return the row of a dead letter that another stage wrote."""
    stage, topic, partition, offset = _place_of(fact)
    return {
        "stage": stage,
        "origin_topic": topic,
        "origin_partition": partition,
        "origin_offset": offset,
        "tenant": fact.tenant,
        "recorded_at": at,
        "reason": fact.reason,
        "detail": fact.detail,
        "original_type": _header(fact.original_headers, "ce_type"),
        "original_key": fact.original_key,
        "original_headers": [[_clean(name), content.hex()] for name, content in fact.original_headers],
        "original_value": fact.original_value,
    }


def _found_dead(record: Incoming, reason: str, detail: str) -> dict[str, Any]:
    """Return the row of a record that is no fact."""
    return {
        "stage": "projections",
        "origin_topic": record.topic,
        "origin_partition": record.partition,
        "origin_offset": record.offset,
        "tenant": None,
        "recorded_at": _said(record.headers),
        "reason": reason,
        "detail": _clean(detail),
        "original_type": _header(record.headers, "ce_type"),
        "original_key": None if record.key is None else _clean(record.key.decode("utf-8", "replace")),
        "original_headers": [[_clean(name), (content or b"").hex()] for name, content in record.headers],
        "original_value": record.value,
    }


def _header(headers: Headers, wanted: str) -> str | None:
    """Return the first header of a name, as text."""
    for name, content in headers:
        if name == wanted:
            return _clean(content.decode("utf-8", "replace"))
    return None


def _said(headers: Headers) -> datetime | None:
    """Return the time that a record says it happened at, if that can be read."""
    said = _header(headers, "ce_time")
    if said is None:
        return None
    try:
        moment = datetime.fromisoformat(said)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def _clean(text: str) -> str:
    """Return text without NUL, which Postgres cannot hold."""
    return "\ufffd".join(text.split("\x00"))


def _wrong(fact: Message, topic: str, names: Names) -> tuple[str, str] | None:
    """Return why a decoded record is none of our facts, if it is none: reason and detail."""
    kind = fact.event_type.name
    home = (
        topic.endswith(".dlq") if isinstance(fact, DeadLetter | DeadLetterSettled) else topic == names.of(fact.event_type.topic)
    )
    if not home or not isinstance(fact, Fact):
        return "wrong_topic", f"{kind} does not belong on {topic}"
    if flaw := _out_of_range(fact):
        return "out_of_range", f"{kind}: {flaw}"
    if flaw := unstorable(msgspec.to_builtins(fact), kind):
        return "cannot_be_stored", flaw
    return None


def _out_of_range(fact: Fact) -> str | None:
    """Return which figure of a fact is impossible, if one is."""
    figures = [getattr(fact, name) for name in fact.__struct_fields__]
    if isinstance(fact, AgentChosen):
        figures += [fact.policy.version, fact.policy.upto]
    if any(isinstance(figure, int) and abs(figure) >= 2**63 for figure in figures):
        return "an integer does not fit 63 bits"
    if isinstance(fact, AttemptEnded):
        small = all(0 <= figure <= 10**15 for figure in (fact.duration_us, fact.cost_microusd or 0))
        return None if small else f"duration and cost lie between 0 and {10**15}"
    if isinstance(fact, AgentChosen):
        return None if 0 < fact.propensity <= 1 else "a propensity lies in (0, 1]"
    if isinstance(fact, FeedbackGiven | FeedbackRevised):
        return None if 0 <= (fact.value or 0) <= 1 else "a feedback's value lies in [0, 1]"
    if isinstance(fact, ExampleRecorded | ExampleSuperseded):
        rewards = (fact.reward, getattr(fact, "old_reward", 0))
        return None if all(0 <= reward <= 1 for reward in rewards) else "a reward lies in [0, 1]"
    return _late(fact)


def _late(fact: Fact) -> str | None:
    """Return that a deadline lies outside the calendar, if it does."""
    if isinstance(fact, TaskSubmitted | TaskAdmitted):
        deadline = fact.deadline if isinstance(fact, TaskSubmitted) else fact.context.deadline
        try:
            deadline.astimezone(UTC)
        except OverflowError:
            return "the deadline lies outside the calendar"
    return None
