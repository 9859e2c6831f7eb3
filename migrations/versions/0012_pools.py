"""Pools of workers, and workers that live elsewhere."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_POOLS = {
    "work_attempt": "workers that may claim it; empty: the house's",
    "work_agent": "workers that run it; empty: the house's",
    "work_room": "pool that it serves; empty: the house's",
}
_QUEUED = sa.text("state = 'queued'")
_ORDER = [sa.literal_column("priority desc"), "queued_at", "task_id"]


def upgrade() -> None:
    """No release before this one had pools: all that is there belongs to the house."""
    for table, comment in _POOLS.items():
        column = sa.Column("pool", sa.Text(), nullable=False, server_default=sa.text("''"), comment=comment)
        op.add_column(table, column, schema="ops")
    _queue(["pool", *_ORDER])
    op.create_table(
        "remote_worker",
        sa.Column("holder", sa.Text(), nullable=False, comment="what its attempts are claimed as: tenant, source and worker"),
        sa.Column("tenant", sa.Text(), nullable=False, comment="whose request topic it speaks on"),
        sa.Column("source", sa.Text(), nullable=False, comment="ce_source of what it says"),
        sa.Column("worker", sa.Text(), nullable=False, comment="what it calls itself"),
        sa.Column("pool", sa.Text(), nullable=False, comment="pool that it serves"),
        sa.Column("capacity", sa.Integer(), nullable=False, comment="attempts that it does at a time; 0: it has gone"),
        sa.Column("about", sa.Text(), nullable=False, comment="what it says of itself"),
        sa.Column("announced_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False, comment="first heard of since it last began"),
        sa.Column("seen_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False, comment="last heard of"),
        sa.PrimaryKeyConstraint("holder"),
        schema="ops",
        comment="Workers that live elsewhere, as they announced themselves.",
    )
    op.create_table(
        "remote_attempt",
        sa.Column("task_id", sa.Text(), nullable=False, comment="task"),
        sa.Column("attempt", sa.Integer(), autoincrement=False, nullable=False, comment="attempt at it"),
        sa.Column("epoch", sa.BigInteger(), nullable=False, comment="claim under which it was given away"),
        sa.Column("holder", sa.Text(), nullable=False, comment="worker that has it"),
        sa.Column("claimed_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False, comment="given away at"),
        sa.Column("due_at", postgresql.TIMESTAMP(timezone=True), nullable=False, comment="has timed out from then on"),
        sa.PrimaryKeyConstraint("task_id", "attempt"),
        schema="ops",
        comment="Attempts that are with workers elsewhere.",
    )
    op.create_index("remote_attempt_due", "remote_attempt", ["due_at"], schema="ops")


def downgrade() -> None:
    """The release before has one pool; attempts of agents that live elsewhere fail there by name."""
    op.drop_table("remote_attempt", schema="ops")
    op.drop_table("remote_worker", schema="ops")
    _queue(_ORDER)
    for table in _POOLS:
        op.drop_column(table, "pool", schema="ops")


def _queue(columns: list[object]) -> None:
    """Make the index of what waits anew, in this order."""
    op.drop_index("work_attempt_queue", table_name="work_attempt", schema="ops", postgresql_where=_QUEUED)
    op.create_index("work_attempt_queue", "work_attempt", columns, unique=False, schema="ops", postgresql_where=_QUEUED)
