"""Ids: new ones are UUIDv7, derived ones name the slot that a fact fills."""

import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from events.catalog import FACTS
from events.dead_letter import DeadLetter, DeadLetterSettled
from events.event import Fact
from events.ids import derived_id, new_id, request_key, task_id
from events.stamp import caused, stamp
from events.task import AttemptEnded, TaskSubmitted
from tests.golden.sample import NOW, sample

parts = st.lists(st.text(max_size=6) | st.integers(), max_size=5)
ALL_FACTS: tuple[type[Fact], ...] = (*FACTS, DeadLetter, DeadLetterSettled)
# What names a fact, by class; every other field may differ between two records of one slot, and the first counts.
IDENTITY: dict[str, tuple[str, ...]] = {
    "task.submitted": ("tenant", "task_id"),
    "task.admitted": ("tenant", "task_id"),
    "agent.chosen": ("tenant", "task_id", "attempt"),
    "attempt.started": ("tenant", "task_id", "attempt"),
    "attempt.ended": ("tenant", "task_id", "attempt"),
    "task.cancel_requested": ("tenant", "task_id"),
    "task.forgotten": ("tenant", "task_id"),
    "document.submitted": ("tenant", "requested_by", "request_id"),
    "document.removal_requested": ("tenant", "requested_by", "request_id"),
    "domain.created": ("tenant", "domain"),
    "domain.clearing_requested": ("tenant", "requested_by", "request_id"),
    "reindex.requested": ("tenant", "requested_by", "request_id"),
    "reindex.begun": ("tenant", "request_id"),
    "document.chunked": ("tenant", "document_id", "version", "part"),
    "document.added": ("tenant", "document_id", "version"),
    "document.refused": ("tenant", "requested_by", "request_id"),
    "document.removed": ("tenant", "document_id", "version", "erased"),
    "domain.cleared": ("tenant", "requested_by", "request_id"),
    "chunks.embedded": ("tenant", "document_id", "version", "part", "encoder"),
    "index.switched": ("tenant", "request_id"),
    "plan.made": ("tenant", "task_id", "attempt"),
    "plan.step_started": ("tenant", "task_id", "attempt", "step", "ask"),
    "plan.settled": ("tenant", "task_id", "attempt", "step"),
    "plan.step_ended": ("tenant", "task_id", "attempt", "step"),
    "plan.ended": ("tenant", "task_id", "attempt"),
    "task.ended": ("tenant", "task_id"),
    "feedback.given": ("tenant", "task_id", "attempt", "rater"),
    "feedback.revised": ("tenant", "task_id", "attempt", "rater", "revision"),
    "agent.registered": ("tenant", "agent_id", "request_id"),
    "agent.revised": ("tenant", "agent_id", "request_id"),
    "agent.paused": ("tenant", "agent_id", "request_id"),
    "agent.resumed": ("tenant", "agent_id", "request_id"),
    "agent.retired": ("tenant", "agent_id", "request_id"),
    "example.recorded": ("tenant", "scope", "task_id", "attempt"),
    "example.superseded": ("tenant", "scope", "task_id", "attempt", "revision"),
    "snapshot.published": ("tenant", "scope", "policy", "policy_version", "context_map", "upto"),
    "experiment.started": ("tenant", "experiment_id"),
    "experiment.concluded": ("tenant", "experiment_id"),
    "calibration.started": ("tenant", "calibration_id"),
    "calibration.ended": ("tenant", "calibration_id"),
    "search.started": ("tenant", "search_id"),
    "trial.ended": ("tenant", "search_id", "arm", "number"),
    "search.ended": ("tenant", "search_id"),
    "policy.set": ("tenant", "scope", "request_id"),
    "model.registered": ("tenant", "scope", "model_id"),
    "model.validated": ("tenant", "scope", "model_id", "request_id"),
    "model.rejected": ("tenant", "scope", "model_id", "request_id"),
    "model.promoted": ("tenant", "scope", "request_id"),
    "model.rolled_back": ("tenant", "scope", "request_id"),
    "key.registered": ("tenant", "sender", "key_id"),
    "key.revoked": ("tenant", "sender", "key_id"),
    "message.sent": ("tenant", "conversation_id", "request_id"),
    "message.delivered": ("tenant", "conversation_id", "message_id", "request_id"),
    "message.refused": ("tenant", "conversation_id", "message_id", "request_id"),
    "message.settled": ("tenant", "conversation_id", "message_id", "recipient"),
    "memory.learned": ("tenant", "user", "memory_id"),
    "memory.corrected": ("tenant", "user", "memory_id"),
    "memory.forgotten": ("tenant", "user", "memory_id"),
    "context.used": ("tenant", "conversation_id", "message_id"),
    "model_card.registered": ("tenant", "name", "request_id"),
    "model_card.changed": ("tenant", "name", "request_id"),
    "model_card.retired": ("tenant", "name", "request_id"),
    "approval.asked": ("tenant", "task_id", "approval_id"),
    "approval.answered": ("tenant", "task_id", "approval_id", "request_id"),
    "approval.settled": ("tenant", "task_id", "approval_id"),
    "dead_letter.recorded": ("stage", "origin_topic", "origin_partition", "origin_offset"),
    "dead_letter.settled": ("stage", "origin_topic", "origin_partition", "origin_offset"),
}
# One request changes an agent in one way, so these five share their slots on purpose; and a verdict is one of two.
SHARED = {"agent.registered", "agent.revised", "agent.paused", "agent.resumed", "agent.retired"}
SHARED |= {"model.validated", "model.rejected"}
SHARED |= {"model_card.registered", "model_card.changed", "model_card.retired"}


def drawn(cls: type[Fact], data: st.DataObject) -> Fact:
    """Return a fact whose naming fields are anything that they may be in a real log."""
    fact = sample(cls).fact
    fields: dict[str, Any] = {}
    for name in IDENTITY[cls.event_type.name]:
        now = getattr(fact, name)
        anything = st.integers(1, 3) if isinstance(now, int) else st.text(max_size=3)
        fields[name] = data.draw(st.uuids().map(str) if name == "task_id" else anything)
    if cls in (DeadLetter, DeadLetterSettled):
        fields["stage"] = data.draw(st.sampled_from(["intake", "selection"]))
    assert isinstance(fact, Fact)
    return replace(fact, **fields)


@given(parts, parts)
def test_two_slots_share_an_id_just_if_they_are_one(one: list[Any], other: list[Any]) -> None:
    """Neither the borders between parts nor their types can be confused."""
    assert (derived_id(*one) == derived_id(*other)) == (one == other)


def test_a_derived_id_never_changes() -> None:
    """Ids are stored for ever; these were computed once and written down."""
    assert derived_id("default", "t", "submitted") == "440307a2-b2e7-50b3-980d-42d95a0d0f1c"
    assert task_id("default", "me", "r-1") == "38d68afa-2314-5661-9c90-cfaeceb1d32b"


@given(parts)
def test_a_derived_id_is_the_uuid5_of_the_json_of_its_parts(one: list[Any]) -> None:
    """The id made by hand is the one that the standard library makes."""
    name = json.dumps(one, separators=(",", ":"), ensure_ascii=True)
    assert derived_id(*one) == str(uuid.uuid5(uuid.UUID("6f0f7a52-6d43-5b58-9c0e-1d7a1f4f7e10"), name))


def test_derived_ids_are_version_5() -> None:
    """RFC 9562 section 5.5."""
    assert uuid.UUID(derived_id("a")).version == 5


def test_a_task_and_its_request_have_different_ids() -> None:
    """One request names two things."""
    assert task_id("t", "s", "r") != request_key("t", "s", "r")


@given(st.datetimes(min_value=datetime(1971, 1, 1), max_value=datetime(9999, 1, 1)), st.binary(min_size=10, max_size=12))
def test_new_ids_have_the_layout_of_uuid_7(moment: datetime, entropy: bytes) -> None:
    """RFC 9562 section 5.7: 48 bits of milliseconds, version 7, variant 10, the rest random."""
    now = moment.replace(tzinfo=UTC)
    made = uuid.UUID(new_id(now, entropy))

    assert (made.version, made.variant) == (7, uuid.RFC_4122)
    assert made.int >> 80 == (now - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
    assert made.bytes[6] & 0x0F == entropy[0] & 0x0F
    assert made.bytes[7] == entropy[1]
    assert made.bytes[8] & 0x3F == entropy[2] & 0x3F
    assert made.bytes[9:] == entropy[3:10]


@given(st.integers(0, 10**12), st.integers(1, 10**6), st.binary(min_size=10, max_size=10), st.binary(min_size=10, max_size=10))
@example(1_072_030_608, 1, bytes(10), bytes(10))  # in floats both are the same millisecond
def test_new_ids_sort_by_their_time(millis: int, later: int, one: bytes, other: bytes) -> None:
    """As texts too, whatever was drawn."""
    first, second = (datetime.fromtimestamp(moment / 1000, UTC) for moment in (millis, millis + later))

    assert new_id(first, one) < new_id(second, other)


def test_too_little_entropy_is_refused() -> None:
    """Ten bytes, of which 74 bits are used."""
    with pytest.raises(ValueError, match="ten bytes"):
        new_id(NOW, b"123456789")


def test_every_fact_says_what_names_it() -> None:
    """A new fact is added to the table above."""
    assert {cls.event_type.name for cls in ALL_FACTS} == set(IDENTITY)


@pytest.mark.parametrize("cls", FACTS, ids=lambda cls: cls.__name__)
def test_every_slot_starts_with_the_tenant(cls: type[Fact]) -> None:
    """Two tenants never share an id, even if they name their tasks alike."""
    fact = sample(cls).fact

    assert isinstance(fact, Fact)
    assert fact.slot()[0] == fact.tenant
    assert derived_id(*fact.slot()) != derived_id(*replace(fact, tenant="other").slot())


@settings(max_examples=40, deadline=None)
@pytest.mark.parametrize("cls", ALL_FACTS, ids=lambda cls: cls.__name__)
@given(data=st.data())
def test_a_slot_is_named_by_these_fields_alone(cls: type[Fact], data: st.DataObject) -> None:
    """Two facts of a class share a slot just if the fields that name them are the same."""
    one, other = drawn(cls, data), drawn(cls, data)
    names = IDENTITY[cls.event_type.name]

    assert (one.slot() == other.slot()) == all(getattr(one, name) == getattr(other, name) for name in names)


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(ALL_FACTS), st.sampled_from(ALL_FACTS), st.data())
def test_facts_of_two_classes_never_share_a_slot(one: type[Fact], other: type[Fact], data: st.DataObject) -> None:
    """But for those that exclude each other on purpose."""
    assume(one is not other and not {one.event_type.name, other.event_type.name} <= SHARED)
    first, second = drawn(one, data), drawn(other, data)

    assert first.slot() != second.slot()


def test_every_end_of_an_attempt_fills_one_slot() -> None:
    """Failed and timed out cannot both count."""
    ended = sample(AttemptEnded).fact

    assert isinstance(ended, AttemptEnded)
    assert ended.slot() == replace(ended, outcome="timed_out", agent="another", output=None).slot()


def test_a_fact_without_a_slot_is_a_mistake_of_ours() -> None:
    """Nobody can forget it in silence."""

    class Slotless(Fact, frozen=True, kw_only=True):
        """It has none."""

    with pytest.raises(TypeError, match="Slotless declares no slot"):
        Slotless(tenant="t").slot()


def test_the_same_fact_always_gets_the_same_id() -> None:
    """A step run again repeats its facts; only time and cause of the repetition differ."""
    fact = sample(TaskSubmitted).fact
    assert isinstance(fact, Fact)
    first = stamp(fact, source="s", now=NOW, correlation="c", cause="e")
    again = stamp(fact, source="other", now=datetime(2030, 1, 1, tzinfo=UTC), correlation="c", cause="x")

    assert first.id == again.id == derived_id(*fact.slot())


def test_what_follows_belongs_to_the_story_of_its_cause() -> None:
    """Correlation and trace are handed on; causation names the event just before."""
    cause = sample(TaskSubmitted)
    fact = sample(AttemptEnded).fact
    assert isinstance(fact, Fact)
    event = caused(fact, cause.envelope, source="s", now=NOW)

    assert event.envelope.causation_id == cause.id
    assert event.envelope.correlation_id == cause.envelope.correlation_id
    assert event.envelope.traceparent == cause.envelope.traceparent
    assert msgspec.structs.asdict(event.envelope)["subject"] == fact.key
