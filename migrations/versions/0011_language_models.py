"""Budgets of language models, answers that are given again, and what agents used of which model."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_NOW = sa.text("now()")
# The digest of the read model's declaration (projections/shape.py).
_NAME, _SHAPE = "model_use", "70214864e0a587a0"
_VIEW = (
    """create view public.model_use (tenant, agent, model, day, calls, tokens_in, tokens_out, cost_microusd, costed, duration_us) as
select known.tenant, known.agent, known.model, known.day, known.calls, known.tokens_in, known.tokens_out, known.cost_microusd, known.costed, known.duration_us
from g1.model_use_v1 as known""",
    """comment on view public.model_use is 'What language models were used for agents, per day: calls, tokens, cost, time. Failed attempts count, too.'""",
    """comment on column public.model_use.tenant is 'whose tasks'""",
    """comment on column public.model_use.agent is 'the agent'""",
    """comment on column public.model_use.model is 'the model that answered; the local one with the beginning of its weights'' hash'""",
    """comment on column public.model_use.day is 'day in UTC on which the attempt ended'""",
    """comment on column public.model_use.calls is 'steps that asked it'""",
    """comment on column public.model_use.tokens_in is 'tokens read'""",
    """comment on column public.model_use.tokens_out is 'tokens written'""",
    """comment on column public.model_use.cost_microusd is 'known cost in millionths of a dollar'""",
    """comment on column public.model_use.costed is 'steps whose cost is known'""",
    """comment on column public.model_use.duration_us is 'duration of the steps in microseconds'""",
    """grant select on public.model_use to smolit_analyst""",
)


def upgrade() -> None:
    """Nothing was counted or kept before."""
    op.create_table(
        "llm_spend",
        sa.Column("tenant", sa.Text(), nullable=False, comment="whose calls"),
        sa.Column("kind", sa.Text(), nullable=False, comment="what is counted: a task, an agent's day, or the tenant's day"),
        sa.Column("name", sa.Text(), nullable=False, comment="id of the task or the agent; empty for the tenant"),
        sa.Column("period", sa.Text(), nullable=False, comment="the day in UTC; empty for a task"),
        sa.Column("tokens", sa.BigInteger(), nullable=False, comment="tokens read and written, and set aside"),
        sa.Column("microusd", sa.BigInteger(), nullable=False, comment="millionths of a dollar spent and set aside"),
        sa.Column("duration_us", sa.BigInteger(), nullable=False, comment="microseconds of models' time used and set aside"),
        sa.Column("calls", sa.BigInteger(), nullable=False, comment="calls made and under way"),
        sa.Column("begun_at", postgresql.TIMESTAMP(timezone=True), server_default=_NOW, nullable=False, comment="counted since"),
        sa.PrimaryKeyConstraint("tenant", "kind", "name", "period"),
        schema="ops",
        comment="What language models took per task, agent and day, including what calls under way may take.",
    )
    op.create_table(
        "llm_cache",
        sa.Column("tenant", sa.Text(), nullable=False, comment="whose answer; nobody else is given it"),
        sa.Column("key", sa.Text(), nullable=False, comment="sha256 of tenant, prompt and model"),
        sa.Column("content", sa.LargeBinary(), nullable=False, comment="the answer as JSON"),
        sa.Column("expires_at", postgresql.TIMESTAMP(timezone=True), nullable=False, comment="given until"),
        sa.PrimaryKeyConstraint("tenant", "key"),
        schema="ops",
        comment="Answers of language models that are given again.",
    )
    op.create_index("llm_cache_expires_at", "llm_cache", ["expires_at"], schema="ops")
    op.create_table(
        "llm_cache_tally",
        sa.Column("tenant", sa.Text(), nullable=False, comment="whose questions"),
        sa.Column("day", sa.Date(), nullable=False, comment="the day in UTC"),
        sa.Column("hits", sa.BigInteger(), nullable=False, comment="questions answered out of the cache"),
        sa.Column("misses", sa.BigInteger(), nullable=False, comment="questions that it had no answer to"),
        sa.Column("saved_tokens", sa.BigInteger(), nullable=False, comment="tokens that the kept answers had taken"),
        sa.Column(
            "saved_microusd", sa.BigInteger(), nullable=False,
            comment="what they had cost, in millionths of a dollar, where known",
        ),
        sa.Column("saved_us", sa.BigInteger(), nullable=False, comment="microseconds that they had taken"),
        sa.PrimaryKeyConstraint("tenant", "day"),
        schema="ops",
        comment="How often answers were given again, and what that saved.",
    )  # fmt: skip
    # No release before this one wrote steps that asked a language model, so the new table is empty in every generation.
    for generation, state in _generations():
        _table(generation)
        _views(generation, state)
        _shape(generation, "shape || jsonb_build_object(cast(:name as text), cast(:digest as text))", name=_NAME, digest=_SHAPE)


def downgrade() -> None:
    """The releases before limit nothing and keep nothing."""
    op.execute(f"drop view if exists public.{_NAME}")
    for generation, _ in _generations(""):
        op.execute(f"drop view if exists {generation}.{_NAME}")
        op.drop_table("model_use_v1", schema=generation)
        _shape(generation, "shape - cast(:name as text)", name=_NAME)
    for table in ("llm_cache_tally", "llm_cache", "llm_spend"):
        op.drop_table(table, schema="ops")


def _generations(which: str = "and not shape ? 'model_use'") -> list[tuple[str, str]]:
    """Return generations that are there with their states; nobody folds into them until we are done."""
    query = f"select name, state from ops.read_generation where state <> 'dropped' {which} order by name for update"
    return [(name, state) for name, state in op.get_bind().execute(sa.text(query))]


def _shape(generation: str, shape: str, **values: str) -> None:
    """Note what a generation holds now."""
    update = f"update ops.read_generation set shape = {shape} where name = :generation"
    op.execute(sa.text(update).bindparams(generation=generation, **values))


def _views(generation: str, state: str) -> None:
    """Make the view in public if the generation serves, and in its own schema if it has such views."""
    has_own = op.get_bind().execute(sa.text(f"select to_regclass('{generation}.tasks') is not null")).scalar_one()
    for schema, wanted in (("public", state == "serving"), (generation, has_own)):
        for statement in _VIEW if wanted else ():
            op.execute(statement.replace("g1.", f"{generation}.").replace("public.", f"{schema}."))


def _table(generation: str) -> None:
    op.create_table(
        "model_use_v1",
        sa.Column("tenant", sa.Text(), autoincrement=False, nullable=False, comment="whose tasks"),
        sa.Column("agent", sa.Text(), autoincrement=False, nullable=False, comment="the agent"),
        sa.Column(
            "model", sa.Text(), autoincrement=False, nullable=False,
            comment="the model that answered; the local one with the beginning of its weights' hash",
        ),
        sa.Column(
            "day", postgresql.TIMESTAMP(timezone=True), autoincrement=False, nullable=False,
            comment="day in UTC on which the attempt ended",
        ),
        sa.Column("calls", sa.BigInteger(), nullable=False, comment="steps that asked it"),
        sa.Column("tokens_in", sa.BigInteger(), nullable=False, comment="tokens read"),
        sa.Column("tokens_out", sa.BigInteger(), nullable=False, comment="tokens written"),
        sa.Column("cost_microusd", sa.BigInteger(), nullable=False, comment="known cost in millionths of a dollar"),
        sa.Column("costed", sa.BigInteger(), nullable=False, comment="steps whose cost is known"),
        sa.Column("duration_us", sa.BigInteger(), nullable=False, comment="duration of the steps in microseconds"),
        sa.PrimaryKeyConstraint("tenant", "agent", "model", "day"),
        schema=generation,
        comment="What language models were used for agents, per day: calls, tokens, cost, time. Failed attempts count, too.",
    )  # fmt: skip
