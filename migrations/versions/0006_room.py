"""Workers say that they have room, so that a ring wakes no more of them than there is work for; and queues are vacuumed often."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

# Rows that are updated once or twice and then stay: an index of what waits keeps an entry for each row that waited since the last
# vacuum, and whoever looks for work walks over all of them. Postgres would wait until a fifth of the table is dead, which is the
# longer the more has ended; and it would pass over indexes of a table with few dead rows.
_QUEUES = ("work_task", "work_attempt", "outbox")
_OFTEN = "autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000, vacuum_index_cleanup = on"
_OPTIONS = "autovacuum_vacuum_scale_factor, autovacuum_vacuum_threshold, vacuum_index_cleanup"


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
    for table in _QUEUES:
        op.execute(f"alter table ops.{table} set ({_OFTEN})")


def downgrade() -> None:
    """Workers of the release before are all rung."""
    for table in _QUEUES:
        op.execute(f"alter table ops.{table} reset ({_OPTIONS})")
    op.drop_table("work_room", schema="ops")
