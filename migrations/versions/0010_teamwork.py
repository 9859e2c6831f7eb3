"""Plans of split tasks, and their parts."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0010"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """No task was split before."""
    op.create_table(
        "team_plan",
        sa.Column("task_id", sa.Text(), nullable=False, comment="task that was split"),
        sa.Column("attempt", sa.Integer(), autoincrement=False, nullable=False, comment="attempt that split it"),
        sa.Column("root_id", sa.Text(), nullable=False, comment="task that was split first; limits count from there"),
        sa.Column("depth", sa.Integer(), nullable=False, comment="supervisors above, this one included"),
        sa.Column("parts", sa.Integer(), nullable=False, comment="of the first: tasks that were promised to it and to all below it"),
        sa.Column("most_parts", sa.Integer(), nullable=False, comment="of the first: how many there may be"),
        sa.Column("most_depth", sa.Integer(), nullable=False, comment="of the first: how deep splitting may go"),
        sa.Column("state", sa.Text(), nullable=False, comment="open, completed, partial, failed or given_up"),
        sa.Column("standing", sa.LargeBinary(), nullable=False, comment="how it stands, as JSON (agents.team.standing)"),
        sa.Column("cause", sa.LargeBinary(), nullable=False, comment="envelope of plan.made as JSON"),
        sa.Column("made_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False, comment="made at"),
        sa.Column("ended_at", postgresql.TIMESTAMP(timezone=True), nullable=True, comment="ended at; null while open"),
        sa.PrimaryKeyConstraint("task_id", "attempt"),
        schema="ops",
        comment="Tasks that were split into others, and how their plans stand.",
    )
    op.create_index("team_plan_ended", "team_plan", ["ended_at"], schema="ops")
    op.create_table(
        "team_part",
        sa.Column("part_id", sa.Text(), nullable=False, comment="task that is a part"),
        sa.Column("task_id", sa.Text(), nullable=False, comment="task that was split"),
        sa.Column("attempt", sa.Integer(), nullable=False, comment="attempt that split it"),
        sa.PrimaryKeyConstraint("part_id"),
        schema="ops",
        comment="Tasks that are parts of a plan.",
    )
    op.create_index("team_part_plan", "team_part", ["task_id", "attempt"], schema="ops")


def downgrade() -> None:
    """Forget how plans stand; their facts stay in the log."""
    op.drop_table("team_part", schema="ops")
    op.drop_table("team_plan", schema="ops")
