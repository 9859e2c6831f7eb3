"""Plans of split tasks, and their parts."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

# The digests of the read models' declarations (projections/shape.py).
_SHAPES = {"plans": "4f57b34f32e07177", "plan_steps": "9d182c54ae355985"}
_NAMES = ("plans", "plan_steps")
_VIEWS = (
    """create view public.plans (task_id, attempt, tenant, agent, name, version, made_by, why, depth, root_id, plan, made_at, outcome, completed, failed, skipped, cost_microusd, detail, ended_at) as
select known.task_id, known.attempt, known.tenant, known.agent, known.name, known.version, known.made_by, known.why, known.depth, known.root_id, known.plan, known.made_at, known.outcome, known.completed, known.failed, known.skipped, known.cost_microusd, known.detail, known.ended_at
from g1.plans_v1 as known""",
    """comment on view public.plans is 'Tasks that were split into others: by which plan, why, and how it ended.'""",
    """comment on column public.plans.task_id is 'task that was split'""",
    """comment on column public.plans.attempt is 'attempt that split it'""",
    """comment on column public.plans.tenant is 'whose task it is'""",
    """comment on column public.plans.agent is 'supervisor that split it'""",
    """comment on column public.plans.name is 'name of the plan'""",
    """comment on column public.plans.version is 'version of the plan, for people'""",
    """comment on column public.plans.made_by is 'what made it: shapes, a model, or whoever asked'""",
    """comment on column public.plans.why is 'why this plan, for people'""",
    """comment on column public.plans.depth is 'supervisors above, this one included'""",
    """comment on column public.plans.root_id is 'task that was split first'""",
    """comment on column public.plans.plan is 'the plan: steps, merge rule and limits'""",
    """comment on column public.plans.made_at is 'when it was made'""",
    """comment on column public.plans.outcome is 'completed, partial, failed or given_up; null: open'""",
    """comment on column public.plans.completed is 'steps that were completed'""",
    """comment on column public.plans.failed is 'steps that failed'""",
    """comment on column public.plans.skipped is 'steps that could not begin'""",
    """comment on column public.plans.cost_microusd is 'what all parts cost, in millionths of a dollar; null: nobody said'""",
    """comment on column public.plans.detail is 'what went wrong, for people'""",
    """comment on column public.plans.ended_at is 'when it was over; null: open'""",
    """grant select on public.plans to smolit_analyst""",
    """create view public.plan_steps (task_id, attempt, step, tenant, kind, asked, started_at, outcome, parts, agents, output_sha256, reason, detail, cost_microusd, duration_us, ended_at, rule, conflicts, settled, chosen, answers) as
select known.task_id, known.attempt, known.step, known.tenant, known.kind, known.asked, known.started_at, known.outcome, known.parts, known.agents, known.output_sha256, known.reason, known.detail, known.cost_microusd, known.duration_us, known.ended_at, known.rule, known.conflicts, known.settled, known.chosen, known.answers
from g1.plan_steps_v1 as known""",
    """comment on view public.plan_steps is 'Steps of split tasks: who did them, at what cost, and how several answers were settled.'""",
    """comment on column public.plan_steps.task_id is 'task that was split'""",
    """comment on column public.plan_steps.attempt is 'attempt that split it'""",
    """comment on column public.plan_steps.step is 'name of the step'""",
    """comment on column public.plan_steps.tenant is 'whose task it is'""",
    """comment on column public.plan_steps.kind is 'skill that was asked for'""",
    """comment on column public.plan_steps.asked is 'how many agents were asked'""",
    """comment on column public.plan_steps.started_at is 'when the first was asked; null: nobody was'""",
    """comment on column public.plan_steps.outcome is 'completed, failed or skipped; null: open'""",
    """comment on column public.plan_steps.parts is 'tasks that did it'""",
    """comment on column public.plan_steps.agents is 'who did them'""",
    """comment on column public.plan_steps.output_sha256 is 'digest of the output as JSON with sorted keys'""",
    """comment on column public.plan_steps.reason is 'why there is no output, as a code'""",
    """comment on column public.plan_steps.detail is 'why there is no output, for people'""",
    """comment on column public.plan_steps.cost_microusd is 'what it cost, in millionths of a dollar; null: nobody said'""",
    """comment on column public.plan_steps.duration_us is 'how long the attempts took together, in microseconds'""",
    """comment on column public.plan_steps.ended_at is 'when it was over; null: open'""",
    """comment on column public.plan_steps.rule is 'rule that settled several answers; null: one was asked'""",
    """comment on column public.plan_steps.conflicts is 'what contradicts what'""",
    """comment on column public.plan_steps.settled is 'whether one answer counts; false: open, all are shown'""",
    """comment on column public.plan_steps.chosen is 'place of the answer that counts, from 0'""",
    """comment on column public.plan_steps.answers is 'what was answered, by whom, with which confidence and how many citations'""",
    """grant select on public.plan_steps to smolit_analyst""",
)


def upgrade() -> None:
    """No release before this one split tasks, so the new tables are empty in every generation, as its log says."""
    _operational()
    for generation, state in _generations():
        _tables(generation)
        _views(generation, state)
        for name, digest in _SHAPES.items():
            _shape(generation, "shape || jsonb_build_object(cast(:name as text), cast(:digest as text))", name=name, digest=digest)


def _operational() -> None:
    """Make what the supervisor works on."""
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
    for view in _NAMES:
        op.execute(f"drop view if exists public.{view}")
    for generation, _ in _generations(""):
        for view in _NAMES:
            op.execute(f"drop view if exists {generation}.{view}")
        op.drop_table("plan_steps_v1", schema=generation)
        op.drop_table("plans_v1", schema=generation)
        for name in _SHAPES:
            _shape(generation, "shape - cast(:name as text)", name=name)
    op.drop_table("team_part", schema="ops")
    op.drop_table("team_plan", schema="ops")


def _generations(which: str = "and not shape ? 'plans'") -> list[tuple[str, str]]:
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
        "plans_v1",
        sa.Column("task_id", sa.Text(), autoincrement=False, nullable=False, comment='task that was split'),
        sa.Column("attempt", sa.Integer(), autoincrement=False, nullable=False, comment='attempt that split it'),
        sa.Column("tenant", sa.Text(), nullable=True, comment='whose task it is'),
        sa.Column("agent", sa.Text(), nullable=True, comment='supervisor that split it'),
        sa.Column("name", sa.Text(), nullable=True, comment='name of the plan'),
        sa.Column("version", sa.Integer(), nullable=True, comment='version of the plan, for people'),
        sa.Column("made_by", sa.Text(), nullable=True, comment='what made it: shapes, a model, or whoever asked'),
        sa.Column("why", sa.Text(), nullable=True, comment='why this plan, for people'),
        sa.Column("depth", sa.Integer(), nullable=True, comment='supervisors above, this one included'),
        sa.Column("root_id", sa.Text(), nullable=True, comment='task that was split first'),
        sa.Column("plan", postgresql.JSONB(astext_type=sa.Text()), nullable=True, comment='the plan: steps, merge rule and limits'),
        sa.Column("made_at", postgresql.TIMESTAMP(timezone=True), nullable=True, comment='when it was made'),
        sa.Column("outcome", sa.Text(), nullable=True, comment='completed, partial, failed or given_up; null: open'),
        sa.Column("completed", sa.Integer(), nullable=True, comment='steps that were completed'),
        sa.Column("failed", sa.Integer(), nullable=True, comment='steps that failed'),
        sa.Column("skipped", sa.Integer(), nullable=True, comment='steps that could not begin'),
        sa.Column("cost_microusd", sa.BigInteger(), nullable=True, comment='what all parts cost, in millionths of a dollar; null: nobody said'),
        sa.Column("detail", sa.Text(), nullable=True, comment='what went wrong, for people'),
        sa.Column("ended_at", postgresql.TIMESTAMP(timezone=True), nullable=True, comment='when it was over; null: open'),
        sa.PrimaryKeyConstraint("task_id", "attempt"),
        schema=generation,
        comment='Tasks that were split into others: by which plan, why, and how it ended.',
    )
    op.create_table(
        "plan_steps_v1",
        sa.Column("task_id", sa.Text(), autoincrement=False, nullable=False, comment='task that was split'),
        sa.Column("attempt", sa.Integer(), autoincrement=False, nullable=False, comment='attempt that split it'),
        sa.Column("step", sa.Text(), autoincrement=False, nullable=False, comment='name of the step'),
        sa.Column("tenant", sa.Text(), nullable=True, comment='whose task it is'),
        sa.Column("kind", sa.Text(), nullable=True, comment='skill that was asked for'),
        sa.Column("asked", sa.Integer(), nullable=True, comment='how many agents were asked'),
        sa.Column("started_at", postgresql.TIMESTAMP(timezone=True), nullable=True, comment='when the first was asked; null: nobody was'),
        sa.Column("outcome", sa.Text(), nullable=True, comment='completed, failed or skipped; null: open'),
        sa.Column("parts", postgresql.JSONB(astext_type=sa.Text()), nullable=True, comment='tasks that did it'),
        sa.Column("agents", postgresql.JSONB(astext_type=sa.Text()), nullable=True, comment='who did them'),
        sa.Column("output_sha256", sa.Text(), nullable=True, comment='digest of the output as JSON with sorted keys'),
        sa.Column("reason", sa.Text(), nullable=True, comment='why there is no output, as a code'),
        sa.Column("detail", sa.Text(), nullable=True, comment='why there is no output, for people'),
        sa.Column("cost_microusd", sa.BigInteger(), nullable=True, comment='what it cost, in millionths of a dollar; null: nobody said'),
        sa.Column("duration_us", sa.BigInteger(), nullable=True, comment='how long the attempts took together, in microseconds'),
        sa.Column("ended_at", postgresql.TIMESTAMP(timezone=True), nullable=True, comment='when it was over; null: open'),
        sa.Column("rule", sa.Text(), nullable=True, comment='rule that settled several answers; null: one was asked'),
        sa.Column("conflicts", postgresql.JSONB(astext_type=sa.Text()), nullable=True, comment='what contradicts what'),
        sa.Column("settled", sa.Boolean(), nullable=True, comment='whether one answer counts; false: open, all are shown'),
        sa.Column("chosen", sa.Integer(), nullable=True, comment='place of the answer that counts, from 0'),
        sa.Column("answers", postgresql.JSONB(astext_type=sa.Text()), nullable=True, comment='what was answered, by whom, with which confidence and how many citations'),
        sa.PrimaryKeyConstraint("task_id", "attempt", "step"),
        schema=generation,
        comment='Steps of split tasks: who did them, at what cost, and how several answers were settled.',
    )
