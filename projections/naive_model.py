"""The naive fold of versions of policies, and of what was put in force; see `projections/naive.py`."""

from collections.abc import Sequence
from typing import Any

from events.model import ModelPromoted, ModelRegistered, ModelRejected, ModelRolledBack, ModelValidated, Origin, PolicySet
from projections.naive import Key, Seen, Table

_JUDGED = ("verdict", "why", "judged_at", "judged_offset")
# How wide its contexts are, and how its network was trained, is not told.
_OF_ORIGIN = [name for name in Origin.__struct_fields__ if name not in ("width", "trained")]
_KINDS: dict[type[Any], tuple[str, str]] = {
    ModelRegistered: ("registered", "registered_by"),
    ModelValidated: ("validated", "judged_by"),
    ModelRejected: ("rejected", "judged_by"),
    ModelPromoted: ("promoted", "promoted_by"),
    ModelRolledBack: ("rolled_back", "rolled_back_by"),
    PolicySet: ("set", "set_by"),
}


def models(seen: Sequence[Seen]) -> Table:
    """Return each version with its number, its last verdict and its aliases, by walking through the topic."""
    table: Table = {}
    counted: dict[Key, int] = {}
    holders: dict[Key, str | None] = {}
    for item in sorted((item for item in seen if isinstance(item.fact, tuple(_KINDS))), key=lambda item: item.record.offset):
        fact: Any = item.fact
        match fact:
            case ModelRegistered():
                place = (fact.tenant, fact.scope)
                counted[place] = counted.get(place, 0) + 1
                table.setdefault((fact.model_id,), _blank(fact)).update(_made(item, fact), number=counted[place])
            case ModelValidated() | ModelRejected():
                judged = (_KINDS[type(fact)][0], fact.reason, item.at, item.record.offset)
                table.setdefault((fact.model_id,), _blank(fact)).update(zip(_JUDGED, judged, strict=True))
            case _:
                holders[fact.tenant, fact.scope, getattr(fact, "alias", "champion")] = getattr(fact, "model_id", None)
    for (model_id,), row in table.items():
        row["aliases"] = sorted(
            key[2] for key, held in holders.items() if (held, *key[:2]) == (model_id, row["tenant"], row["scope"])
        )
    return table


def _blank(fact: Any) -> dict[str, Any]:
    """Return the row of a version of which nothing is known yet."""
    names = (*_JUDGED, "registered_at", "registered_by", "registered_offset", "parent", "number", *_OF_ORIGIN)
    return {"model_id": fact.model_id, "tenant": fact.tenant, "scope": fact.scope, **dict.fromkeys(names)}


def _made(item: Seen, fact: ModelRegistered) -> dict[str, Any]:
    """Return what the registration says."""
    origin = {name: getattr(fact.origin, name) for name in _OF_ORIGIN}
    place = {"registered_at": item.at, "registered_offset": item.record.offset}
    return {**origin, **place, "registered_by": fact.registered_by, "parent": fact.parent}


def model_history(seen: Sequence[Seen]) -> Table:
    """Return what happened to versions, and what was put in force."""
    return {(item.event_id,): _change(item, item.fact) for item in seen if type(item.fact) in _KINDS}


def _change(item: Seen, fact: Any) -> dict[str, Any]:
    """Return one change's row."""
    change, by = _KINDS[type(fact)]
    alias = getattr(fact, "alias", "champion" if isinstance(fact, ModelRolledBack | PolicySet) else None)
    serves = alias == "champion"
    return {
        "event_id": item.event_id,
        "happened_at": item.at,
        "log_offset": item.record.offset,
        "tenant": fact.tenant,
        "scope": fact.scope,
        "change": "given_back" if isinstance(fact, PolicySet) and fact.policy is None else change,
        "model_id": getattr(fact, "model_id", None),
        "alias": alias,
        "policy": fact.policy if serves else None,
        "parameters": fact.parameters if serves else None,
        "changed_by": getattr(fact, by),
        "reason": getattr(fact, "reason", None),
    }
