"""The training table: what was known, what was chosen, and what came of it; one row per ended task, the same every time.

Columns called `feature_` hold what a policy may see; those called `choice_` what it did; only those called `outcome_`
tell what came after.
"""

import csv
import io
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct

from projections.errors import UnreadableRange
from projections.projection import fetch
from store.postgres import Connection, snapshot

_TABLE = """
select ended.task_id, ended.tenant, ended.ended_at,
  ended.scope as feature_scope, ended.kind as feature_kind, ended.language as feature_language,
  ended.priority as feature_priority, ended.text as feature_text, ended.text_sha256 as feature_text_sha256,
  ended.text_chars as feature_text_chars, seen.features_version as feature_version,
  seen.embedding as feature_embedding, seen.surface as feature_surface,
  choice.attempt as choice_attempt, choice.agent as choice_agent, choice.propensity as choice_propensity,
  choice.candidates as choice_candidates, choice.left_out as choice_left_out, choice.explored as choice_explored,
  choice.policy as choice_policy, choice.policy_version as choice_policy_version,
  choice.policy_digest as choice_policy_digest, choice.policy_upto as choice_policy_upto,
  choice.context_map as choice_context_map, choice.decided_by as choice_decided_by,
  choice.experiment as choice_experiment, choice.variant as choice_variant,
  ended.outcome as outcome_task, ended.attempts as outcome_attempts, ended.reason as outcome_reason,
  tried.outcome as outcome_attempt, tried.duration_us as outcome_duration_us,
  tried.cost_microusd as outcome_cost_microusd, learned.reward_micro as outcome_reward_micro,
  learned.rule as outcome_reward_rule, coalesce(said.all, '[]') as outcome_feedback,
  coalesce(before.all, '[]') as outcome_earlier
from public.tasks as ended
left join public.task_features as seen on seen.task_id = ended.task_id
left join public.decisions as choice on choice.task_id = ended.task_id and choice.attempt = ended.chosen_attempt
left join public.attempts as tried on tried.task_id = choice.task_id and tried.attempt = choice.attempt
left join public.examples as learned
  on learned.task_id = choice.task_id and learned.attempt = choice.attempt and learned.scope = choice.scope
left join lateral (
  select jsonb_agg(jsonb_build_object('attempt', attempt, 'rater', rater, 'kind', kind, 'value_micro', value_micro,
    'comment', comment, 'correction', correction, 'revision', revision)
    order by attempt, rater collate "C") as all
  from public.feedback_effective as one where one.task_id = ended.task_id and one.tenant = ended.tenant
) as said on true
left join lateral (
  select jsonb_agg(jsonb_build_object('attempt', first.attempt, 'agent', first.agent, 'propensity', first.propensity,
    'candidates', first.candidates, 'outcome', first_try.outcome, 'reward_micro', first_example.reward_micro)
    order by first.attempt) as all
  from public.decisions as first
  left join public.attempts as first_try on first_try.task_id = first.task_id and first_try.attempt = first.attempt
  left join public.examples as first_example
    on first_example.task_id = first.task_id and first_example.attempt = first.attempt
    and first_example.scope = first.scope
  where first.task_id = ended.task_id and first.attempt < ended.chosen_attempt
) as before on true
where ended.ended_at >= %(since)s and ended.ended_at < %(until)s
  and (%(tenant)s::text is null or ended.tenant = %(tenant)s)
order by ended.ended_at, ended.task_id collate "C", ended.tenant collate "C\""""
_UNREADABLE = """
select origin_topic, origin_partition, origin_offset, detail from public.dead_letters
where stage = 'projections' and reason in ('unknown_version', 'unknown_type', 'missing_upcaster')
  and (recorded_at is null or (recorded_at >= %s and recorded_at < %s))
order by origin_topic, origin_partition, origin_offset limit 1"""


class TrainingRow(Struct, frozen=True, kw_only=True):
    """One ended task: its last choice in full, earlier ones in `outcome_earlier`; rewards and costs in millionths."""

    task_id: str
    tenant: str
    ended_at: datetime
    feature_scope: str | None
    feature_kind: str | None
    feature_language: str | None
    feature_priority: int | None
    feature_text: str | None
    feature_text_sha256: str | None
    feature_text_chars: int | None
    feature_version: str | None
    feature_embedding: bytes | None
    feature_surface: bytes | None
    choice_attempt: int | None
    choice_agent: str | None
    choice_propensity: float | None
    choice_candidates: list[dict[str, Any]] | None
    choice_left_out: list[dict[str, Any]] | None
    choice_explored: bool | None
    choice_policy: str | None
    choice_policy_version: int | None
    choice_policy_digest: str | None
    choice_policy_upto: int | None
    choice_context_map: str | None
    choice_decided_by: str | None
    choice_experiment: str | None
    choice_variant: str | None
    outcome_task: str
    outcome_attempts: int
    outcome_reason: str | None
    outcome_attempt: str | None
    outcome_duration_us: int | None
    outcome_cost_microusd: int | None
    outcome_reward_micro: int | None
    outcome_reward_rule: str | None
    outcome_feedback: list[dict[str, Any]]
    outcome_earlier: list[dict[str, Any]]


async def training_table(
    connection: Connection, since: datetime, until: datetime, *, tenant: str | None = None
) -> list[TrainingRow]:
    """Return the tasks that ended in [since, until), in the order of their ends.

    Raises:
        UnreadableRange: the range holds a record that this release cannot read; the message names its offset.
    """
    async with snapshot(connection):
        await _refuse_gaps(connection, since, until)
        window = {"since": since, "until": until, "tenant": tenant}
        return await fetch(connection, TrainingRow, _TABLE, window)


async def _refuse_gaps(connection: Connection, since: datetime, until: datetime) -> None:
    """Refuse a range that cannot be told in full: a table with a hole would be learned from without a word."""
    cursor = await connection.execute(_UNREADABLE, (since, until))
    if found := await cursor.fetchone():
        topic, partition, offset, detail = found
        raise UnreadableRange(f"{topic} partition {partition} offset {offset} cannot be read here: {detail}")


def as_json_lines(rows: Iterable[TrainingRow]) -> bytes:
    """Return rows as JSON lines, the same bytes for the same rows; vectors are base64."""
    return b"".join(msgspec.json.encode(row, order="sorted") + b"\n" for row in rows)


def as_csv(rows: Iterable[TrainingRow]) -> bytes:
    """Return rows as CSV with a header, the same bytes for the same rows; lists are JSON, vectors base64."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(TrainingRow.__struct_fields__)
    for row in rows:
        writer.writerow([_cell(getattr(row, name)) for name in TrainingRow.__struct_fields__])
    return text.getvalue().encode()


def _cell(content: Any) -> Any:
    """Return a value as CSV shows it: empty for what is absent, JSON for what is not a plain text or number."""
    if content is None or isinstance(content, str | int | float):
        return content
    written = msgspec.json.encode(content, order="sorted").decode()
    return written.strip('"') if isinstance(content, datetime | bytes) else written
