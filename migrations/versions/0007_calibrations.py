"""Calibrations and their copies."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

# The digests of the read models' declarations (projections/shape.py).
_SHAPES = {'calibrations': '73188ec4c7f126c9', 'calibration_copies': '1791fd8194cc282c'}
_NAMES = ("calibration_results", "calibrations", "calibration_copies")
_VIEWS = (
    """create view public.calibrations (tenant, calibration_id, scope, tasks, budget_microusd, horizon, worth_microusd, judged_by, started_at, ended_at, why, reason, state) as
select known.tenant, known.calibration_id, known.scope, known.tasks, known.budget_microusd, known.horizon, known.worth_microusd, known.judged_by, known.started_at, known.ended_at, known.why, known.reason, case when known.ended_at is not null then 'ended' else 'running' end as state
from g1.calibrations_v1 as known""",
    """comment on view public.calibrations is 'Calibrations: which past tasks are done again by which agents, within which limits, and why it ended.'""",
    """comment on column public.calibrations.tenant is 'whose calibration it is'""",
    """comment on column public.calibrations.calibration_id is 'id of the calibration'""",
    """comment on column public.calibrations.scope is 'tasks that it is about'""",
    """comment on column public.calibrations.tasks is 'past tasks that are done again, in this order: id, agents, and why it was picked'""",
    """comment on column public.calibrations.budget_microusd is 'what all copies may cost, in millionths of a dollar; null: no limit'""",
    """comment on column public.calibrations.horizon is 'tasks to come that are reckoned with'""",
    """comment on column public.calibrations.worth_microusd is 'what a reward of 1 rather than 0 is worth, in millionths of a dollar; null: not said'""",
    """comment on column public.calibrations.judged_by is 'feedback (whoever gives it) or reference'""",
    """comment on column public.calibrations.started_at is 'when it began'""",
    """comment on column public.calibrations.ended_at is 'when it was over; null: it runs'""",
    """comment on column public.calibrations.why is 'tasks_done, budget_spent, not_worth_it or stopped'""",
    """comment on column public.calibrations.reason is 'why it ended, as a sentence'""",
    """comment on column public.calibrations.state is 'running (copies may be submitted) or ended'""",
    """grant select on public.calibrations to smolit_analyst""",
    """create view public.calibration_results (tenant, calibration_id, agent, copies, over, failed, costed, cost_microusd, rewarded, mean_reward, reward_low, reward_high) as
select tenant, calibration_id, agent, copies, over, failed, costed, cost_microusd, rewarded, (total::numeric / nullif(rewarded, 0) / 1000000)::float8, ((total::numeric / nullif(rewarded, 0) - case when rewarded > 1 then 1.959964 * sqrt(greatest(squares - total::numeric ^ 2 / rewarded, 0) / (rewarded - 1) / rewarded) end) / 1000000)::float8, ((total::numeric / nullif(rewarded, 0) + case when rewarded > 1 then 1.959964 * sqrt(greatest(squares - total::numeric ^ 2 / rewarded, 0) / (rewarded - 1) / rewarded) end) / 1000000)::float8
from (
  select made.tenant, made.calibration_id, made.agent,
    count(*) as copies,
    count(task.outcome) as over,
    count(*) filter (where task.outcome <> 'completed') as failed,
    count(tried.cost_microusd) as costed,
    sum(tried.cost_microusd)::bigint as cost_microusd,
    count(example.reward_micro) as rewarded,
    sum(example.reward_micro) as total,
    sum(example.reward_micro::numeric ^ 2) as squares
  from g1.calibration_copies_v1 as made
  left join g1.tasks_v1 as task on task.task_id = made.task_id and task.tenant = made.tenant
  left join g1.attempts_v1 as tried on tried.task_id = made.task_id and tried.tenant = made.tenant and tried.attempt = 1
  left join g1.examples_v1 as example
    on example.task_id = made.task_id and example.tenant = made.tenant and example.attempt = 1 and example.scope = task.scope
  group by made.tenant, made.calibration_id, made.agent
) as sums""",
    """comment on view public.calibration_results is 'What each agent did, cost and earned in each calibration. A copy has one attempt.'""",
    """comment on column public.calibration_results.tenant is 'whose calibration it is'""",
    """comment on column public.calibration_results.calibration_id is 'id of the calibration'""",
    """comment on column public.calibration_results.agent is 'the agent'""",
    """comment on column public.calibration_results.copies is 'past tasks that it was given again'""",
    """comment on column public.calibration_results.over is 'how many of them are over'""",
    """comment on column public.calibration_results.failed is 'how many of them ended without an answer'""",
    """comment on column public.calibration_results.costed is 'how many of them said what they cost'""",
    """comment on column public.calibration_results.cost_microusd is 'what these cost together, in millionths of a dollar; null: nobody said'""",
    """comment on column public.calibration_results.rewarded is 'how many of them have a reward'""",
    """comment on column public.calibration_results.mean_reward is 'mean of the rewards, 0 to 1'""",
    """comment on column public.calibration_results.reward_low is 'lower end of the 95 % interval of the mean (normal approximation; null below two rewards)'""",
    """comment on column public.calibration_results.reward_high is 'upper end of the 95 % interval of the mean'""",
    """grant select on public.calibration_results to smolit_analyst""",
    """create view public.calibration_copies (task_id, tenant, calibration_id, copy_of, agent, submitted_at) as
select known.task_id, known.tenant, known.calibration_id, known.copy_of, known.agent, known.submitted_at
from g1.calibration_copies_v1 as known""",
    """comment on view public.calibration_copies is 'Copies of past tasks, each for one agent; what came of them stands where every task''s outcome stands.'""",
    """comment on column public.calibration_copies.task_id is 'id of the copy, a task like any other'""",
    """comment on column public.calibration_copies.tenant is 'whose task it is'""",
    """comment on column public.calibration_copies.calibration_id is 'calibration that it belongs to'""",
    """comment on column public.calibration_copies.copy_of is 'the past task that it does again'""",
    """comment on column public.calibration_copies.agent is 'the agent that does it'""",
    """comment on column public.calibration_copies.submitted_at is 'when it was accepted'""",
    """grant select on public.calibration_copies to smolit_analyst""",
)


def upgrade() -> None:
    """No release before this one knew calibrations, so the new tables are empty in every generation, as its log says."""
    for generation, state in _generations():
        _tables(generation)
        _views(generation, state)
        for name, digest in _SHAPES.items():
            _shape(generation, "shape || jsonb_build_object(cast(:name as text), cast(:digest as text))", name=name, digest=digest)


def downgrade() -> None:
    """Forget what was calibrated; the copies stay tasks like any other."""
    for view in _NAMES:
        op.execute(f"drop view if exists public.{view}")
    for generation, _ in _generations(""):
        for view in _NAMES:
            op.execute(f"drop view if exists {generation}.{view}")
        op.drop_table("calibration_copies_v1", schema=generation)
        op.drop_table("calibrations_v1", schema=generation)
        for name in _SHAPES:
            _shape(generation, "shape - cast(:name as text)", name=name)


def _generations(which: str = "and not shape ? 'calibrations'") -> list[tuple[str, str]]:
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
        "calibrations_v1",
        sa.Column("tenant", sa.Text(), autoincrement=False, nullable=False, comment='whose calibration it is'),
        sa.Column("calibration_id", sa.Text(), autoincrement=False, nullable=False, comment='id of the calibration'),
        sa.Column("scope", sa.Text(), nullable=True, comment='tasks that it is about'),
        sa.Column("tasks", postgresql.JSONB(astext_type=sa.Text()), nullable=True, comment='past tasks that are done again, in this order: id, agents, and why it was picked'),
        sa.Column("budget_microusd", sa.BigInteger(), nullable=True, comment='what all copies may cost, in millionths of a dollar; null: no limit'),
        sa.Column("horizon", sa.BigInteger(), nullable=True, comment='tasks to come that are reckoned with'),
        sa.Column("worth_microusd", sa.BigInteger(), nullable=True, comment='what a reward of 1 rather than 0 is worth, in millionths of a dollar; null: not said'),
        sa.Column("judged_by", sa.Text(), nullable=True, comment='feedback (whoever gives it) or reference'),
        sa.Column("started_at", postgresql.TIMESTAMP(timezone=True), nullable=True, comment='when it began'),
        sa.Column("ended_at", postgresql.TIMESTAMP(timezone=True), nullable=True, comment='when it was over; null: it runs'),
        sa.Column("why", sa.Text(), nullable=True, comment='tasks_done, budget_spent, not_worth_it or stopped'),
        sa.Column("reason", sa.Text(), nullable=True, comment='why it ended, as a sentence'),
        sa.PrimaryKeyConstraint("tenant", "calibration_id"),
        schema=generation,
        comment='Calibrations: which past tasks are done again by which agents, within which limits, and why it ended.',
    )
    op.create_table(
        "calibration_copies_v1",
        sa.Column("task_id", sa.Text(), autoincrement=False, nullable=False, comment='id of the copy, a task like any other'),
        sa.Column("tenant", sa.Text(), autoincrement=False, nullable=False, comment='whose task it is'),
        sa.Column("calibration_id", sa.Text(), nullable=True, comment='calibration that it belongs to'),
        sa.Column("copy_of", sa.Text(), nullable=True, comment='the past task that it does again'),
        sa.Column("agent", sa.Text(), nullable=True, comment='the agent that does it'),
        sa.Column("submitted_at", postgresql.TIMESTAMP(timezone=True), nullable=True, comment='when it was accepted'),
        sa.PrimaryKeyConstraint("task_id", "tenant"),
        schema=generation,
        comment="Copies of past tasks, each for one agent; what came of them stands where every task's outcome stands.",
    )
    op.create_index("calibration_copies_v1_calibration", "calibration_copies_v1", ["tenant", "calibration_id"], schema=generation)
