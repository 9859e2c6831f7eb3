"""Read models `models` and `model_history`: the versions of policies, and what happened to each alias of each scope."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from msgspec import Struct
from sqlalchemy import BigInteger, Index, Table, Text
from sqlalchemy.dialects.postgresql import JSONB

from events.model import ModelPromoted, ModelRegistered, ModelRejected, ModelRolledBack, ModelValidated, PolicySet
from projections.column import TIME, highest, key, latest, metadata, once
from projections.merge import Row, told
from projections.projection import Logged, Projection, compared, fetch, merging
from projections.view import view_of
from store.postgres import Connection

_ORIGIN = ("policy", "policy_version", "parameters", "context_map", "first", "upto", "examples", "data_sha256", "digest")
_MADE = ("artefact_sha256", "artefact_bytes", "code_sha256", "seed", "environment", "metrics", "not_estimated", "cost", "trial")
_MODELS = Table(
    "models_v1",
    metadata,
    key("model_id", Text, "id of the version, derived from what it is"),
    once("tenant", Text, "whose version it is"),
    once("scope", Text, "what the policy's state covers"),
    once("registered_at", TIME, "when it was registered"),
    once("registered_by", Text, "who registered it"),
    once("registered_offset", BigInteger, "Kafka offset of its registration"),
    once("parent", Text, "the version that it follows; null: none"),
    once("policy", Text, "name of the policy"),
    once("policy_version", BigInteger, "version of the policy"),
    once("parameters", JSONB, "all settings of the policy"),
    once("context_map", Text, "digest of the map from features to the policy's context"),
    once("first", BigInteger, "offset of the first example, in the scope's learning partition; -1: none"),
    once("upto", BigInteger, "offset of the last example that is folded in; -1: none"),
    once("examples", BigInteger, "how many examples are folded in, corrections included"),
    once("data_sha256", Text, "digest of those examples"),
    once("digest", Text, "digest of the state, as choices name it"),
    once("artefact_sha256", Text, "digest of the artefact's bytes"),
    once("artefact_bytes", BigInteger, "size of the artefact"),
    once("code_sha256", Text, "digest of the code that folded"),
    once("seed", BigInteger, "seed of what is left to chance; null: nothing is"),
    once("environment", JSONB, "what the code ran on"),
    once("metrics", JSONB, "what the policy would have earned on that log, learning along it"),
    once("not_estimated", Text, "why there are no estimates; null: there are"),
    once("cost", JSONB, "what it took to make"),
    once("trial", JSONB, "the trial of a search that found these settings, with its score; null: none did"),
    latest("verdict", Text, "validated or rejected, by the last judge; null: nobody judged", by="judged_offset"),
    latest("why", Text, "what the last judge said", by="judged_offset"),
    latest("judged_at", TIME, "when it was judged last", by="judged_offset"),
    highest("judged_offset", BigInteger, "Kafka offset of the last verdict"),
    Index("models_v1_scope", "tenant", "scope"),
    comment="Versions of policies: what each is the fold of, what it would have earned, whether it may be promoted.",
)
_HISTORY = Table(
    "model_history_v1",
    metadata,
    key("event_id", Text, "id of the fact"),
    once("happened_at", TIME, "when it happened"),
    once("log_offset", BigInteger, "Kafka offset of the fact: the order of what happened"),
    once("tenant", Text, "whose it is"),
    once("scope", Text, "where it happened"),
    once("change", Text, "registered, validated, rejected, promoted, rolled_back; set or given_back: by hand, without a version"),
    once("model_id", Text, "the version that it happened to; null: none"),
    once("alias", Text, "the alias that has another holder since, or none; null: it is not about one"),
    once("policy", Text, "policy that is in force since; null: this changed nothing in force"),
    once("parameters", JSONB, "its parameters"),
    once("changed_by", Text, "who asked for it"),
    once("reason", Text, "why"),
    Index("model_history_v1_scope", "tenant", "scope", "log_offset"),
    comment="What happened to versions of policies, and what was put in force by a person or as a version, in order.",
)


class ModelChange(Struct, frozen=True, kw_only=True):
    """One row of `model_history`."""

    event_id: str
    happened_at: datetime
    log_offset: int
    tenant: str
    scope: str
    change: str
    model_id: str | None
    alias: str | None
    policy: str | None
    parameters: dict[str, Any] | None
    changed_by: str | None
    reason: str | None


class LastChoice(Struct, frozen=True, kw_only=True):
    """The choice that was the last one in a scope, and the policy with the state that made it."""

    task_id: str
    attempt: int
    agent: str
    chosen_at: datetime
    decided_by: str
    policy: str
    policy_version: int
    policy_parameters: dict[str, Any]
    policy_digest: str
    policy_upto: int
    policy_model: str | None


_CHANGED = {"since": "happened_at", "policy": "policy", "model": "model_id"}
_CHANGES = ", ".join(ModelChange.__struct_fields__)
_CHOICE = ", ".join(LastChoice.__struct_fields__)


async def model_history(
    connection: Connection, tenant: str, *, scope: str | None = None, model_id: str | None = None, limit: int = 50
) -> list[ModelChange]:
    """Return what happened to versions, and what was put in force, newest first."""
    query = f"""select {_CHANGES} from public.model_history
        where tenant = %(tenant)s and (%(scope)s::text is null or scope = %(scope)s)
          and (%(model)s::text is null or model_id = %(model)s)
        order by log_offset desc limit %(limit)s"""  # noqa: S608 columns are ours
    return await fetch(connection, ModelChange, query, {"tenant": tenant, "scope": scope, "model": model_id, "limit": limit})


async def in_force_at(connection: Connection, tenant: str, scope: str, moment: datetime) -> ModelChange | None:
    """Return the last change by then that put a policy in force or gave the choice back; the log's order decides."""
    query = f"""select {_CHANGES} from public.model_history
        where tenant = %s and scope = %s and happened_at <= %s and alias = 'champion'
        order by log_offset desc limit 1"""  # noqa: S608 columns are ours
    found = await fetch(connection, ModelChange, query, (tenant, scope, moment))
    return found[0] if found else None


async def last_choice(
    connection: Connection, tenant: str, scope: str, moment: datetime, since: ModelChange | None
) -> LastChoice | None:
    """Return the last choice by a moment that was made as that change has it: by its policy, or by nobody's hand."""
    query = f"""select {_CHOICE} from public.decisions
        where tenant = %(tenant)s and scope = %(scope)s and chosen_at <= %(moment)s
          and (%(since)s::timestamptz is null or chosen_at >= %(since)s)
          and (decided_by = 'policy_set') = (%(policy)s::text is not null)
          and (%(policy)s::text is null or (policy = %(policy)s and policy_model is not distinct from %(model)s::text))
        order by chosen_at desc, log_partition, log_offset desc limit 1"""  # noqa: S608 columns are ours
    change = {name: getattr(since, told, None) for name, told in _CHANGED.items()}
    found = await fetch(connection, LastChoice, query, {"tenant": tenant, "scope": scope, "moment": moment, **change})
    return found[0] if found else None


def model_rows(logged: Logged) -> Iterator[Row]:
    """Yield what one fact says of a version."""
    fact, at = logged.event.fact, logged.event.envelope.time
    match fact:
        case ModelRegistered():
            yield {
                **told(fact, "model_id", "tenant", "scope", "registered_by", "parent"),
                **told(fact.origin, *_ORIGIN, *_MADE),
                "registered_at": at,
                "registered_offset": logged.offset,
            }
        case ModelValidated() | ModelRejected():
            verdict = "validated" if isinstance(fact, ModelValidated) else "rejected"
            judged = {"verdict": verdict, "why": fact.reason, "judged_at": at, "judged_offset": logged.offset}
            yield {**told(fact, "model_id", "tenant", "scope"), **judged}


def history_rows(logged: Logged) -> Iterator[Row]:
    """Yield the row of one change."""
    fact, envelope = logged.event.fact, logged.event.envelope
    row = {"event_id": envelope.id, "happened_at": envelope.time, "log_offset": logged.offset}
    row |= {"tenant": fact.tenant, "scope": fact.key}
    match fact:
        case ModelRegistered():
            yield {**row, **told(fact, "model_id"), "change": "registered", "changed_by": fact.registered_by}
        case ModelValidated() | ModelRejected():
            change = "validated" if isinstance(fact, ModelValidated) else "rejected"
            yield {**row, **told(fact, "model_id", "reason"), "change": change, "changed_by": fact.judged_by}
        case ModelPromoted():
            serves = told(fact, "policy", "parameters") if fact.alias == "champion" else {}
            promoted = {**told(fact, "model_id", "alias", "reason"), "changed_by": fact.promoted_by}
            yield {**row, **promoted, **serves, "change": "promoted"}
        case ModelRolledBack():
            back = told(fact, "model_id", "policy", "parameters", "reason")
            yield {**row, **back, "alias": "champion", "change": "rolled_back", "changed_by": fact.rolled_back_by}
        case PolicySet():
            by_hand = {**told(fact, "policy", "parameters", "reason"), "alias": "champion", "changed_by": fact.set_by}
            yield {**row, **by_hand, "change": "set" if fact.policy else "given_back"}


_NUMBER = """case when known.registered_offset is not null
    then row_number() over (partition by known.tenant, known.scope order by known.registered_offset nulls last) end"""
_ALIASES = """array(select held.alias from (
      select distinct on (alias) alias, model_id from model_history_v1
      where tenant = known.tenant and scope = known.scope and alias is not null
      order by alias, log_offset desc) as held
    where held.model_id = known.model_id order by 1)"""
_MODELS_VIEW = view_of(
    "models",
    _MODELS,
    {
        "number": (_NUMBER, "number of the version in its scope, from 1, in the order of the log"),
        "aliases": (_ALIASES, "aliases that it has now: challenger, champion, shadow"),
    },
)
_HISTORY_VIEW = view_of("model_history", _HISTORY)
MODELS = Projection(
    name="models",
    version=1,
    tables=(_MODELS,),
    views=(_MODELS_VIEW,),
    reads=(ModelRegistered, ModelValidated, ModelRejected),
    compared=(compared(_MODELS_VIEW, _MODELS),),
    write=merging(_MODELS, model_rows),
)
MODEL_HISTORY = Projection(
    name="model_history",
    version=1,
    tables=(_HISTORY,),
    views=(_HISTORY_VIEW,),
    reads=(ModelRegistered, ModelValidated, ModelRejected, ModelPromoted, ModelRolledBack, PolicySet),
    compared=(compared(_HISTORY_VIEW, _HISTORY),),
    write=merging(_HISTORY, history_rows),
)
