"""Replaying dead letters: which, in which order, how often, and what the records look like then."""

from datetime import UTC, datetime
from typing import Any

from events.dead_letter import DeadLetterSettled
from events.replay import COUNT_HEADER, PLACE_HEADER, first_place, replayed, replays
from events.wire import Headers, Incoming, decode
from projections.dead_letter import DeadLetterRow
from smolit.letters import Sick, grouped, plan, settlements
from tests.builders import NAMES, TENANT

TOPIC = NAMES.requests_of(TENANT)
NOW = datetime(2030, 1, 1, tzinfo=UTC)


def letter(offset: int = 0, *, key: str = "k", headers: Headers = (), **fields: Any) -> DeadLetterRow:
    """Return a dead letter that waits."""
    defaults: dict[str, Any] = {
        "stage": "intake", "origin_topic": TOPIC, "origin_partition": 0, "origin_offset": offset, "tenant": TENANT,
        "recorded_at": NOW, "reason": "malformed_payload", "detail": "", "original_type": None, "original_key": key,
        "original_headers": [[name, content.hex()] for name, content in headers], "original_value": b"{}",
        "settled": None, "settled_at": None, "replayed_as": None,
    }  # fmt: skip
    return DeadLetterRow(**{**defaults, **fields})


def came_again(place: str, count: int) -> Headers:
    """Return the headers of a record that was replayed before."""
    return ((PLACE_HEADER, place.encode()), (COUNT_HEADER, str(count).encode()))


def offsets(sick: list[Sick]) -> list[int]:
    """Return where records lie."""
    return [one.one.origin_offset for one in sick]


def test_a_record_remembers_where_it_first_lay_and_how_often_it_came() -> None:
    """Its own headers stay, the place never changes, the count grows by one."""
    first = Incoming(TOPIC, 0, 7, b"k", (("ce_id", b"1"),), b"{}")
    second = Incoming(TOPIC, 0, 90, b"k", replayed(first), b"{}")
    third = Incoming(TOPIC, 0, 95, b"k", replayed(second), b"{}")

    assert (replays(first.headers), replays(second.headers), replays(third.headers)) == (0, 1, 2)
    assert first_place(first) == first_place(second) == first_place(third) == f"{TOPIC}/0/7"
    assert third.headers[0] == ("ce_id", b"1")
    assert len(third.headers) == 3


def test_a_count_that_a_stranger_wrote_is_no_number_of_ours() -> None:
    """Requests come from outside, with any headers."""
    assert [replays(((COUNT_HEADER, told),)) for told in (b"", b"-1", b"many", b"\xff", b"9" * 5000)] == [0] * 5


def test_records_are_replayed_in_the_order_in_which_they_first_came() -> None:
    """One that was replayed and is still wrong lies at the end of the log now, but goes first."""
    again = letter(50, headers=came_again(f"{TOPIC}/0/2", 1))

    made = plan([letter(3), letter(10), letter(4), again], most=3)

    assert offsets(made.again) == [50, 3, 4, 10]
    assert made.left == []


def test_what_was_replayed_too_often_stays_and_so_does_its_key() -> None:
    """The rest flows; a further try takes somebody who insists."""
    often = letter(5, key="sick", headers=came_again(f"{TOPIC}/0/1", 3))
    letters = [often, letter(6, key="sick"), letter(7, key="well")]

    made, forced = plan(letters, most=3), plan(letters, most=None)

    assert offsets(made.again) == [7]
    assert [sick.one.origin_offset for sick, _ in made.left] == [5, 6]
    assert "replayed 3 times already, and 3 are allowed" in made.left[0][1]
    assert offsets(forced.again) == [5, 6, 7]


def test_feedback_that_waited_in_vain_has_no_record_to_replay() -> None:
    """Publishing what learning made of it would only be refused once more."""
    assert "smolit feedback give" in plan([letter(reason="task_never_came")], most=3).left[0][1]


def test_a_record_that_two_stages_set_aside_is_replayed_once_and_settles_both() -> None:
    """The record is one; each letter gets its own end, under an id of its own."""
    both = [letter(1, stage=stage) for stage in ("dispatch", "learning")]

    sick = grouped(both)
    facts = [decode(one.headers, one.value) for one in settlements(sick[0], "replayed", NAMES, NOW, f"{TOPIC}/0/9")]

    assert len(sick) == len(plan(both, most=3).again) == 1
    assert {fact.fact.stage for fact in facts if isinstance(fact.fact, DeadLetterSettled)} == {"dispatch", "learning"}
    assert len({fact.id for fact in facts}) == 2
