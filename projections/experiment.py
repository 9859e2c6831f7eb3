"""Read model `experiments`: what is compared with what, and the results by variant."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from msgspec import Struct
from sqlalchemy import Table, Text
from sqlalchemy.dialects.postgresql import JSONB

from events.experiment import ExperimentConcluded, ExperimentStarted
from projections.column import TIME, key, metadata, once
from projections.interval import INTERVAL_COLUMNS, interval
from projections.merge import Row, told
from projections.projection import Logged, Projection, compared, fetch, merging
from projections.view import View, view_of
from store.postgres import Connection

_TABLE = Table(
    "experiments_v1",
    metadata,
    key("tenant", Text, "whose experiment it is"),
    key("experiment_id", Text, "id of the experiment"),
    once("scope", Text, "tasks that it is about"),
    once("salt", Text, "salt of the hash that assigns units to variants"),
    once("variants", JSONB, "what is compared: name, policy, parameters and weight of each variant"),
    once("started_at", TIME, "when it began to assign"),
    once("concluded_at", TIME, "when it ceased to assign; null: it runs"),
    once("reason", Text, "why it was concluded"),
    comment="Experiments between policies: what is compared with what, since when and until when.",
)
_STATE = "case when known.concluded_at is not null then 'concluded' else 'running' end"
_RESULTS_SQL = f"""
select tenant, experiment, variant, exposures, units, excluded, {interval("rewarded", "total", "squares")}
from (
  select met.tenant, met.experiment, met.variant,
    count(*) filter (where met.decided_by = 'experiment') as exposures,
    count(distinct met.unit) filter (where met.decided_by = 'experiment') as units,
    count(*) filter (where met.decided_by <> 'experiment') as excluded,
    count(example.reward_micro) filter (where met.decided_by = 'experiment') as rewarded,
    sum(example.reward_micro) filter (where met.decided_by = 'experiment') as total,
    sum(example.reward_micro::numeric ^ 2) filter (where met.decided_by = 'experiment') as squares
  from decisions_v1 as met
  left join examples_v1 as example
    on example.task_id = met.task_id and example.attempt = met.attempt and example.scope = met.scope
  where met.attempt = 1 and met.experiment is not null
  group by met.tenant, met.experiment, met.variant
) as sums"""  # noqa: S608 the names are ours
_RESULTS = View(
    "experiment_results",
    _RESULTS_SQL,
    "Results by variant. A task is exposed by its first choice; one that a set policy took is excluded and counted.",
    {
        "tenant": "whose experiment it is",
        "experiment": "id of the experiment",
        "variant": "name of the variant",
        "exposures": "tasks whose first agent was chosen by the variant's policy",
        "units": "different units among them",
        "excluded": "tasks assigned to the variant whose first agent was chosen by something else",
        **INTERVAL_COLUMNS,
    },
)


class ExperimentRow(Struct, frozen=True, kw_only=True):
    """One row of `experiments`; `variants` are objects as in the fact."""

    tenant: str
    experiment_id: str
    state: str
    scope: str | None
    salt: str | None
    variants: list[dict[str, Any]] | None
    started_at: datetime | None
    concluded_at: datetime | None
    reason: str | None


class VariantResult(Struct, frozen=True, kw_only=True):
    """One row of `experiment_results`; rewards are shares in [0, 1], the interval is the 95 % one."""

    experiment: str
    variant: str
    exposures: int
    units: int
    excluded: int
    rewarded: int
    mean_reward: float | None
    reward_low: float | None
    reward_high: float | None


_COLUMNS = ", ".join(ExperimentRow.__struct_fields__)
_RESULT_COLUMNS = ", ".join(VariantResult.__struct_fields__)


async def experiments(connection: Connection, tenant: str) -> list[ExperimentRow]:
    """Return a tenant's experiments, newest first."""
    query = f"""select {_COLUMNS} from public.experiments where tenant = %s
        order by started_at desc nulls last, experiment_id"""  # noqa: S608 columns are ours
    return await fetch(connection, ExperimentRow, query, (tenant,))


async def results(connection: Connection, tenant: str, experiment_id: str) -> list[VariantResult]:
    """Return an experiment's results, by variant."""
    query = f"""select {_RESULT_COLUMNS} from public.experiment_results
        where tenant = %s and experiment = %s order by variant"""  # noqa: S608 columns are ours
    return await fetch(connection, VariantResult, query, (tenant, experiment_id))


def rows(logged: Logged) -> Iterator[Row]:
    """Yield what one fact says of an experiment."""
    fact, at = logged.event.fact, logged.event.envelope.time
    match fact:
        case ExperimentStarted():
            yield {**told(fact, "tenant", "experiment_id", "scope", "salt", "variants"), "started_at": at}
        case ExperimentConcluded():
            yield {**told(fact, "tenant", "experiment_id", "reason"), "concluded_at": at}


_VIEW = view_of("experiments", _TABLE, {"state": (_STATE, "running (units are assigned) or concluded")})
EXPERIMENTS = Projection(
    name="experiments",
    version=1,
    tables=(_TABLE,),
    views=(
        _VIEW,
        _RESULTS,
    ),
    reads=(ExperimentStarted, ExperimentConcluded),
    compared=(compared(_VIEW, _TABLE),),
    write=merging(_TABLE, rows),
)
