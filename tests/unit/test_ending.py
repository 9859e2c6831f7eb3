"""What becomes of a task when an attempt ends: a pure decision."""

from datetime import datetime

import pytest

from events.event import Envelope
from events.task import TaskSubmitted
from handlers.ending import Finish, Verdict, judge
from store.claim import Claimed, Hold
from tests.builders import TASK, context, moment, spec, submitted


def finish(outcome: str, attempt: int = 1, reason: str | None = "not_arithmetic") -> Finish:
    """Return the end of an attempt at a task that is due after an hour and may be tried three times."""
    event = submitted()
    assert isinstance(event.fact, TaskSubmitted)
    cause = Envelope(id="c", source="s", subject=TASK, time=moment(2), correlation_id=TASK, causation_id="b")
    claimed = Claimed(Hold(TASK, attempt, 1), "w", event.fact, spec(), context(max_attempts=3), cause)
    return Finish(claimed, outcome, 5, reason=reason, detail="because")  # type: ignore[arg-type]


SOON, LATE = moment(60), moment(3600)
DOUBT = Verdict("failed", "effect_unknown", "a side effect may have happened; a person must decide")
SPENT = Verdict("failed", "attempts_exhausted", "not_arithmetic: because")


@pytest.mark.parametrize(
    ("ended", "barred", "now", "verdict"),
    [
        (finish("completed"), False, SOON, Verdict("completed")),
        (finish("completed", attempt=3), True, LATE, Verdict("completed")),
        (finish("failed"), False, SOON, None),
        (finish("timed_out", attempt=2), False, SOON, None),
        (finish("failed", attempt=3), False, SOON, SPENT),
        (finish("failed", attempt=4), False, SOON, SPENT),
        (finish("failed"), False, LATE, Verdict("expired", "deadline", "because")),
        (finish("failed"), True, SOON, DOUBT),
        (finish("failed"), True, LATE, DOUBT),
        (finish("failed", reason="effect_unknown"), False, SOON, DOUBT),
    ],
)
def test_a_task_ends_once_it_is_done_or_cannot_be(ended: Finish, barred: bool, now: datetime, verdict: Verdict | None) -> None:
    """Done beats all; a doubt about a side effect beats another try; then the deadline, then the number of attempts."""
    assert judge(ended, barred, now) == verdict
