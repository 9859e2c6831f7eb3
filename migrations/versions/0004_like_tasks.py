"""Past tasks are found by likeness: their vectors, who did them and how it went.

The HNSW index is not made here: the projections build it aside, see projections/similar_index.py.
"""

import base64
import math
import struct
from collections import Counter

import sqlalchemy as sa
from alembic import op
from pgvector.sqlalchemy import HALFVEC
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0002"
branch_labels = None
depends_on = None

_HALVES = struct.Struct("<384e")
_ADMITTED = """select tenant, payload ->> 'task_id' as task_id, payload -> 'context' ->> 'scope' as scope,
    payload -> 'context' ->> 'kind' as kind, payload -> 'context' -> 'features' ->> 'version' as features_version,
    payload -> 'context' -> 'features' ->> 'embedding' as embedding, occurred_at as admitted_at
  from g1.event_log_v1 where type = 'task.admitted'"""
_VECTOR = """insert into g1.similar_tasks_v1 (tenant, task_id, scope, kind, features_version, embedding, admitted_at)
  values (:tenant, :task_id, :scope, :kind, :features_version, cast(:embedding as halfvec(384)), :admitted_at)"""
_REFUSED = "insert into g1.similar_refused_v1 (tenant, reason, refused) values (:tenant, :reason, :refused)"


def upgrade() -> None:
    """Tasks that the event log holds are taken in at once."""
    op.execute("create extension if not exists vector")
    op.create_table(
        "similar_tasks_v1",
        sa.Column("task_id", sa.Text(), autoincrement=False, nullable=False, comment="id of the task"),
        sa.Column("tenant", sa.Text(), autoincrement=False, nullable=False, comment="whose task it is"),
        sa.Column("scope", sa.Text(), nullable=True, comment="what one policy state covers: a family of tasks"),
        sa.Column("kind", sa.Text(), nullable=True, comment="what sort of task it is, as its producer said"),
        sa.Column("features_version", sa.Text(), nullable=True, comment="version of the features: vectors of different ones cannot be compared"),
        sa.Column("admitted_at", postgresql.TIMESTAMP(timezone=True), nullable=True, comment="when its features were fixed"),
        sa.Column("embedding", HALFVEC(384), nullable=True, comment="embedding of the text; null: forgotten"),
        sa.Column("forgotten_at", postgresql.TIMESTAMP(timezone=True), nullable=True, comment="since when it must not be found any more; null: it may"),
        sa.PrimaryKeyConstraint("task_id", "tenant"),
        schema="g1",
        comment='The vector of each admitted task, and of those that were forgotten that they were.',
    )
    op.create_index("similar_tasks_v1_family", "similar_tasks_v1", ["tenant", "scope", "kind"], schema="g1")
    op.create_table(
        "similar_refused_v1",
        sa.Column("tenant", sa.Text(), autoincrement=False, nullable=False, comment="whose tasks"),
        sa.Column("reason", sa.Text(), autoincrement=False, nullable=False, comment="wrong_width, not_finite or zero_length"),
        sa.Column("refused", sa.BigInteger(), nullable=False, comment="admitted tasks whose vector was refused"),
        sa.PrimaryKeyConstraint("tenant", "reason"),
        schema="g1",
        comment='How many vectors cannot be compared and were therefore refused, by reason.',
    )
    op.execute(
        """create view public.similar_tasks (tenant, task_id, scope, kind, features_version, admitted_at, embedding, attempt, agent, outcome, reward) as
    select known.tenant, known.task_id, known.scope, known.kind, known.features_version, known.admitted_at, known.embedding,
      last.attempt, last.agent, done.outcome, (learned.reward_micro / 1e6)::float8
    from g1.similar_tasks_v1 as known
    left join lateral (select attempt, agent from g1.decisions_v1
                       where task_id = known.task_id and tenant = known.tenant order by attempt desc limit 1) as last on true
    left join g1.tasks_v1 as done on done.task_id = known.task_id and done.tenant = known.tenant
    left join g1.examples_v1 as learned
      on learned.task_id = known.task_id and learned.attempt = last.attempt and learned.scope = known.scope
    where known.embedding is not null and known.forgotten_at is null"""
    )
    op.execute(
        """comment on view public.similar_tasks is 'The vector of each admitted task with who did it last and how it went; `embedding <=> other` is the cosine distance.'"""
    )
    op.execute(
        """comment on column public.similar_tasks.tenant is 'whose task it is'"""
    )
    op.execute(
        """comment on column public.similar_tasks.task_id is 'id of the task'"""
    )
    op.execute(
        """comment on column public.similar_tasks.scope is 'what one policy state covers: a family of tasks'"""
    )
    op.execute(
        """comment on column public.similar_tasks.kind is 'what sort of task it is, as its producer said'"""
    )
    op.execute(
        """comment on column public.similar_tasks.features_version is 'version of the features: vectors of different ones cannot be compared'"""
    )
    op.execute(
        """comment on column public.similar_tasks.admitted_at is 'when its features were fixed'"""
    )
    op.execute(
        """comment on column public.similar_tasks.embedding is 'embedding of the text: 384 numbers'"""
    )
    op.execute(
        """comment on column public.similar_tasks.attempt is 'number of the last attempt that an agent was chosen for'"""
    )
    op.execute(
        """comment on column public.similar_tasks.agent is 'the agent that was chosen for it'"""
    )
    op.execute(
        """comment on column public.similar_tasks.outcome is 'completed, failed, cancelled or expired; null: not over'"""
    )
    op.execute(
        """comment on column public.similar_tasks.reward is 'the reward of that attempt, 0 to 1; null: nobody said'"""
    )
    op.execute(
        """grant select on public.similar_tasks to smolit_analyst"""
    )
    op.execute(
        """create view public.similar_tasks_refused (tenant, reason, refused) as
    select known.tenant, known.reason, known.refused
    from g1.similar_refused_v1 as known"""
    )
    op.execute(
        """comment on view public.similar_tasks_refused is 'How many vectors cannot be compared and were therefore refused, by reason.'"""
    )
    op.execute(
        """comment on column public.similar_tasks_refused.tenant is 'whose tasks'"""
    )
    op.execute(
        """comment on column public.similar_tasks_refused.reason is 'wrong_width, not_finite or zero_length'"""
    )
    op.execute(
        """comment on column public.similar_tasks_refused.refused is 'admitted tasks whose vector was refused'"""
    )
    op.execute(
        """grant select on public.similar_tasks_refused to smolit_analyst"""
    )
    _take_in(op.get_bind())


def downgrade() -> None:
    """Let go of all vectors; the extension stays, since others may use it."""
    op.execute("drop view if exists public.similar_tasks_refused")
    op.execute("drop view if exists public.similar_tasks")
    op.drop_table("similar_refused_v1", schema="g1")
    op.drop_table("similar_tasks_v1", schema="g1")


def _take_in(connection: sa.Connection) -> None:
    """Write the vectors of all tasks that were admitted so far; those that cannot be compared are counted."""
    refused: Counter[tuple[str, str]] = Counter()
    for part in connection.execute(sa.text(_ADMITTED)).mappings().partitions(500):
        read = [(row, *_read(base64.b64decode(row["embedding"]))) for row in part]
        vectors = [{**row, "embedding": text} for row, text, _ in read if text]
        refused.update((row["tenant"], fault) for row, _, fault in read if fault)
        if vectors:
            connection.execute(sa.text(_VECTOR), vectors)
    for (tenant, reason), count in refused.items():
        connection.execute(sa.text(_REFUSED), {"tenant": tenant, "reason": reason, "refused": count})


def _read(embedding: bytes) -> tuple[str | None, str | None]:
    """Return a vector as Postgres reads it, or why it cannot be compared."""
    if len(embedding) != _HALVES.size:
        return None, "wrong_width"
    numbers = _HALVES.unpack(embedding)
    if not math.isfinite(sum(numbers)):
        return None, "not_finite"
    if not any(numbers):
        return None, "zero_length"
    return "[" + ",".join(f"{number:.5g}" for number in numbers) + "]", None
