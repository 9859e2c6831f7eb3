"""Security: words of workers elsewhere that count once, and calls that wait for a person."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

_TIME = postgresql.TIMESTAMP(timezone=True)


def upgrade() -> None:
    """No release before this one asked anybody, or took signatures of workers."""
    op.create_table(
        "remote_word",
        sa.Column("tenant", sa.Text(), nullable=False, comment="whose request topic it was said on"),
        sa.Column("source", sa.Text(), nullable=False, comment="ce_source of who said it"),
        sa.Column("word_id", sa.Text(), nullable=False, comment="ce_id of what was said"),
        sa.Column("said_at", _TIME, server_default=sa.text("now()"), nullable=False, comment="first read at"),
        sa.PrimaryKeyConstraint("tenant", "source", "word_id"),
        schema="ops",
        comment="Signed signs of life of the last minutes: each counts once.",
    )
    op.create_index("remote_word_said", "remote_word", ["said_at"], schema="ops")
    op.create_table(
        "approval",
        sa.Column("approval_id", sa.Text(), nullable=False, comment="follows from task, tool and arguments"),
        sa.Column("tenant", sa.Text(), nullable=False, comment="whose task it is"),
        sa.Column("task_id", sa.Text(), nullable=False, comment="task that waits"),
        sa.Column("attempt", sa.Integer(), nullable=False, comment="attempt that asked first"),
        sa.Column("agent", sa.Text(), nullable=False, comment="agent that wants to call"),
        sa.Column("tool", sa.Text(), nullable=False, comment="what it wants to call"),
        sa.Column("effect", sa.Text(), nullable=False, comment="what that may change: write or outside"),
        sa.Column("why", sa.Text(), nullable=False, comment="why a person is asked: grant, rule, or tainted"),
        sa.Column("arguments", sa.LargeBinary(), nullable=False, comment="the arguments as JSON"),
        sa.Column("arguments_sha256", sa.Text(), nullable=False, comment="digest of the arguments"),
        sa.Column("state", sa.Text(), nullable=False, comment="open, granted, denied or expired"),
        sa.Column("asked_at", _TIME, server_default=sa.text("now()"), nullable=False, comment="asked at"),
        sa.Column("expires_at", _TIME, nullable=False, comment="denied from then on"),
        sa.Column("answered_by", sa.Text(), nullable=True, comment="who answered; null: nobody"),
        sa.Column("reason", sa.Text(), nullable=True, comment="why, in their words"),
        sa.Column("settled_at", _TIME, nullable=True, comment="since when that counts"),
        sa.Column("cause", sa.LargeBinary(), nullable=False, comment="envelope of approval.asked as JSON"),
        sa.PrimaryKeyConstraint("approval_id"),
        schema="ops",
        comment="Calls of tools that wait, or waited, for a person.",
    )
    open_ones = sa.text("state = 'open'")
    op.create_index("approval_open", "approval", ["expires_at"], schema="ops", postgresql_where=open_ones)
    op.create_index("approval_task", "approval", ["task_id"], schema="ops")


def downgrade() -> None:
    """What waits for a person goes on there once its time is up, and is not asked about."""
    op.drop_table("approval", schema="ops")
    op.drop_table("remote_word", schema="ops")
