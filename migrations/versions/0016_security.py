"""Security: words of workers elsewhere that count once, and calls that wait for a person."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

# The digest of the read model's declaration (projections/shape.py).
_SHAPES = {"approvals": "837daf215e6c0ef8"}
_VIEWS = (
    """create view public.approvals (approval_id, tenant, task_id, attempt, agent, tool, effect, why, arguments, arguments_sha256, asked_at, expires_at, answered_at, outcome, settled_by, reason, settled_at) as
select known.approval_id, known.tenant, known.task_id, known.attempt, known.agent, known.tool, known.effect, known.why, known.arguments, known.arguments_sha256, known.asked_at, known.expires_at, known.answered_at, known.outcome, known.settled_by, known.reason, known.settled_at
from g1.approvals_v1 as known""",
    """comment on view public.approvals is 'Calls of tools that a person was asked about, and what was said.'""",
    """comment on column public.approvals.approval_id is 'the question; it follows from task, attempt, tool and arguments'""",
    """comment on column public.approvals.tenant is 'whose task it is'""",
    """comment on column public.approvals.task_id is 'task that waited'""",
    """comment on column public.approvals.attempt is 'attempt that asked'""",
    """comment on column public.approvals.agent is 'agent that wanted to call'""",
    """comment on column public.approvals.tool is 'what it wanted to call'""",
    """comment on column public.approvals.effect is 'what that may change: write or outside'""",
    """comment on column public.approvals.why is 'why a person was asked: grant, rule or tainted'""",
    """comment on column public.approvals.arguments is 'with which arguments'""",
    """comment on column public.approvals.arguments_sha256 is 'digest of the arguments'""",
    """comment on column public.approvals.asked_at is 'asked at'""",
    """comment on column public.approvals.expires_at is 'denied from then on'""",
    """comment on column public.approvals.answered_at is 'when somebody first answered; null: nobody did'""",
    """comment on column public.approvals.outcome is 'granted, denied or expired; null: open'""",
    """comment on column public.approvals.settled_by is 'whose answer counted; null: nobody''s'""",
    """comment on column public.approvals.reason is 'why, in their words'""",
    """comment on column public.approvals.settled_at is 'since when that counts'""",
    """grant select on public.approvals to smolit_analyst""",
)
_TIME = postgresql.TIMESTAMP(timezone=True)


def upgrade() -> None:
    """No release before this one asked anybody, or took signatures of workers: the new tables are empty, as the log says."""
    _operational()
    for generation, state in _generations():
        _table(generation)
        _views(generation, state)
        for name, digest in _SHAPES.items():
            _shape(generation, "shape || jsonb_build_object(cast(:name as text), cast(:digest as text))", name=name, digest=digest)


def _operational() -> None:
    """Make what the bridge, workers and dispatch work on."""
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
    """What waits for a person goes on there once its time is up, and is not asked about; the facts stay in the log."""
    op.execute("drop view if exists public.approvals")
    for generation, _ in _generations(""):
        op.execute(f"drop view if exists {generation}.approvals")
        op.drop_table("approvals_v1", schema=generation)
        for name in _SHAPES:
            _shape(generation, "shape - cast(:name as text)", name=name)
    op.drop_table("approval", schema="ops")
    op.drop_table("remote_word", schema="ops")


def _generations(which: str = "and not shape ? 'approvals'") -> list[tuple[str, str]]:
    """Return generations that are there with their states; nobody folds into them until we are done."""
    query = f"select name, state from ops.read_generation where state <> 'dropped' {which} order by name for update"
    return [(name, state) for name, state in op.get_bind().execute(sa.text(query))]


def _shape(generation: str, shape: str, **values: str) -> None:
    """Note what a generation holds now."""
    update = f"update ops.read_generation set shape = {shape} where name = :generation"
    op.execute(sa.text(update).bindparams(generation=generation, **values))


def _views(generation: str, state: str) -> None:
    """Make the view in public if the generation serves, and in its own schema if it has such views."""
    has_own = op.get_bind().execute(sa.text(f"select to_regclass('{generation}.tasks') is not null")).scalar_one()
    for schema, wanted in (("public", state == "serving"), (generation, has_own)):
        for statement in _VIEWS if wanted else ():
            op.execute(statement.replace("g1.", f"{generation}.").replace("public.", f"{schema}."))


def _table(generation: str) -> None:
    op.create_table(
        "approvals_v1",
        sa.Column("approval_id", sa.Text(), nullable=False, comment="the question; it follows from task, attempt, tool and arguments"),
        sa.Column("tenant", sa.Text(), nullable=True, comment="whose task it is"),
        sa.Column("task_id", sa.Text(), nullable=True, comment="task that waited"),
        sa.Column("attempt", sa.Integer(), nullable=True, comment="attempt that asked"),
        sa.Column("agent", sa.Text(), nullable=True, comment="agent that wanted to call"),
        sa.Column("tool", sa.Text(), nullable=True, comment="what it wanted to call"),
        sa.Column("effect", sa.Text(), nullable=True, comment="what that may change: write or outside"),
        sa.Column("why", sa.Text(), nullable=True, comment="why a person was asked: grant, rule or tainted"),
        sa.Column("arguments", postgresql.JSONB(astext_type=sa.Text()), nullable=True, comment="with which arguments"),
        sa.Column("arguments_sha256", sa.Text(), nullable=True, comment="digest of the arguments"),
        sa.Column("asked_at", _TIME, nullable=True, comment="asked at"),
        sa.Column("expires_at", _TIME, nullable=True, comment="denied from then on"),
        sa.Column("answered_at", _TIME, nullable=True, comment="when somebody first answered; null: nobody did"),
        sa.Column("outcome", sa.Text(), nullable=True, comment="granted, denied or expired; null: open"),
        sa.Column("settled_by", sa.Text(), nullable=True, comment="whose answer counted; null: nobody's"),
        sa.Column("reason", sa.Text(), nullable=True, comment="why, in their words"),
        sa.Column("settled_at", _TIME, nullable=True, comment="since when that counts"),
        sa.PrimaryKeyConstraint("approval_id"),
        schema=generation,
        comment="Calls of tools that a person was asked about, and what was said.",
    )
