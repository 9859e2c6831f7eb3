"""A run is well only if nothing was found, everything was dealt, and every planted bug was caught."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from events.learning import ExampleRecorded
from events.task import AttemptEnded
from events.wire import Outgoing, encode, event_type
from smolit.chaos import buggy
from smolit.chaos.check.finding import Finding, found
from smolit.chaos.check.verdict import Verdict
from smolit.chaos.planted import Caught
from smolit.chaos.report import Report, Run, complaints, report, summary
from smolit.chaos.storm import Struck
from smolit.chaos.world import stack_settings
from smolit.errors import ServerForeign
from smolit.settings import load_settings
from tests.builders import NAMES, attempt_ended, chosen, ended, example

KEYS = {
    "kills", "lost", "effects_repeated", "order_inversions", "digests_equal", "learner_equal", "planted", "planted_caught",
    "recover_s_p50", "recover_s_max",
}  # fmt: skip


def told(*findings: Finding, struck: int = 2, recovered: bool = True, bug_kills: int | None = 1) -> Report:
    """Return the report of a run of two kills and one planted bug."""
    blows = [Struck("relay-1", "mark.after", 0.0, 1, 3.0 + number if recovered else None) for number in range(struck)]
    fields: dict[str, Any] = {"seed": 7, "commit": None, "seconds": {}, "tasks": 10, "starts": 9, "ends": {}, "slept": ()}
    run = Run(options={"kills": 2}, struck=blows, **fields)
    return report(run, Verdict(findings, {}), [Caught("swapped_events", "", bug_kills, ())])


def test_a_run_without_findings_is_well() -> None:
    """Nothing found, all dealt and all caught: well, with the times until everything was still."""
    one = told()

    assert one.ok
    assert (one.kills, one.recover_s_p50, one.recover_s_max, one.planted, one.planted_caught) == (2, 3.5, 4.0, 1, 1)
    assert summary(one).startswith("ok: 2 kills, seed 7, 10 tasks; lost 0, effects repeated 0")
    assert complaints(one) == []


def test_the_report_has_the_keys_that_were_agreed() -> None:
    """Scripts read these keys."""
    assert set(msgspec.to_builtins(told())) >= KEYS


@pytest.mark.parametrize(
    ("check", "field", "value"),
    [
        ("C1", "lost", 3),
        ("C2", "lost", 3),
        ("liveness", "lost", 3),
        ("C5", "effects_repeated", 3),
        ("C4", "order_inversions", 3),
        ("C7", "digests_equal", False),
        ("learner", "learner_equal", False),
        ("examples", "learner_equal", False),
        ("C3", "ok", False),
        ("C6", "ok", False),
    ],
)
def test_a_finding_shows_where_it_belongs(check: str, field: str, value: object) -> None:
    """Each check has its figure, and any finding makes the run fail."""
    one = told(*found(check, "something", ["a", "b", "c"]))

    assert getattr(one, field) == value
    assert not one.ok
    assert complaints(one) == [f"{check}: something (3): a; b; c"]


def test_a_bug_that_was_not_caught_fails_the_run() -> None:
    """A checker that misses a planted bug says nothing about the rest."""
    one = told(bug_kills=None)

    assert (one.ok, one.planted_caught) == (False, 0)
    assert "not caught: swapped_events" in complaints(one)[0]


def test_a_run_that_was_cut_short_is_not_well() -> None:
    """Fewer kills than asked for, or one after which nothing became still, is a failure."""
    assert not told(struck=1).ok
    assert not told(recovered=False).ok


def test_a_server_that_is_not_ours_is_refused(tmp_path: Path) -> None:
    """The harness kills servers, so it touches none that the settings name."""
    with pytest.raises(ServerForeign, match="SMOLIT_KAFKA"):
        stack_settings(load_settings(data_dir=tmp_path / "data", kafka="elsewhere:9092"))
    with pytest.raises(ServerForeign, match="SMOLIT_POSTGRES"):
        stack_settings(load_settings(data_dir=tmp_path / "data", postgres="postgresql://elsewhere/x"))
    assert not (tmp_path / "data").exists()


def records(*events: Any) -> list[Outgoing]:
    """Return events as they would be published."""
    return [encode(NAMES.of(event.fact.event_type.topic), event) for event in events]


def test_the_swap_changes_the_order_within_a_key() -> None:
    """Two neighbours of one key change places; records of different keys stay as they are."""
    one, two = records(attempt_ended(), ended())
    stranger = records(example())[0]

    assert buggy.swapped([stranger, one, two]) == [stranger, two, one]
    assert buggy.swapped([one, stranger, two]) == [one, stranger, two]


def test_the_repeat_has_an_id_of_its_own() -> None:
    """The end of an attempt is there twice, under two ids; nothing else is."""
    sent = buggy.repeated(records(chosen(), attempt_ended()))

    assert [event_type(record.headers) for record in sent].count(AttemptEnded.event_type.wire_name) == 2
    assert len({dict(record.headers)["ce_id"] for record in sent}) == 3
    assert ExampleRecorded.event_type.wire_name not in {event_type(record.headers) for record in sent}
