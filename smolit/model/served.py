"""What served when: told by the facts up to that moment alone, whatever is in force now."""

from datetime import datetime
from typing import Any

from msgspec import Struct

from projections.model import LastChoice, ModelChange, in_force_at, last_choice
from smolit.model.fold import Scope
from store.postgres import Connection


class ServedAt(Struct, frozen=True, kw_only=True):
    """What served a scope at a moment.

    `decided_by` is `version`, `person`, `experiment` or `default`; `since`, `changed_by` and `reason` are of the change that put
    it in force. State (`digest`, `upto`) and `choice` are of the last choice that was made so by then: None if there was none.
    """

    at: datetime
    scope: str
    decided_by: str
    policy: str | None
    policy_version: int | None
    parameters: dict[str, Any] | None
    model: str | None
    digest: str | None
    upto: int | None
    since: datetime | None
    changed_by: str | None
    reason: str | None
    choice: LastChoice | None


async def served_at(connection: Connection, scope: Scope, moment: datetime) -> ServedAt:
    """Return what served a scope at a moment, from the read models of choices and changes."""
    change = await in_force_at(connection, *scope, moment)
    return told(scope, moment, change, await last_choice(connection, *scope, moment, change))


def told(scope: Scope, moment: datetime, change: ModelChange | None, choice: LastChoice | None) -> ServedAt:
    """Put together what served: a change says what was put in force, a choice what that was in full, and its state."""
    by_hand = change is not None and change.policy is not None
    return ServedAt(
        at=moment,
        scope=scope.name,
        decided_by=_decided_by(change, choice),
        policy=choice.policy if choice else change.policy if change else None,
        policy_version=choice.policy_version if choice else None,
        parameters=choice.policy_parameters if choice else change.parameters if change and by_hand else None,
        model=change.model_id if change else None,
        digest=choice.policy_digest if choice else None,
        upto=choice.policy_upto if choice else None,
        since=change.happened_at if change else None,
        changed_by=change.changed_by if change else None,
        reason=change.reason if change else None,
        choice=choice,
    )


def _decided_by(change: ModelChange | None, choice: LastChoice | None) -> str:
    """Return what put the policy in its place; between a default and an experiment a choice decides."""
    if change is not None and change.policy is not None:
        return "version" if change.model_id else "person"
    return choice.decided_by if choice else "default"
