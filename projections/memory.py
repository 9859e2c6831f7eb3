"""Read model `memories`: what is remembered of each user, what holds of it, and vectors to find it by.

Of two memories of one subject the later one in the log holds; the other stays in the history. What is forgotten leaves neither
words nor vector. Recall looks at one user's memories alone, so the scan is exact and needs no index.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime

from msgspec import Struct
from pgvector.sqlalchemy import HALFVEC
from sqlalchemy import BigInteger, Index, Table, Text

from events.conversation import MemoryCorrected, MemoryForgotten, MemoryLearned
from projections.column import TIME, earliest, key, metadata, once
from projections.errors import VectorUnfit
from projections.merge import Merge, Row, told
from projections.projection import Compared, Logged, Projection, fetch
from projections.similar import WIDTH, Vector, vector_of
from projections.statement import Statement
from projections.view import view_of
from store.postgres import Connection

_TABLE = Table(
    "memories_v1",
    metadata,
    key("tenant", Text, "whose user it is"),
    key("person", Text, "the user that it is about"),
    key("memory_id", Text, "id of the memory"),
    once("agent", Text, "the agent that alone may use it; null: whoever works for the user"),
    once("subject", Text, "what it is about; two of one subject contradict each other"),
    once("place", BigInteger, "offset in the user's partition: which of two came later"),
    once("text", Text, "what is remembered; null: forgotten"),
    once("embedding", HALFVEC(WIDTH), "vector of the text; null: forgotten, or it cannot be compared"),
    once("features_version", Text, "version of the features: vectors of different ones cannot be compared"),
    once("source", Text, "the message or the request that said it"),
    once("method", Text, "what read it out: rules and their version, a model, or a person"),
    once("replaces", Text, "the memory that it corrects"),
    once("learned_at", TIME, "when"),
    earliest("forgotten_at", TIME, "when it was forgotten; null: it was not"),
    Index("memories_v1_subject", "tenant", "person", "subject", "place"),
    comment="What is remembered of each user, with what held before.",
)
# The later one of a subject holds; one that is forgotten does not let the one before it come back.
_STATE = """case when known.forgotten_at is not null then 'forgotten'
  when exists (select from memories_v1 as later where later.tenant = known.tenant and later.person = known.person
    and later.agent is not distinct from known.agent and later.place > known.place
    and (later.subject = known.subject or later.replaces = known.memory_id)) then 'corrected'
  else 'holds' end"""
_VIEW = view_of("memories", _TABLE, {"state": (_STATE, "holds, corrected (a later one of its subject holds) or forgotten")})
_SENT = f"""(select tenant, person, memory_id, agent, subject, place, text, features_version, source, method, replaces,
  learned_at, forgotten_at, array_send(embedding::real[]) as embedding from {_TABLE.name}) as sent"""  # noqa: S608 the name is ours
_MERGE = Merge(_TABLE, blanked={"text": "forgotten_at", "embedding": "forgotten_at"})


class MemoryRow(Struct, frozen=True, kw_only=True):
    """One memory of a user."""

    memory_id: str
    person: str
    agent: str | None
    subject: str | None
    state: str
    text: str | None
    source: str | None
    method: str | None
    replaces: str | None
    learned_at: datetime | None
    forgotten_at: datetime | None


class Recalled(Struct, frozen=True, kw_only=True):
    """A memory that holds, and how near it is to what was asked."""

    memory_id: str
    subject: str
    text: str
    learned_at: datetime
    cosine: float


_COLUMNS = ", ".join(MemoryRow.__struct_fields__)
_NEAR = """
select memory_id, subject, text, learned_at, 1 - (embedding <=> %(vector)s::halfvec(384)) as cosine
from public.memories
where tenant = %(tenant)s and person = %(person)s and state = 'holds' and features_version = %(version)s
  and embedding is not null and (agent is null or agent = %(agent)s)
order by embedding <=> %(vector)s::halfvec(384), memory_id limit %(k)s"""


async def memories(connection: Connection, tenant: str, person: str) -> list[MemoryRow]:
    """Return all memories of a user, the newest first."""
    query = f"""select {_COLUMNS} from public.memories where tenant = %s and person = %s
        order by place desc nulls last, memory_id"""  # noqa: S608 columns are ours
    return await fetch(connection, MemoryRow, query, (tenant, person))


async def recall(connection: Connection, tenant: str, person: str, agent: str, vector: Vector, k: int) -> list[Recalled]:
    """Return the k memories of a user that hold and are nearest to a vector, nearest first; nobody else's are looked at."""
    told = {"vector": vector.text, "version": vector.features_version, "tenant": tenant, "person": person, "agent": agent}
    return await fetch(connection, Recalled, _NEAR, {**told, "k": k})


def rows(logged: Logged) -> Iterator[Row]:
    """Yield what one fact says of a memory; a vector that cannot be compared is left out."""
    fact, at = logged.event.fact, logged.event.envelope.time
    match fact:
        case MemoryLearned() | MemoryCorrected():
            said = told(fact, "tenant", "memory_id", "agent", "subject", "text", "source", "method")
            replaces = fact.replaces if isinstance(fact, MemoryCorrected) else None
            known = {**said, "person": fact.user, "replaces": replaces, "place": logged.offset, "learned_at": at}
            yield {**known, "features_version": fact.features.version, **_embedding(fact.features.embedding)}
        case MemoryForgotten():
            yield {**told(fact, "tenant", "memory_id"), "person": fact.user, "forgotten_at": at}


def _embedding(embedding: bytes) -> Row:
    try:
        vector_of(embedding, "")
    except VectorUnfit:
        return {}
    return {"embedding": embedding}


def write(facts: Sequence[Logged]) -> list[Statement]:
    """Return what writes memories."""
    return _MERGE.plan(row for logged in facts for row in rows(logged))


MEMORIES = Projection(
    name="memories",
    version=1,
    tables=(_TABLE,),
    views=(_VIEW,),
    reads=(MemoryLearned, MemoryCorrected, MemoryForgotten),
    compared=(Compared("memories", _SENT, ("tenant", "person", "memory_id")),),
    write=write,
)
