"""Dead letters are settled, keys wait behind them, logs are known by their ids, and a restore leaves its mark."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_VIEW = (
    """create view public.dead_letters (stage, origin_topic, origin_partition, origin_offset, tenant, recorded_at, reason, detail, original_type, original_key, original_headers, original_value, settled, settled_at, replayed_as) as
select known.stage, known.origin_topic, known.origin_partition, known.origin_offset, known.tenant, known.recorded_at, known.reason, known.detail, known.original_type, known.original_key, known.original_headers, known.original_value, known.settled, known.settled_at, known.replayed_as
from g1.dead_letters_v1 as known""",
    """comment on view public.dead_letters is 'Records that could not be handled, by which stage and why; kept whole, so that they can be replayed.'""",
    """comment on column public.dead_letters.stage is 'who could not handle the record'""",
    """comment on column public.dead_letters.origin_topic is 'Kafka topic of the record'""",
    """comment on column public.dead_letters.origin_partition is 'Kafka partition of the record'""",
    """comment on column public.dead_letters.origin_offset is 'Kafka offset of the record'""",
    """comment on column public.dead_letters.tenant is 'whose record it is; null: it cannot be told'""",
    """comment on column public.dead_letters.recorded_at is 'when it was set aside; for the stage projections: when it says that it happened'""",
    """comment on column public.dead_letters.reason is 'code of the reason'""",
    """comment on column public.dead_letters.detail is 'the reason as a sentence'""",
    """comment on column public.dead_letters.original_type is 'CloudEvents type of the record, as far as it has one'""",
    """comment on column public.dead_letters.original_key is 'Kafka key of the record, as text'""",
    """comment on column public.dead_letters.original_headers is 'Kafka headers: name and bytes in hexadecimal'""",
    """comment on column public.dead_letters.original_value is 'the record''s bytes'""",
    """comment on column public.dead_letters.settled is 'replayed: it was published again; purged: somebody gave it up; null: it waits'""",
    """comment on column public.dead_letters.settled_at is 'when it was settled'""",
    """comment on column public.dead_letters.replayed_as is 'where it lies now, as topic/partition/offset, if it was replayed'""",
    """grant select on public.dead_letters to smolit_analyst""",
)
_VIEW_BEFORE = (
    """create view public.dead_letters (stage, origin_topic, origin_partition, origin_offset, tenant, recorded_at, reason, detail, original_type, original_key, original_headers, original_value) as
    select known.stage, known.origin_topic, known.origin_partition, known.origin_offset, known.tenant, known.recorded_at, known.reason, known.detail, known.original_type, known.original_key, known.original_headers, known.original_value
    from g1.dead_letters_v1 as known""",
    """comment on view public.dead_letters is 'Records that could not be handled, by which stage and why; kept whole, so that they can be replayed.'""",
    """comment on column public.dead_letters.stage is 'who could not handle the record'""",
    """comment on column public.dead_letters.origin_topic is 'Kafka topic of the record'""",
    """comment on column public.dead_letters.origin_partition is 'Kafka partition of the record'""",
    """comment on column public.dead_letters.origin_offset is 'Kafka offset of the record'""",
    """comment on column public.dead_letters.tenant is 'whose record it is; null: it cannot be told'""",
    """comment on column public.dead_letters.recorded_at is 'when it was set aside; for the stage projections: when it says that it happened'""",
    """comment on column public.dead_letters.reason is 'code of the reason'""",
    """comment on column public.dead_letters.detail is 'the reason as a sentence'""",
    """comment on column public.dead_letters.original_type is 'CloudEvents type of the record, as far as it has one'""",
    """comment on column public.dead_letters.original_key is 'Kafka key of the record, as text'""",
    """comment on column public.dead_letters.original_headers is 'Kafka headers: name and bytes in hexadecimal'""",
    """comment on column public.dead_letters.original_value is 'the record''s bytes'""",
    """grant select on public.dead_letters to smolit_analyst""",
)


# The digests of the read model's declaration before and after (projections/shape.py).
_SHAPE_BEFORE, _SHAPE = "dc9a411d0baba3c7", "90f7e6de0e22a2e0"


def upgrade() -> None:
    """What is there stays as it is: no dead letter was settled, no key waits, and logs are remembered from now on."""
    shown = _without_views()
    for generation in _generations():
        for column in _settlement():
            op.add_column("dead_letters_v1", column, schema=generation)
    _held_records()
    _known_logs()
    _restored()
    _made_as(_SHAPE_BEFORE, _SHAPE)
    _with_views(shown, _VIEW)


def downgrade() -> None:
    """Forget it."""
    shown = _without_views()
    op.drop_table("restored", schema="ops")
    op.drop_table("known_log", schema="ops")
    op.drop_index("held_record_place", table_name="held_record", schema="ops")
    op.drop_index("held_record_line", table_name="held_record", schema="ops")
    op.drop_table("held_record", schema="ops")
    for generation in _generations():
        for column in reversed(_settlement()):  # a generation that does not serve has a view of its own: it goes, too
            op.execute(f"alter table {generation}.dead_letters_v1 drop column {column.name} cascade")
    _made_as(_SHAPE, _SHAPE_BEFORE)
    _with_views(shown, _VIEW_BEFORE)


def _generations() -> list[str]:
    """Return every generation that is there: all of them hold the table."""
    rows = op.get_bind().execute(sa.text("select name from ops.read_generation where state <> 'dropped' order by name"))
    return [row[0] for row in rows]


def _made_as(before: str, now: str) -> None:
    """Note of every generation that was made as declared then that it is as declared now."""
    op.execute(
        sa.text(
            "update ops.read_generation set shape = jsonb_set(shape, '{dead_letters}', to_jsonb(cast(:now as text))) "
            "where shape ->> 'dead_letters' = :before"
        ).bindparams(before=before, now=now)
    )


def _without_views() -> list[tuple[str, str]]:
    """Drop the view in public and those that generations have in their own schemas; return each with whose table it shows."""
    rows = op.get_bind().execute(
        sa.text(
            "select 'public', name from ops.read_generation where state = 'serving' "
            "union all select name, name from ops.read_generation "
            "where state <> 'dropped' and to_regclass(name || '.dead_letters') is not null order by 1"
        )
    )
    shown = [(schema, generation) for schema, generation in rows]
    for schema, _ in shown:
        op.execute(f"drop view {schema}.dead_letters")
    return shown


def _with_views(shown: list[tuple[str, str]], statements: tuple[str, ...]) -> None:
    """Make the views again where they were."""
    for schema, generation in shown:
        for statement in statements:
            op.execute(statement.replace("from g1.", f"from {generation}.").replace("public.", f"{schema}."))


def _settlement() -> list[sa.Column]:
    moment = postgresql.TIMESTAMP(timezone=True)
    return [
        sa.Column("settled", sa.Text(), comment="replayed: it was published again; purged: somebody gave it up; null: it waits"),
        sa.Column("settled_at", moment, comment="when it was settled"),
        sa.Column("replayed_as", sa.Text(), comment="where it lies now, as topic/partition/offset, if it was replayed"),
    ]


def _held_records() -> None:
    op.create_table(
        "held_record",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False, comment="order within the key's line"),
        sa.Column("consumer", sa.Text(), nullable=False, comment="who could not read on"),
        sa.Column("topic", sa.Text(), nullable=False, comment="Kafka topic"),
        sa.Column("key", sa.LargeBinary(), nullable=False, comment="Kafka key that waits"),
        sa.Column("place", sa.Text(), nullable=False, comment="where the record first lay, as topic/partition/offset"),
        sa.PrimaryKeyConstraint("id"),
        schema="ops",
        comment="Records set aside because they, or one before them of the same key, could not be read; dead letters hold them.",
    )
    op.create_index("held_record_line", "held_record", ["consumer", "topic", "key", "id"], schema="ops")
    op.create_index("held_record_place", "held_record", ["consumer", "place"], unique=True, schema="ops")


def _known_logs() -> None:
    op.create_table(
        "known_log",
        sa.Column("topic", sa.Text(), nullable=False, comment="Kafka topic"),
        sa.Column("log", sa.Text(), nullable=False, comment="Kafka's id of the topic, which one made anew does not share"),
        sa.Column("seen_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False, comment="first read at"),
        sa.PrimaryKeyConstraint("topic"),
        schema="ops",
        comment="The logs that our positions are from; a process refuses to start on another one.",
    )


def _restored() -> None:
    op.create_table(
        "restored",
        sa.Column("topic", sa.Text(), nullable=False, comment="request topic"),
        sa.Column("partition", sa.Integer(), autoincrement=False, nullable=False, comment="Kafka partition"),
        sa.Column("before", sa.BigInteger(), nullable=False, comment="requests below this offset came before the restore"),
        sa.PrimaryKeyConstraint("topic", "partition"),
        schema="ops",
        comment="Where the request logs ended when this database was restored from a backup; empty if it never was.",
    )
