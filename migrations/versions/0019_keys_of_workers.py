"""Keys of single workers elsewhere: when each was last used, and since when it is revoked; with which announcement one began."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0019"
down_revision = "0016"
branch_labels = None
depends_on = None

# Digests of the read model's declaration (projections/shape.py), before and now.
_BEFORE, _NOW = "8d4dfb928c6df0c0", "dbe4a9d91e36803f"
_NAMES = "tenant, sender, key_id, public_key, scope, replaces, registered_at"
_TIME = postgresql.TIMESTAMP(timezone=True)
_USED = "when a worker elsewhere last spoke with it, to 10 s"
_REVOKED = "since when it counts no more; null: it was not revoked"
_COMMENTS = {
    "tenant": "whose sender it is",
    "sender": "agent, or `user:` and a name",
    "key_id": "start of the key''s sha256",
    "public_key": "Ed25519 public key, base64",
    "scope": "what the key may be used for",
    "replaces": "id of the key before",
    "registered_at": "since when",
}
_OPS = ("Public keys of those who send messages; of each sender one is in use", ", of a worker elsewhere several may be.")
_READ = ("Public keys of those who send messages; one that another replaces", ", or that was revoked, is in use no more.", " is in use no more.")


def upgrade() -> None:
    """No release before this one revoked a key, so the new column is empty, as the log says."""
    op.add_column("sender_key", sa.Column("used_at", _TIME, nullable=True, comment=_USED), schema="ops")
    op.execute(f"comment on table ops.sender_key is '{_OPS[0]}{_OPS[1]}'")
    session = sa.Column("session", sa.Text(), nullable=True, comment="ce_id of its last announcement; null: not heard")
    op.add_column("remote_worker", session, schema="ops")
    comment = _READ[0] + _READ[1]
    for generation, state in _generations(_BEFORE):
        op.add_column("sender_keys_v1", sa.Column("revoked_at", _TIME, nullable=True, comment=_REVOKED), schema=generation)
        op.execute(f"comment on table {generation}.sender_keys_v1 is '{comment}'")
        _views(generation, state, f"{_NAMES}, revoked_at", {**_COMMENTS, "revoked_at": _REVOKED}, comment)
        _shape(generation, _NOW)


def downgrade() -> None:
    """A key that was revoked counts no more here, too: the row that says so stays in the table of operations."""
    comment = _READ[0] + _READ[2]
    for generation, state in _generations(_NOW):
        op.execute("drop view if exists public.sender_keys")
        op.execute(f"drop view if exists {generation}.sender_keys")
        op.drop_column("sender_keys_v1", "revoked_at", schema=generation)
        op.execute(f"comment on table {generation}.sender_keys_v1 is '{comment}'")
        _views(generation, state, _NAMES, _COMMENTS, comment)
        _shape(generation, _BEFORE)
    op.drop_column("remote_worker", "session", schema="ops")
    op.drop_column("sender_key", "used_at", schema="ops")
    op.execute(f"comment on table ops.sender_key is '{_OPS[0]}.'")


def _generations(digest: str) -> list[tuple[str, str]]:
    """Return generations that hold the read model as declared with this digest; nobody folds into them until we are done."""
    query = "select name, state from ops.read_generation where state <> 'dropped' and shape ->> 'sender_keys' = :digest order by name for update"
    return [(name, state) for name, state in op.get_bind().execute(sa.text(query).bindparams(digest=digest))]


def _shape(generation: str, digest: str) -> None:
    """Note what a generation holds now."""
    update = "update ops.read_generation set shape = shape || jsonb_build_object('sender_keys', cast(:digest as text)) where name = :name"
    op.execute(sa.text(update).bindparams(digest=digest, name=generation))


def _views(generation: str, state: str, names: str, comments: dict[str, str], comment: str) -> None:
    """Make the view in public if the generation serves, and in its own schema if it has such views."""
    has_own = op.get_bind().execute(sa.text(f"select to_regclass('{generation}.tasks') is not null")).scalar_one()
    for schema, wanted in (("public", state == "serving"), (generation, has_own)):
        if not wanted:
            continue
        columns = ", ".join(f"known.{name}" for name in names.split(", "))
        view = f"{schema}.sender_keys"
        op.execute(f"create or replace view {view} ({names}) as select {columns} from {generation}.sender_keys_v1 as known")
        op.execute(f"comment on view {view} is '{comment}'")
        for name, told in comments.items():
            op.execute(f"comment on column {view}.{name} is '{told}'")
        op.execute(f"grant select on {view} to smolit_analyst")
