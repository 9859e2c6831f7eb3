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

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

# The digest of the read model's declaration (projections/shape.py).
_SHAPE = "ce848e0086ac8aff"
_VIEWS = (
    """create view public.task_vectors (tenant, task_id, scope, kind, features_version, admitted_at, embedding) as
select known.tenant, known.task_id, known.scope, known.kind, known.features_version, known.admitted_at, known.embedding
from g1.similar_tasks_v1 as known
where known.embedding is not null and known.forgotten_at is null""",
    """comment on view public.task_vectors is 'The vectors of tasks that may be found, alone: `order by embedding <=> other limit 10` uses the index once it is built.'""",
    """comment on column public.task_vectors.tenant is 'whose task it is'""",
    """comment on column public.task_vectors.task_id is 'id of the task'""",
    """comment on column public.task_vectors.scope is 'what one policy state covers: a family of tasks'""",
    """comment on column public.task_vectors.kind is 'what sort of task it is, as its producer said'""",
    """comment on column public.task_vectors.features_version is 'version of the features: vectors of different ones cannot be compared'""",
    """comment on column public.task_vectors.admitted_at is 'when its features were fixed'""",
    """comment on column public.task_vectors.embedding is 'embedding of the text: 384 numbers'""",
    """grant select on public.task_vectors to smolit_analyst""",
    """create view public.similar_tasks (tenant, task_id, scope, kind, features_version, admitted_at, embedding, attempt, agent, outcome, reward) as
select known.tenant, known.task_id, known.scope, known.kind, known.features_version, known.admitted_at, known.embedding,
  last.attempt, last.agent, done.outcome, (learned.reward_micro / 1e6)::float8
from g1.similar_tasks_v1 as known
left join lateral (select attempt, agent from g1.decisions_v1
                   where task_id = known.task_id and tenant = known.tenant order by attempt desc limit 1) as last on true
left join g1.tasks_v1 as done on done.task_id = known.task_id and done.tenant = known.tenant
left join g1.examples_v1 as learned
  on learned.task_id = known.task_id and learned.attempt = last.attempt and learned.scope = known.scope
where known.embedding is not null and known.forgotten_at is null""",
    """comment on view public.similar_tasks is 'The vector of each admitted task with who did it last and how it went; `embedding <=> other` is the cosine distance.'""",
    """comment on column public.similar_tasks.tenant is 'whose task it is'""",
    """comment on column public.similar_tasks.task_id is 'id of the task'""",
    """comment on column public.similar_tasks.scope is 'what one policy state covers: a family of tasks'""",
    """comment on column public.similar_tasks.kind is 'what sort of task it is, as its producer said'""",
    """comment on column public.similar_tasks.features_version is 'version of the features: vectors of different ones cannot be compared'""",
    """comment on column public.similar_tasks.admitted_at is 'when its features were fixed'""",
    """comment on column public.similar_tasks.embedding is 'embedding of the text: 384 numbers'""",
    """comment on column public.similar_tasks.attempt is 'number of the last attempt that an agent was chosen for'""",
    """comment on column public.similar_tasks.agent is 'the agent that was chosen for it'""",
    """comment on column public.similar_tasks.outcome is 'completed, failed, cancelled or expired; null: not over'""",
    """comment on column public.similar_tasks.reward is 'the reward of that attempt, 0 to 1; null: nobody said'""",
    """grant select on public.similar_tasks to smolit_analyst""",
    """create view public.similar_tasks_refused (tenant, reason, refused) as
select known.tenant, known.reason, known.refused
from g1.similar_refused_v1 as known""",
    """comment on view public.similar_tasks_refused is 'How many vectors cannot be compared and were therefore refused, by reason.'""",
    """comment on column public.similar_tasks_refused.tenant is 'whose tasks'""",
    """comment on column public.similar_tasks_refused.reason is 'wrong_width, not_finite or zero_length'""",
    """comment on column public.similar_tasks_refused.refused is 'admitted tasks whose vector was refused'""",
    """grant select on public.similar_tasks_refused to smolit_analyst""",
)
_HALVES = struct.Struct("<384e")
_ADMITTED = """select tenant, payload ->> 'task_id' as task_id, payload -> 'context' ->> 'scope' as scope,
    payload -> 'context' ->> 'kind' as kind, payload -> 'context' -> 'features' ->> 'version' as features_version,
    payload -> 'context' -> 'features' ->> 'embedding' as embedding, occurred_at as admitted_at
  from {generation}.event_log_v1 where type = 'task.admitted'"""
_VECTOR = """insert into {generation}.similar_tasks_v1
  (tenant, task_id, scope, kind, features_version, embedding, admitted_at)
  values (:tenant, :task_id, :scope, :kind, :features_version, cast(:embedding as halfvec(384)), :admitted_at)
  on conflict (task_id, tenant) do nothing"""
_REFUSED = "insert into {generation}.similar_refused_v1 (tenant, reason, refused) values (:tenant, :reason, :refused)"
_FORGOTTEN = """insert into {generation}.similar_tasks_v1 (tenant, task_id, forgotten_at)
  select tenant, payload ->> 'task_id', min(occurred_at) from {generation}.event_log_v1
  where type = 'task.forgotten' group by 1, 2
  on conflict (task_id, tenant) do update set embedding = null, forgotten_at = excluded.forgotten_at"""


def upgrade() -> None:
    """Tasks that the event log holds are taken in at once, in every generation: so each is what its shape says."""
    op.execute("create extension if not exists vector")
    for generation, state in _generations("and not shape ? 'similar_tasks'"):
        _tables(generation)
        _take_in(op.get_bind(), generation)
        _views(generation, state)
        _shape(generation, "shape || jsonb_build_object('similar_tasks', cast(:digest as text))", digest=_SHAPE)


def downgrade() -> None:
    """Let go of all vectors; the extension stays, since others may use it."""
    for view in ("similar_tasks_refused", "similar_tasks", "task_vectors"):
        op.execute(f"drop view if exists public.{view}")
    for generation, _ in _generations():
        for view in ("similar_tasks_refused", "similar_tasks", "task_vectors"):
            op.execute(f"drop view if exists {generation}.{view}")
        op.drop_table("similar_refused_v1", schema=generation)
        op.drop_table("similar_tasks_v1", schema=generation)
        _shape(generation, "shape - 'similar_tasks'")


def _generations(which: str = "") -> list[tuple[str, str]]:
    """Return generations that are there with their states; nobody folds into them until we are done."""
    query = f"select name, state from ops.read_generation where state <> 'dropped' {which} order by name for update"
    return [(name, state) for name, state in op.get_bind().execute(sa.text(query))]


def _shape(generation: str, shape: str, **values: str) -> None:
    """Note what a generation holds now."""
    update = f"update ops.read_generation set shape = {shape} where name = :generation"
    op.execute(sa.text(update).bindparams(generation=generation, **values))


def _views(generation: str, state: str) -> None:
    """Make the views in public if the generation serves, and in its own schema if it has such views."""
    has_own = op.get_bind().execute(sa.text(f"select to_regclass('{generation}.tasks') is not null")).scalar_one()
    for schema, wanted in (("public", state == "serving"), (generation, has_own)):
        for statement in _VIEWS if wanted else ():
            op.execute(statement.replace("g1.", f"{generation}.").replace("public.", f"{schema}."))


def _tables(generation: str) -> None:
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
        schema=generation,
        comment='The vector of each admitted task, and of those that were forgotten that they were.',
    )
    op.create_index("similar_tasks_v1_family", "similar_tasks_v1", ["tenant", "scope", "kind"], schema=generation)
    op.create_table(
        "similar_refused_v1",
        sa.Column("tenant", sa.Text(), autoincrement=False, nullable=False, comment="whose tasks"),
        sa.Column("reason", sa.Text(), autoincrement=False, nullable=False, comment="wrong_width, not_finite or zero_length"),
        sa.Column("refused", sa.BigInteger(), nullable=False, comment="admitted tasks whose vector was refused"),
        sa.PrimaryKeyConstraint("tenant", "reason"),
        schema=generation,
        comment='How many vectors cannot be compared and were therefore refused, by reason.',
    )


def _take_in(connection: sa.Connection, generation: str) -> None:
    """Write the vectors of all tasks that were admitted so far; those that cannot be compared are counted."""
    vector, refusal = (sa.text(query.format(generation=generation)) for query in (_VECTOR, _REFUSED))
    admitted = connection.execute(sa.text(_ADMITTED.format(generation=generation)), execution_options={"yield_per": 500})
    refused: Counter[tuple[str, str]] = Counter()
    for part in admitted.mappings().partitions():
        read = [(row, *_read(base64.b64decode(row["embedding"]))) for row in part]
        vectors = [{**row, "embedding": text} for row, text, _ in read if text]
        refused.update((row["tenant"], fault) for row, _, fault in read if fault)
        if vectors:
            connection.execute(vector, vectors)
    for (tenant, reason), count in refused.items():
        connection.execute(refusal, {"tenant": tenant, "reason": reason, "refused": count})
    connection.execute(sa.text(_FORGOTTEN.format(generation=generation)))


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
