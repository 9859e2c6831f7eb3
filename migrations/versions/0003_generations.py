"""Generations: which schema of read models serves, and public views of the sums that performance is read from."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# What g1 looked like when this was written: a release that declares something else makes a generation of its own.
_SHAPE = {
    "events": "95f5346659573b54",
    "fold_tally": "10cf0cab94eea030",
    "tasks": "bd00623ab630944f",
    "task_features": "50edd8d165cc9c75",
    "decisions": "a165a25345b19874",
    "attempts": "f41393b39d012a09",
    "feedback": "594b4ff8ba0ed06d",
    "examples": "7e3274ce4a8bbb3b",
    "agents": "e6f2d73fb3ad279c",
    "agent_performance": "e3677f0f06b8fe26",
    "experiments": "331d443ef38438fc",
    "policy_history": "059d1ad703642f3f",
    "dead_letters": "dc9a411d0baba3c7",
}
_VIEWS = (
    """create view public.agent_work (tenant, scope, agent, hour, chosen, explored, propensity_micro, completed, failed, timed_out, abandoned, duration_us, cost_microusd, costed) as
select known.tenant, known.scope, known.agent, known.hour, known.chosen, known.explored, known.propensity_micro, known.completed, known.failed, known.timed_out, known.abandoned, known.duration_us, known.cost_microusd, known.costed
from g1.agent_work_v1 as known""",
    """comment on view public.agent_work is 'Sums of choices and attempts per tenant, scope, agent and hour.'""",
    """comment on column public.agent_work.tenant is 'whose tasks'""",
    """comment on column public.agent_work.scope is 'what one policy state covers'""",
    """comment on column public.agent_work.agent is 'the agent'""",
    """comment on column public.agent_work.hour is 'hour of the choice, or of the end of the attempt'""",
    """comment on column public.agent_work.chosen is 'how often the agent was chosen'""",
    """comment on column public.agent_work.explored is 'how often although another agent was the more likely one'""",
    """comment on column public.agent_work.propensity_micro is 'sum of the probabilities that it was chosen with, in millionths'""",
    """comment on column public.agent_work.completed is 'attempts that completed'""",
    """comment on column public.agent_work.failed is 'attempts that failed'""",
    """comment on column public.agent_work.timed_out is 'attempts that ran out of time'""",
    """comment on column public.agent_work.abandoned is 'attempts given up for reasons that are not the agent''s'""",
    """comment on column public.agent_work.duration_us is 'time spent on all but the abandoned ones, in microseconds'""",
    """comment on column public.agent_work.cost_microusd is 'known cost in millionths of a dollar'""",
    """comment on column public.agent_work.costed is 'attempts whose cost is known'""",
    """grant select on public.agent_work to smolit_analyst""",
    """create view public.agent_reward (tenant, scope, agent, hour, examples, reward_micro, reward_micro_squared) as
select known.tenant, known.scope, known.agent, known.hour, known.examples, known.reward_micro, known.reward_micro_squared
from g1.agent_reward_v1 as known""",
    """comment on view public.agent_reward is 'Sums of rewards per tenant, scope, agent and hour; a corrected reward counts as corrected.'""",
    """comment on column public.agent_reward.tenant is 'whose tasks'""",
    """comment on column public.agent_reward.scope is 'what the policy''s state covers'""",
    """comment on column public.agent_reward.agent is 'the agent'""",
    """comment on column public.agent_reward.hour is 'hour in which the examples were first recorded'""",
    """comment on column public.agent_reward.examples is 'attempts with a reward'""",
    """comment on column public.agent_reward.reward_micro is 'sum of the rewards that count, in millionths'""",
    """comment on column public.agent_reward.reward_micro_squared is 'sum of the squares of these rewards in millionths'""",
    """grant select on public.agent_reward to smolit_analyst""",
    """create view public.agent_duration (tenant, scope, agent, hour, upto_us, attempts) as
select known.tenant, known.scope, known.agent, known.hour, known.upto_us, known.attempts
from g1.agent_duration_v1 as known""",
    """comment on view public.agent_duration is 'Histogram of the duration of attempts per tenant, scope, agent and hour.'""",
    """comment on column public.agent_duration.tenant is 'whose tasks'""",
    """comment on column public.agent_duration.scope is 'what one policy state covers'""",
    """comment on column public.agent_duration.agent is 'the agent'""",
    """comment on column public.agent_duration.hour is 'hour of the end of the attempt'""",
    """comment on column public.agent_duration.upto_us is 'upper bound of the bucket in microseconds'""",
    """comment on column public.agent_duration.attempts is 'attempts in the bucket; abandoned ones are left out'""",
    """grant select on public.agent_duration to smolit_analyst""",
)
# Below this revision there is one generation, called g1: the one that serves takes the name, the others go.
_ONE_AGAIN = """
do $$
declare
  winner text := (select name from ops.read_generation where state = 'serving');
  other record;
begin
  for other in select name from ops.read_generation where name <> winner and state <> 'dropped' loop
    execute format('drop schema %I cascade', other.name);
  end loop;
  for other in select relname from pg_class where relnamespace = to_regnamespace(winner) and relkind = 'v' loop
    execute format('drop view %I.%I', winner, other.relname);
  end loop;
  if winner <> 'g1' then
    execute format('revoke usage on schema %I from smolit_analyst', winner);
    execute format('alter schema %I rename to g1', winner);
  end if;
  delete from ops.fold_position where consumer like 'projections.%' and consumer <> 'projections.' || winner;
  update ops.fold_position set consumer = 'projections.g1' where consumer = 'projections.' || winner;
end $$"""


def upgrade() -> None:
    """Let g1 serve, as it does."""
    told = sa.DateTime(timezone=True)
    op.create_table(
        "read_generation",
        sa.Column("name", sa.Text(), nullable=False, comment="schema that holds its tables; never used again"),
        sa.Column(
            "state",
            sa.Text(),
            nullable=False,
            comment="building, serving, retired (served once), kept (as of a moment), dropped",
        ),
        sa.Column(
            "shape",
            postgresql.JSONB(),
            nullable=False,
            comment="digest of each read model's declaration when it was made",
        ),
        sa.Column("asked", sa.Text(), nullable=False, comment="in which words it was asked for: the same words resume it"),
        sa.Column("anew", sa.Text(), nullable=True, comment="the one read model that is folded anew; null: every one"),
        sa.Column(
            "until",
            postgresql.JSONB(),
            nullable=True,
            comment="where it stops: offset by topic/partition; null: it follows the log",
        ),
        sa.Column("made_at", told, server_default=sa.text("now()"), nullable=False, comment="made at"),
        sa.Column("changed_at", told, server_default=sa.text("now()"), nullable=False, comment="when its state changed"),
        sa.PrimaryKeyConstraint("name"),
        schema="ops",
        comment="Generations of the read models: which one serves, which is being built, and how each came about.",
    )
    op.create_index(
        "read_generation_one",
        "read_generation",
        ["state"],
        unique=True,
        schema="ops",
        postgresql_where=sa.text("state in ('serving', 'building')"),
    )
    rows = sa.table(
        "read_generation",
        *(sa.column(name) for name in ("name", "state", "asked")),
        sa.column("shape", postgresql.JSONB()),
        schema="ops",
    )
    op.bulk_insert(rows, [{"name": "g1", "state": "serving", "asked": "migrations", "shape": _SHAPE}])
    for statement in _VIEWS:
        op.execute(statement)


def downgrade() -> None:
    """Leave the generation that serves, under the name that it had before there were others."""
    for view in ("agent_duration", "agent_reward", "agent_work"):
        op.execute(f"drop view if exists public.{view}")
    op.execute(_ONE_AGAIN)
    op.drop_table("read_generation", schema="ops")
