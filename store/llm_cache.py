"""Answers of language models that may be given again, for a while; and how often that happened."""

from msgspec import Struct
from sqlalchemy import BigInteger, Column, Date, DateTime, Index, LargeBinary, Table, Text

from store.metadata import metadata
from store.postgres import Connection

llm_cache = Table(
    "llm_cache",
    metadata,
    Column("tenant", Text, primary_key=True, comment="whose answer; nobody else is given it"),
    Column("key", Text, primary_key=True, comment="sha256 of tenant, prompt and model"),
    Column("content", LargeBinary, nullable=False, comment="the answer as JSON"),
    Column("expires_at", DateTime(timezone=True), nullable=False, comment="given until"),
    Index("llm_cache_expires_at", "expires_at"),
    comment="Answers of language models that are given again.",
)
llm_cache_tally = Table(
    "llm_cache_tally",
    metadata,
    Column("tenant", Text, primary_key=True, comment="whose questions"),
    Column("day", Date, primary_key=True, comment="the day in UTC"),
    Column("hits", BigInteger, nullable=False, comment="questions answered out of the cache"),
    Column("misses", BigInteger, nullable=False, comment="questions that it had no answer to"),
    Column("saved_tokens", BigInteger, nullable=False, comment="tokens that the kept answers had taken"),
    Column("saved_microusd", BigInteger, nullable=False, comment="what they had cost, in millionths of a dollar, where known"),
    Column("saved_us", BigInteger, nullable=False, comment="microseconds that they had taken"),
    comment="How often answers were given again, and what that saved.",
)

_GET = "select content from ops.llm_cache where tenant = %s and key = %s and expires_at > now()"
_PUT = """
insert into ops.llm_cache (tenant, key, content, expires_at) values (%s, %s, %s, now() + make_interval(secs => %s))
on conflict (tenant, key) do update set content = excluded.content, expires_at = excluded.expires_at"""
_EXPIRE = """
delete from ops.llm_cache where ctid in (select ctid from ops.llm_cache where expires_at <= now() limit 100)"""
_COUNT = """
insert into ops.llm_cache_tally as known (tenant, day, hits, misses, saved_tokens, saved_microusd, saved_us)
values (%s, (now() at time zone 'utc')::date, %s, %s, %s, %s, %s)
on conflict (tenant, day) do update set hits = known.hits + excluded.hits, misses = known.misses + excluded.misses,
  saved_tokens = known.saved_tokens + excluded.saved_tokens, saved_microusd = known.saved_microusd + excluded.saved_microusd,
  saved_us = known.saved_us + excluded.saved_us"""
_TALLY = """
select coalesce(sum(hits), 0)::bigint, coalesce(sum(misses), 0)::bigint, coalesce(sum(saved_tokens), 0)::bigint,
  coalesce(sum(saved_microusd), 0)::bigint, coalesce(sum(saved_us), 0)::bigint
from ops.llm_cache_tally where tenant = %s"""
_KEPT = "select count(*) from ops.llm_cache where tenant = %s and expires_at > now()"
_CLEAR = "delete from ops.llm_cache where tenant = %s"


class Tally(Struct, frozen=True):
    """Hits and misses, and what the hits had taken when they were answered first."""

    hits: int = 0
    misses: int = 0
    saved_tokens: int = 0
    saved_microusd: int = 0
    saved_us: int = 0


async def get(connection: Connection, tenant: str, key: str) -> bytes | None:
    """Return what is kept and has not expired."""
    row = await (await connection.execute(_GET, (tenant, key))).fetchone()
    return bytes(row[0]) if row else None


async def put(connection: Connection, tenant: str, key: str, content: bytes, keep_s: float) -> None:
    """Keep something for so many seconds, and let go of what has expired."""
    await connection.execute(_PUT, (tenant, key, content, keep_s))
    await connection.execute(_EXPIRE)


async def count(connection: Connection, tenant: str, more: Tally) -> None:
    """Add to today's tally."""
    await connection.execute(_COUNT, (tenant, more.hits, more.misses, more.saved_tokens, more.saved_microusd, more.saved_us))


async def tally(connection: Connection, tenant: str) -> Tally:
    """Return the tally of all days."""
    row = await (await connection.execute(_TALLY, (tenant,))).fetchone()
    return Tally(*row) if row else Tally()


async def kept(connection: Connection, tenant: str) -> int:
    """Return how many answers are kept."""
    row = await (await connection.execute(_KEPT, (tenant,))).fetchone()
    return int(row[0]) if row else 0


async def clear(connection: Connection, tenant: str) -> int:
    """Forget every answer of a tenant; return how many."""
    return (await connection.execute(_CLEAR, (tenant,))).rowcount
