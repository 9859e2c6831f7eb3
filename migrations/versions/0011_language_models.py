"""Budgets of language models, and answers that are given again."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_NOW = sa.text("now()")


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


def downgrade() -> None:
    """The releases before limit nothing and keep nothing."""
    for table in ("llm_cache_tally", "llm_cache", "llm_spend"):
        op.drop_table(table, schema="ops")
