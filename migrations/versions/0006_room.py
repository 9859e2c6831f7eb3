"""Workers say that they have room, so that a ring wakes no more of them than there is work for."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nobody has offered room yet: workers do when they start."""
    op.create_table(
        "work_room",
        sa.Column("worker", sa.Text(), nullable=False, comment="worker that has room"),
        sa.Column("bell", sa.Text(), nullable=False, comment="channel on which it is rung"),
        sa.Column("agents", postgresql.ARRAY(sa.Text()), nullable=True, comment="agents that it serves; null: all"),
        sa.Column("room", sa.Integer(), nullable=False, comment="attempts that it could take when it said so"),
        sa.Column("offered_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False, comment="said so at"),
        sa.PrimaryKeyConstraint("worker"),
        schema="ops",
        comment="Workers that wait to be rung. Unlogged: after a crash of Postgres each of them starts anew, and says so again.",
        prefixes=["UNLOGGED"],
    )


def downgrade() -> None:
    """Workers of the release before are all rung."""
    op.drop_table("work_room", schema="ops")
