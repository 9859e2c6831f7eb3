"""Conversations: keys of senders, mailboxes, threads, what answers were made with, and what is remembered of users."""

import sqlalchemy as sa
from alembic import op
from pgvector.sqlalchemy import HALFVEC
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

# The digests of the read models' declarations (projections/shape.py).
_SHAPES = {'messages': '36a65fb946435cdf', 'message_ends': 'a27545d18bcad4bd', 'contexts': '9dc5c88a617f98a4', 'sender_keys': '8d4dfb928c6df0c0', 'memories': '19f91d0ba39aac8e'}
_TABLES = ("messages_v1", "message_ends_v1", "contexts_v1", "sender_keys_v1", "memories_v1")
_VIEWS = (
    """create view public.messages (tenant, message_id, request_id, conversation_id, place, sender, recipient, kind, text, body, priority, expires_at, in_reply_to, sent_at, delivered_at, refused, detail, forgotten_at) as
select known.tenant, known.message_id, known.request_id, known.conversation_id, known.place, known.sender, known.recipient, known.kind, known.text, known.body, known.priority, known.expires_at, known.in_reply_to, known.sent_at, known.delivered_at, known.refused, known.detail, known.forgotten_at
from g1.messages_v1 as known""",
    """comment on view public.messages is 'Messages of conversations, in the order of the log.'""",
    """comment on column public.messages.tenant is 'whose conversation it is'""",
    """comment on column public.messages.message_id is 'id of the message'""",
    """comment on column public.messages.request_id is 'what sent it; the same message under another one is a replay'""",
    """comment on column public.messages.conversation_id is 'id of the conversation'""",
    """comment on column public.messages.place is 'offset in the conversation''s partition: the order of the thread'""",
    """comment on column public.messages.sender is 'who says it'""",
    """comment on column public.messages.recipient is 'for whom; * is everybody'""",
    """comment on column public.messages.kind is 'query, response, clarification, update, handoff, error or broadcast'""",
    """comment on column public.messages.text is 'what is said; null: forgotten'""",
    """comment on column public.messages.body is 'what goes with it, for programs; null: forgotten'""",
    """comment on column public.messages.priority is '9 first, 0 last'""",
    """comment on column public.messages.expires_at is 'not handled from then on; null: never expires'""",
    """comment on column public.messages.in_reply_to is 'the message that it answers'""",
    """comment on column public.messages.sent_at is 'when it was taken in'""",
    """comment on column public.messages.delivered_at is 'when it was checked and lay where its recipients find it'""",
    """comment on column public.messages.refused is 'code of why it reached nobody'""",
    """comment on column public.messages.detail is 'the same as a sentence'""",
    """comment on column public.messages.forgotten_at is 'since when its words are gone, with a memory that was read from them'""",
    """grant select on public.messages to smolit_analyst""",
    """create view public.message_ends (tenant, message_id, recipient, conversation_id, outcome, reason, settled_at) as
select known.tenant, known.message_id, known.recipient, known.conversation_id, known.outcome, known.reason, known.settled_at
from g1.message_ends_v1 as known""",
    """comment on view public.message_ends is 'What each recipient did with a message.'""",
    """comment on column public.message_ends.tenant is 'whose conversation it is'""",
    """comment on column public.message_ends.message_id is 'id of the message'""",
    """comment on column public.message_ends.recipient is 'who is done with it'""",
    """comment on column public.message_ends.conversation_id is 'id of the conversation'""",
    """comment on column public.message_ends.outcome is 'handled, expired or parked'""",
    """comment on column public.message_ends.reason is 'why it was parked'""",
    """comment on column public.message_ends.settled_at is 'when'""",
    """grant select on public.message_ends to smolit_analyst""",
    """create view public.contexts (tenant, conversation_id, message_id, budget_tokens, used_tokens, parts, left_out, memories, used_at) as
select known.tenant, known.conversation_id, known.message_id, known.budget_tokens, known.used_tokens, known.parts, known.left_out, known.memories, known.used_at
from g1.contexts_v1 as known""",
    """comment on view public.contexts is 'What each answer was made with.'""",
    """comment on column public.contexts.tenant is 'whose conversation it is'""",
    """comment on column public.contexts.conversation_id is 'id of the conversation'""",
    """comment on column public.contexts.message_id is 'the message that was answered'""",
    """comment on column public.contexts.budget_tokens is 'tokens that the context may have'""",
    """comment on column public.contexts.used_tokens is 'tokens that it has'""",
    """comment on column public.contexts.parts is 'tokens by sort of part'""",
    """comment on column public.contexts.left_out is 'parts that had no room'""",
    """comment on column public.contexts.memories is 'ids of the memories that were used'""",
    """comment on column public.contexts.used_at is 'when'""",
    """grant select on public.contexts to smolit_analyst""",
    """create view public.sender_keys (tenant, sender, key_id, public_key, scope, replaces, registered_at) as
select known.tenant, known.sender, known.key_id, known.public_key, known.scope, known.replaces, known.registered_at
from g1.sender_keys_v1 as known""",
    """comment on view public.sender_keys is 'Public keys of those who send messages; one that another replaces is in use no more.'""",
    """comment on column public.sender_keys.tenant is 'whose sender it is'""",
    """comment on column public.sender_keys.sender is 'agent, or `user:` and a name'""",
    """comment on column public.sender_keys.key_id is 'start of the key''s sha256'""",
    """comment on column public.sender_keys.public_key is 'Ed25519 public key, base64'""",
    """comment on column public.sender_keys.scope is 'what the key may be used for'""",
    """comment on column public.sender_keys.replaces is 'id of the key before'""",
    """comment on column public.sender_keys.registered_at is 'since when'""",
    """grant select on public.sender_keys to smolit_analyst""",
    """create view public.memories (tenant, person, memory_id, agent, subject, place, text, embedding, features_version, source, method, replaces, learned_at, forgotten_at, state) as
select known.tenant, known.person, known.memory_id, known.agent, known.subject, known.place, known.text, known.embedding, known.features_version, known.source, known.method, known.replaces, known.learned_at, known.forgotten_at, case when known.forgotten_at is not null then 'forgotten'
  when exists (select from g1.memories_v1 as later where later.tenant = known.tenant and later.person = known.person
    and later.agent is not distinct from known.agent and later.place > known.place
    and (later.subject = known.subject or later.replaces = known.memory_id)) then 'corrected'
  else 'holds' end as state
from g1.memories_v1 as known""",
    """comment on view public.memories is 'What is remembered of each user, with what held before.'""",
    """comment on column public.memories.tenant is 'whose user it is'""",
    """comment on column public.memories.person is 'the user that it is about'""",
    """comment on column public.memories.memory_id is 'id of the memory'""",
    """comment on column public.memories.agent is 'the agent that alone may use it; null: whoever works for the user'""",
    """comment on column public.memories.subject is 'what it is about; two of one subject contradict each other'""",
    """comment on column public.memories.place is 'offset in the user''s partition: which of two came later'""",
    """comment on column public.memories.text is 'what is remembered; null: forgotten'""",
    """comment on column public.memories.embedding is 'vector of the text; null: forgotten, or it cannot be compared'""",
    """comment on column public.memories.features_version is 'version of the features: vectors of different ones cannot be compared'""",
    """comment on column public.memories.source is 'the message or the request that said it'""",
    """comment on column public.memories.method is 'what read it out: rules and their version, a model, or a person'""",
    """comment on column public.memories.replaces is 'the memory that it corrects'""",
    """comment on column public.memories.learned_at is 'when'""",
    """comment on column public.memories.forgotten_at is 'when it was forgotten; null: it was not'""",
    """comment on column public.memories.state is 'holds, corrected (a later one of its subject holds) or forgotten'""",
    """grant select on public.memories to smolit_analyst""",
)


def upgrade() -> None:
    """No release before this one knew conversations, so the new tables are empty in every generation, as its log says."""
    _operational()
    for generation, state in _generations():
        _tables(generation)
        _views(generation, state)
        for name, digest in _SHAPES.items():
            _shape(generation, "shape || jsonb_build_object(cast(:name as text), cast(:digest as text))", name=name, digest=digest)


def downgrade() -> None:
    """Forget what was said and who may say it; the log keeps it."""
    for view in _SHAPES:
        op.execute(f"drop view if exists public.{view}")
    for generation, _ in _generations(""):
        for view in _SHAPES:
            op.execute(f"drop view if exists {generation}.{view}")
        for table in _TABLES:
            op.drop_table(table, schema=generation)
        for name in _SHAPES:
            _shape(generation, "shape - cast(:name as text)", name=name)
    for table in ("mailbox", "known_message", "talk", "sender_key"):
        op.drop_table(table, schema="ops")


def _generations(which: str = "and not shape ? 'messages'") -> list[tuple[str, str]]:
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


def _operational() -> None:
    op.create_table(
        "sender_key",
        sa.Column("tenant", sa.Text(), nullable=False, comment='whose sender it is'),
        sa.Column("sender", sa.Text(), nullable=False, comment='agent, or `user:` and a name'),
        sa.Column("key_id", sa.Text(), nullable=False, comment="start of the key's sha256"),
        sa.Column("public_key", sa.Text(), nullable=False, comment='Ed25519 public key, base64'),
        sa.Column("scope", postgresql.JSONB(astext_type=sa.Text()), nullable=False, comment='what the key may be used for'),
        sa.Column("replaces", sa.Text(), nullable=True, comment='id of the key before'),
        sa.Column("registered_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text('now()'), nullable=False, comment='since when'),
        sa.Column("replaced_at", postgresql.TIMESTAMP(timezone=True), nullable=True, comment='until when; null: in use'),
        sa.PrimaryKeyConstraint("tenant", "sender", "key_id"),
        schema="ops",
        comment='Public keys of those who send messages; of each sender one is in use.',
    )
    op.create_table(
        "talk",
        sa.Column("tenant", sa.Text(), nullable=False, comment='whose conversation it is'),
        sa.Column("conversation_id", sa.Text(), nullable=False, comment='id of the conversation'),
        sa.Column("opened_by", sa.Text(), nullable=False, comment='sender of its first message that was delivered'),
        sa.PrimaryKeyConstraint("tenant", "conversation_id"),
        schema="ops",
        comment='Who began each conversation: of people nobody else writes into it.',
    )
    op.create_table(
        "known_message",
        sa.Column("tenant", sa.Text(), nullable=False, comment='whose message it is'),
        sa.Column("message_id", sa.Text(), nullable=False, comment='id of the message'),
        sa.Column("conversation_id", sa.Text(), nullable=False, comment='conversation that it belongs to'),
        sa.Column("sender", sa.Text(), nullable=False, comment='who said it'),
        sa.Column("recipient", sa.Text(), nullable=False, comment='for whom'),
        sa.Column("answered", sa.Boolean(), server_default=sa.text('false'), nullable=False, comment='a response or an error came'),
        sa.Column("expires_at", postgresql.TIMESTAMP(timezone=True), nullable=True, comment='from when on an answer is late; null: never'),
        sa.PrimaryKeyConstraint("tenant", "message_id"),
        schema="ops",
        comment='Messages that were delivered: what comes twice is a replay, and a reply has something to answer.',
    )
    op.create_table(
        "mailbox",
        sa.Column("tenant", sa.Text(), nullable=False, comment='whose message it is'),
        sa.Column("recipient", sa.Text(), nullable=False, comment='in whose mailbox it lies'),
        sa.Column("message_id", sa.Text(), nullable=False, comment='id of the message'),
        sa.Column("number", sa.BigInteger(), sa.Identity(always=False), nullable=False, comment='order of arrival'),
        sa.Column("priority", sa.SmallInteger(), nullable=False, comment='9 first, 0 last'),
        sa.Column("expires_at", postgresql.TIMESTAMP(timezone=True), nullable=True, comment='not handled from then on; null: never expires'),
        sa.Column("fact", sa.LargeBinary(), nullable=False, comment='the message as it was sent, as JSON'),
        sa.Column("cause", sa.LargeBinary(), nullable=False, comment='envelope of the message, as JSON'),
        sa.Column("epoch", sa.Integer(), server_default=sa.text('0'), nullable=False, comment='how often it was taken'),
        sa.Column("taken_by", sa.Text(), nullable=True, comment='who took it last'),
        sa.Column("lease_until", postgresql.TIMESTAMP(timezone=True), nullable=True, comment='taken until then; null: it waits'),
        sa.PrimaryKeyConstraint("tenant", "recipient", "message_id"),
        schema="ops",
        comment='Messages that wait for a recipient or are being handled; settled ones are gone.',
    )
    op.create_index("mailbox_next", "mailbox", ["recipient", sa.text('priority desc'), "number"], schema='ops')


def _tables(generation: str) -> None:
    op.create_table(
        "messages_v1",
        sa.Column("tenant", sa.Text(), autoincrement=False, nullable=False, comment='whose conversation it is'),
        sa.Column("message_id", sa.Text(), autoincrement=False, nullable=False, comment='id of the message'),
        sa.Column("request_id", sa.Text(), autoincrement=False, nullable=False, comment='what sent it; the same message under another one is a replay'),
        sa.Column("conversation_id", sa.Text(), nullable=True, comment='id of the conversation'),
        sa.Column("place", sa.BigInteger(), nullable=True, comment="offset in the conversation's partition: the order of the thread"),
        sa.Column("sender", sa.Text(), nullable=True, comment='who says it'),
        sa.Column("recipient", sa.Text(), nullable=True, comment='for whom; * is everybody'),
        sa.Column("kind", sa.Text(), nullable=True, comment='query, response, clarification, update, handoff, error or broadcast'),
        sa.Column("text", sa.Text(), nullable=True, comment='what is said; null: forgotten'),
        sa.Column("body", postgresql.JSONB(astext_type=sa.Text()), nullable=True, comment='what goes with it, for programs; null: forgotten'),
        sa.Column("priority", sa.Integer(), nullable=True, comment='9 first, 0 last'),
        sa.Column("expires_at", postgresql.TIMESTAMP(timezone=True), nullable=True, comment='not handled from then on; null: never expires'),
        sa.Column("in_reply_to", sa.Text(), nullable=True, comment='the message that it answers'),
        sa.Column("sent_at", postgresql.TIMESTAMP(timezone=True), nullable=True, comment='when it was taken in'),
        sa.Column("delivered_at", postgresql.TIMESTAMP(timezone=True), nullable=True, comment='when it was checked and lay where its recipients find it'),
        sa.Column("refused", sa.Text(), nullable=True, comment='code of why it reached nobody'),
        sa.Column("detail", sa.Text(), nullable=True, comment='the same as a sentence'),
        sa.Column("forgotten_at", postgresql.TIMESTAMP(timezone=True), nullable=True, comment='since when its words are gone, with a memory that was read from them'),
        sa.PrimaryKeyConstraint("tenant", "message_id", "request_id"),
        schema=generation,
        comment='Messages of conversations, in the order of the log.',
    )
    op.create_index("messages_v1_thread", "messages_v1", ["tenant", "conversation_id", "place"], schema=generation)
    op.create_table(
        "message_ends_v1",
        sa.Column("tenant", sa.Text(), autoincrement=False, nullable=False, comment='whose conversation it is'),
        sa.Column("message_id", sa.Text(), autoincrement=False, nullable=False, comment='id of the message'),
        sa.Column("recipient", sa.Text(), autoincrement=False, nullable=False, comment='who is done with it'),
        sa.Column("conversation_id", sa.Text(), nullable=True, comment='id of the conversation'),
        sa.Column("outcome", sa.Text(), nullable=True, comment='handled, expired or parked'),
        sa.Column("reason", sa.Text(), nullable=True, comment='why it was parked'),
        sa.Column("settled_at", postgresql.TIMESTAMP(timezone=True), nullable=True, comment='when'),
        sa.PrimaryKeyConstraint("tenant", "message_id", "recipient"),
        schema=generation,
        comment='What each recipient did with a message.',
    )
    op.create_table(
        "contexts_v1",
        sa.Column("tenant", sa.Text(), autoincrement=False, nullable=False, comment='whose conversation it is'),
        sa.Column("conversation_id", sa.Text(), autoincrement=False, nullable=False, comment='id of the conversation'),
        sa.Column("message_id", sa.Text(), autoincrement=False, nullable=False, comment='the message that was answered'),
        sa.Column("budget_tokens", sa.BigInteger(), nullable=True, comment='tokens that the context may have'),
        sa.Column("used_tokens", sa.BigInteger(), nullable=True, comment='tokens that it has'),
        sa.Column("parts", postgresql.JSONB(astext_type=sa.Text()), nullable=True, comment='tokens by sort of part'),
        sa.Column("left_out", sa.BigInteger(), nullable=True, comment='parts that had no room'),
        sa.Column("memories", postgresql.JSONB(astext_type=sa.Text()), nullable=True, comment='ids of the memories that were used'),
        sa.Column("used_at", postgresql.TIMESTAMP(timezone=True), nullable=True, comment='when'),
        sa.PrimaryKeyConstraint("tenant", "conversation_id", "message_id"),
        schema=generation,
        comment='What each answer was made with.',
    )
    op.create_table(
        "sender_keys_v1",
        sa.Column("tenant", sa.Text(), autoincrement=False, nullable=False, comment='whose sender it is'),
        sa.Column("sender", sa.Text(), autoincrement=False, nullable=False, comment='agent, or `user:` and a name'),
        sa.Column("key_id", sa.Text(), autoincrement=False, nullable=False, comment="start of the key's sha256"),
        sa.Column("public_key", sa.Text(), nullable=True, comment='Ed25519 public key, base64'),
        sa.Column("scope", postgresql.JSONB(astext_type=sa.Text()), nullable=True, comment='what the key may be used for'),
        sa.Column("replaces", sa.Text(), nullable=True, comment='id of the key before'),
        sa.Column("registered_at", postgresql.TIMESTAMP(timezone=True), nullable=True, comment='since when'),
        sa.PrimaryKeyConstraint("tenant", "sender", "key_id"),
        schema=generation,
        comment='Public keys of those who send messages; one that another replaces is in use no more.',
    )
    op.create_table(
        "memories_v1",
        sa.Column("tenant", sa.Text(), autoincrement=False, nullable=False, comment='whose user it is'),
        sa.Column("person", sa.Text(), autoincrement=False, nullable=False, comment='the user that it is about'),
        sa.Column("memory_id", sa.Text(), autoincrement=False, nullable=False, comment='id of the memory'),
        sa.Column("agent", sa.Text(), nullable=True, comment='the agent that alone may use it; null: whoever works for the user'),
        sa.Column("subject", sa.Text(), nullable=True, comment='what it is about; two of one subject contradict each other'),
        sa.Column("place", sa.BigInteger(), nullable=True, comment="offset in the user's partition: which of two came later"),
        sa.Column("text", sa.Text(), nullable=True, comment='what is remembered; null: forgotten'),
        sa.Column("embedding", HALFVEC(384), nullable=True, comment='vector of the text; null: forgotten, or it cannot be compared'),
        sa.Column("features_version", sa.Text(), nullable=True, comment='version of the features: vectors of different ones cannot be compared'),
        sa.Column("source", sa.Text(), nullable=True, comment='the message or the request that said it'),
        sa.Column("method", sa.Text(), nullable=True, comment='what read it out: rules and their version, a model, or a person'),
        sa.Column("replaces", sa.Text(), nullable=True, comment='the memory that it corrects'),
        sa.Column("learned_at", postgresql.TIMESTAMP(timezone=True), nullable=True, comment='when'),
        sa.Column("forgotten_at", postgresql.TIMESTAMP(timezone=True), nullable=True, comment='when it was forgotten; null: it was not'),
        sa.PrimaryKeyConstraint("tenant", "person", "memory_id"),
        schema=generation,
        comment='What is remembered of each user, with what held before.',
    )
    op.create_index("memories_v1_subject", "memories_v1", ["tenant", "person", "subject", "place"], schema=generation)
