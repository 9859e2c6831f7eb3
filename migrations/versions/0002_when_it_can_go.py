"""When it can go: inbox rows know when they were taken in, ended tasks are found by their end."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_BEFORE = "Every task that dispatch has read; it ends once, by compare-and-swap on its state."
_SINCE = "Tasks that dispatch has read, until long after their end, which comes once, by compare-and-swap on the state."


def upgrade() -> None:
    """Rows of an older inbox count as taken in now."""
    taken_at = sa.Column(
        "taken_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False, comment="taken in at"
    )
    op.add_column("fold_inbox", taken_at, schema="ops")
    op.create_index("fold_inbox_taken", "fold_inbox", ["taken_at"], schema="ops")
    op.create_index("work_task_ended", "work_task", ["ended_at"], schema="ops", postgresql_where=sa.text("state <> 'open'"))
    op.create_table_comment("work_task", _SINCE, existing_comment=_BEFORE, schema="ops")


def downgrade() -> None:
    """Forget when."""
    op.create_table_comment("work_task", _BEFORE, existing_comment=_SINCE, schema="ops")
    op.drop_index("work_task_ended", table_name="work_task", schema="ops")
    op.drop_index("fold_inbox_taken", table_name="fold_inbox", schema="ops")
    op.drop_column("fold_inbox", "taken_at", schema="ops")
