"""What events of split tasks say, in a few words for people."""

from collections.abc import Callable, Mapping
from typing import Any

Payload = Mapping[str, Any]


def _made(said: Payload) -> str:
    steps = said["plan"]["steps"]
    return f"split into {len(steps)} steps by {said['made_by']}: {said['why']}"


def _started(said: Payload) -> str:
    avoid = f", not {' or '.join(said['avoid'])}" if said.get("avoid") else ""
    return f"step {said['step']}: somebody for {said['kind']} is asked{avoid}"


def _settled(said: Payload) -> str:
    what = f"{len(said['conflicts'])} contradiction(s)" if said["conflicts"] else "no contradiction"
    won = "open, all are shown" if said["chosen"] is None else f"{said['answers'][said['chosen']]['agent']} counts"
    return f"step {said['step']}: {len(said['answers'])} answers, {what}; {won} (rule {said['rule']})"


def _step_ended(said: Payload) -> str:
    why = f": {said['detail'] or said['reason']}" if said.get("reason") else ""
    return f"step {said['step']}: {said['outcome']}{why}"


def _ended(said: Payload) -> str:
    counts = ", ".join(f"{said[name]} {name}" for name in ("completed", "failed", "skipped") if said[name])
    return f"plan over, {said['outcome']}: {counts or 'nothing was done'}"


PLAN_WORDS: Mapping[str, Callable[[Payload], str]] = {
    "plan.made": _made,
    "plan.step_started": _started,
    "plan.settled": _settled,
    "plan.step_ended": _step_ended,
    "plan.ended": _ended,
}
