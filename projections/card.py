"""Read models `model_cards`, `model_choices`: models that agents may use, and which one each step used.

The view `model_scores` says how that went.

Which of two facts about a card came later is said by their offsets: all of them are in one partition.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct
from sqlalchemy import BigInteger, Boolean, Double, Index, LargeBinary, Table, Text
from sqlalchemy.dialects.postgresql import JSONB

from events.card import CardChanged, CardRegistered, CardRetired
from events.task import AttemptEnded, ModelChoice, Step
from projections.column import TIME, earliest, highest, key, latest, metadata, once, summed
from projections.interval import INTERVAL_COLUMNS, interval
from projections.merge import Row, told
from projections.projection import Logged, Projection, compared, fetch, merging
from projections.view import View, view_of
from store.postgres import Connection

_CARDS = Table(
    "model_cards_v1",
    metadata,
    key("tenant", Text, "whose agents may use it"),
    key("name", Text, "name of the model"),
    latest("digest", Text, "digest of the card", by="described_offset"),
    latest("card", JSONB, "the model as data: kind, description, subtasks, domains, pipeline, price", by="described_offset"),
    latest("embedding", LargeBinary, "vector of the description: little-endian float16", by="described_offset"),
    latest("features_version", Text, "version of the vector", by="described_offset"),
    summed("changes", BigInteger, "how often it was registered or changed"),
    earliest("registered_at", TIME, "when it was first registered or changed"),
    highest("changed_at", TIME, "when anything about it last changed"),
    latest("reason", Text, "why it last retired", by="retired_offset"),
    highest("described_offset", BigInteger, "offset of the last registration or change"),
    highest("retired_offset", BigInteger, "offset of the last retirement"),
    comment="Each model as its card last said, and whether it may be used; one row per tenant and model.",
)
_STATE = """case when known.described_offset is null then 'unknown'
  when known.retired_offset > known.described_offset then 'retired' else 'active' end"""
_CARDS_VIEW = view_of("model_cards", _CARDS, {"state": (_STATE, "active, retired, or unknown: retired and never described")})
_CHOICES = Table(
    "model_choices_v1",
    metadata,
    key("task_id", Text, "id of the task"),
    key("attempt", BigInteger, "number of the attempt, from 1"),
    key("step", Text, "name of the step"),
    once("tenant", Text, "whose task it is"),
    once("scope", Text, "what one policy state covers"),
    once("agent", Text, "the agent whose step it is"),
    once("subtask", Text, "what the model was chosen for"),
    once("domain", Text, "what the text is about; null: not known"),
    once("model", Text, "name and version of the model"),
    once("probability", Double, "the probability that it was chosen with"),
    once("explored", Boolean, "whether another one was the policy's favourite"),
    once("fit", Double, "cosine of text and card; null: not compared"),
    once("policy", Text, "what chose, with its version"),
    once("candidates", JSONB, "who could be chosen: score, its parts, probability"),
    once("failed", Boolean, "whether the model brought nothing"),
    once("ended_at", TIME, "when the attempt was over"),
    Index("model_choices_v1_subtask", "tenant", "subtask", "ended_at"),
    comment="Which model each step of an attempt used, where there was a choice.",
)
_CHOICES_VIEW = view_of("model_choices", _CHOICES)
# A model that brought nothing earned nothing, whatever the attempt came to; else it earned what the attempt did.
_REWARD = "case when choice.failed then 0 else example.reward_micro end"
_SCORES_SQL = f"""
select tenant, subtask, domain, model, used, failed, mean_probability, {interval("judged", "total", "squares")}
from (
  select choice.tenant, choice.subtask, coalesce(choice.domain, '') as domain, choice.model, count(*) as used,
    count(*) filter (where choice.failed) as failed, avg(choice.probability) as mean_probability,
    count({_REWARD}) as judged, sum({_REWARD}) as total, sum(({_REWARD})::numeric ^ 2) as squares
  from {_CHOICES.name} as choice
  left join examples_v1 as example
    on example.task_id = choice.task_id and example.attempt = choice.attempt and example.scope = choice.scope
  group by choice.tenant, choice.subtask, coalesce(choice.domain, ''), choice.model
) as sums"""  # noqa: S608 the names are ours
_SCORES = View(
    "model_scores",
    _SCORES_SQL,
    "How each model did at each subtask in each domain, joined afresh from choices and rewards.",
    {
        "tenant": "whose tasks",
        "subtask": "what the model was chosen for",
        "domain": "what the texts were about; empty: not known",
        "model": "name and version of the model",
        "used": "how often it was chosen",
        "failed": "how often it brought nothing",
        "mean_probability": "mean probability that it was chosen with",
        **INTERVAL_COLUMNS,
    },
)
_CardFact = CardRegistered | CardChanged | CardRetired


class CardRow(Struct, frozen=True, kw_only=True):
    """One row of `model_cards`; `card` is the model as data."""

    tenant: str
    name: str
    state: str
    digest: str | None
    card: dict[str, Any] | None
    embedding: bytes | None
    features_version: str | None
    changes: int
    registered_at: datetime | None
    changed_at: datetime
    reason: str | None


class ScoreRow(Struct, frozen=True, kw_only=True):
    """One row of `model_scores`."""

    subtask: str
    domain: str
    model: str
    used: int
    failed: int
    mean_probability: float | None
    rewarded: int
    mean_reward: float | None
    reward_low: float | None
    reward_high: float | None


class JudgedRow(Struct, frozen=True, kw_only=True):
    """One judged outcome of a model, with what was known of the task; the reward is in millionths."""

    task_id: str
    attempt: int
    step: str
    domain: str | None
    model: str
    probability: float
    fit: float | None
    reward_micro: int
    features_version: str
    embedding: bytes
    surface: bytes


_CARD_COLUMNS = ", ".join(CardRow.__struct_fields__)
_SCORE_COLUMNS = ", ".join(ScoreRow.__struct_fields__)
_JUDGED_FROM = f"""
from public.model_choices as choice
join public.task_features as features on features.task_id = choice.task_id
left join public.examples as example
  on example.task_id = choice.task_id and example.attempt = choice.attempt and example.scope = choice.scope
where choice.tenant = %(tenant)s and choice.subtask = %(subtask)s and ({_REWARD}) is not null"""
_JUDGED = f"""
select choice.task_id, choice.attempt, choice.step, choice.domain, choice.model, choice.probability, choice.fit,
  {_REWARD} as reward_micro, features.features_version, features.embedding, features.surface
{_JUDGED_FROM}
order by coalesce(example.recorded_at, choice.ended_at), choice.task_id, choice.attempt, choice.step offset %(offset)s"""
_COUNTED = f"select count(*)::bigint as judged {_JUDGED_FROM}"


class _Counted(Struct, frozen=True):
    judged: int


async def cards(connection: Connection, tenant: str) -> list[CardRow]:
    """Return a tenant's model cards by name."""
    query = f"select {_CARD_COLUMNS} from public.model_cards where tenant = %s order by name"  # noqa: S608 columns are ours
    return await fetch(connection, CardRow, query, (tenant,))


async def scores(connection: Connection, tenant: str, subtask: str | None = None) -> list[ScoreRow]:
    """Return how a tenant's models did, by subtask, domain and model; `subtask` None: at all of them."""
    query = f"""select {_SCORE_COLUMNS} from public.model_scores
        where tenant = %(tenant)s and (%(subtask)s::text is null or subtask = %(subtask)s)
        order by subtask, domain, mean_reward desc nulls last, model"""  # noqa: S608 columns are ours
    return await fetch(connection, ScoreRow, query, {"tenant": tenant, "subtask": subtask})


async def judged(connection: Connection, tenant: str, subtask: str, keep: int) -> list[JudgedRow]:
    """Return the newest judged outcomes at a subtask in the order of their first reward: at least `keep`, below twice as many.

    Where it begins moves by whole windows, so that most calls return what the one before did and something behind it.
    """
    asked: Mapping[str, Any] = {"tenant": tenant, "subtask": subtask}
    (counted,) = await fetch(connection, _Counted, _COUNTED, asked)
    offset = max(0, counted.judged // keep - 1) * keep
    return await fetch(connection, JudgedRow, _JUDGED, {**asked, "offset": offset})


def card_rows(logged: Logged) -> Iterator[Row]:
    """Yield what one fact says of a model card."""
    fact, at, place = logged.event.fact, logged.event.envelope.time, logged.offset
    match fact:
        case CardRegistered() | CardChanged():
            yield {
                **_card(fact, at),
                **{"digest": fact.digest, "card": fact.card, "embedding": fact.described.embedding},
                **{"features_version": fact.described.version, "described_offset": place, "changes": 1, "registered_at": at},
            }
        case CardRetired(reason=reason):
            yield {**_card(fact, at), "retired_offset": place, "reason": reason}


def _card(fact: _CardFact, at: datetime) -> Row:
    """Return what every fact of a card says."""
    return {"tenant": fact.tenant, "name": fact.name, "changed_at": at}


def choice_rows(logged: Logged) -> Iterator[Row]:
    """Yield which models the steps of an attempt used."""
    fact, at = logged.event.fact, logged.event.envelope.time
    if isinstance(fact, AttemptEnded):
        where = told(fact, "task_id", "attempt", "tenant", "scope", "agent")
        for step in fact.steps:
            if step.choice is not None:
                yield {**where, "ended_at": at, **_choice(step, step.choice)}


def _choice(step: Step, choice: ModelChoice) -> Row:
    """Return what a step says of its model."""
    fit = next((one.fit for one in choice.candidates if one.model == choice.model), None)
    said = told(choice, "subtask", "domain", "model", "probability", "explored", "policy", "candidates")
    return {"step": step.name, **said, "fit": fit, "failed": step.error is not None}


MODEL_CARDS = Projection(
    name="model_cards",
    version=1,
    tables=(_CARDS,),
    views=(_CARDS_VIEW,),
    reads=(CardRegistered, CardChanged, CardRetired),
    compared=(compared(_CARDS_VIEW, _CARDS),),
    write=merging(_CARDS, card_rows),
)
MODEL_CHOICES = Projection(
    name="model_choices",
    version=1,
    tables=(_CHOICES,),
    views=(_CHOICES_VIEW, _SCORES),
    reads=(AttemptEnded,),
    compared=(compared(_CHOICES_VIEW, _CHOICES),),
    write=merging(_CHOICES, choice_rows),
)
