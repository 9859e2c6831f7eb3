"""What events of questions to people say, in a few words for people."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

Payload = Mapping[str, Any]


def _asked(said: Payload) -> str:
    arguments = msgspec.json.encode(said["arguments"]).decode()[:200]
    return f"{said['agent']} waits for a person to allow {said['tool']} with {arguments} (because of {said['why']})"


def _answered(said: Payload) -> str:
    return f"{said['decision']} by {said['by']}{_reason(said)}"


def _settled(said: Payload) -> str:
    who = f" by {said['by']}" if said.get("by") else ": nobody answered in time"
    return f"the question is settled: {said['outcome']}{who}{_reason(said)}"


def _reason(said: Payload) -> str:
    return f": {said['reason']}" if said.get("reason") else ""


ASK_WORDS: Mapping[str, Callable[[Payload], str]] = {
    "approval.asked": _asked,
    "approval.answered": _answered,
    "approval.settled": _settled,
}
