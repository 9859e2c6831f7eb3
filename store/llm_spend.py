"""What language models took, by task, agent and tenant's day: set aside before each call, settled after it.

The rows are the limits' memory and nothing more: what is reported comes from facts. Whoever sets aside and dies leaves the
estimate behind, so a limit is rather reached too early than passed.
"""

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct
from sqlalchemy import BigInteger, Column, DateTime, Table, Text, text

from store.metadata import metadata
from store.postgres import Connection

Kind = Literal["task", "agent", "tenant"]
WHOLE = ""  # the period of what is counted without regard to days
_NO_LIMIT = 2**62

llm_spend = Table(
    "llm_spend",
    metadata,
    Column("tenant", Text, primary_key=True, comment="whose calls"),
    Column("kind", Text, primary_key=True, comment="what is counted: a task, an agent's day, or the tenant's day"),
    Column("name", Text, primary_key=True, comment="id of the task or the agent; empty for the tenant"),
    Column("period", Text, primary_key=True, comment="the day in UTC; empty for a task"),
    Column("tokens", BigInteger, nullable=False, comment="tokens read and written, and set aside"),
    Column("microusd", BigInteger, nullable=False, comment="millionths of a dollar spent and set aside"),
    Column("duration_us", BigInteger, nullable=False, comment="microseconds of models' time used and set aside"),
    Column("calls", BigInteger, nullable=False, comment="calls made and under way"),
    Column("begun_at", DateTime(timezone=True), nullable=False, server_default=text("now()"), comment="counted since"),
    comment="What language models took per task, agent and day, including what calls under way may take.",
)

_ADD = """
insert into ops.llm_spend as known (tenant, kind, name, period, tokens, microusd, duration_us, calls)
values (%(tenant)s, %(kind)s, %(name)s, %(period)s, %(tokens)s, %(microusd)s, %(duration_us)s, %(calls)s)
on conflict (tenant, kind, name, period) do update set
  tokens = known.tokens + excluded.tokens, microusd = known.microusd + excluded.microusd,
  duration_us = known.duration_us + excluded.duration_us, calls = known.calls + excluded.calls"""
_RESERVE = f"""{_ADD}
where known.tokens + excluded.tokens <= %(most_tokens)s and known.microusd + excluded.microusd <= %(most_microusd)s
  and known.duration_us + excluded.duration_us <= %(most_us)s and known.calls + excluded.calls <= %(most_calls)s
returning 1"""
_KNOWN = """
select tokens, microusd, duration_us, calls from ops.llm_spend
where tenant = %s and kind = %s and name = %s and period = %s"""
_FORGET = """
delete from ops.llm_spend where ctid in (
  select ctid from ops.llm_spend where begun_at < now() - interval '40 days' limit 100)"""


class Amount(Struct, frozen=True):
    """Tokens, millionths of a dollar, microseconds and calls."""

    tokens: int = 0
    microusd: int = 0
    duration_us: int = 0
    calls: int = 0

    def minus(self, other: "Amount") -> "Amount":
        """Return the difference."""
        return Amount(
            self.tokens - other.tokens,
            self.microusd - other.microusd,
            self.duration_us - other.duration_us,
            self.calls - other.calls,
        )


class Limits(Struct, frozen=True):
    """What may be used at most; None: as much as one likes."""

    tokens: int | None = None
    microusd: int | None = None
    duration_us: int | None = None
    calls: int | None = None


class Account(Struct, frozen=True):
    """What is counted together, and its limits. All are taken in one order, so that two calls never wait in a ring."""

    tenant: str
    kind: Kind
    name: str
    period: str
    limits: Limits = Limits()


class Exceeded(Exception):
    """An account does not allow it."""

    def __init__(self, account: Account, known: Amount, asked: Amount) -> None:
        super().__init__(f"{account.kind} {account.name}")
        self.account, self.known, self.asked = account, known, asked


async def reserve(connection: Connection, accounts: Sequence[Account], asked: Amount) -> None:
    """Set aside in every account, or in none.

    Raises:
        Exceeded: one does not allow it.
    """
    async with connection.transaction():
        for account in accounts:
            nothing_yet = _fits(asked, account.limits)
            cursor = await connection.execute(_RESERVE, _row(account, asked) | _most(account.limits)) if nothing_yet else None
            if cursor is None or await cursor.fetchone() is None:
                raise Exceeded(account, await known(connection, account), asked)


async def settle(connection: Connection, accounts: Sequence[Account], asked: Amount, spent: Amount) -> None:
    """Replace what was set aside by what was spent; forget what is long past."""
    change = spent.minus(asked)
    async with connection.transaction():
        for account in accounts:
            await connection.execute(_ADD, _row(account, change))
    await connection.execute(_FORGET)


async def known(connection: Connection, account: Account) -> Amount:
    """Return what an account holds."""
    key = (account.tenant, account.kind, account.name, account.period)
    row = await (await connection.execute(_KNOWN, key)).fetchone()
    return Amount(*row) if row else Amount()


def _fits(asked: Amount, limits: Limits) -> bool:
    """Say whether an amount fits into an empty account: the first row of an account is not compared by Postgres."""
    pairs = (
        (asked.tokens, limits.tokens),
        (asked.microusd, limits.microusd),
        (asked.duration_us, limits.duration_us),
        (asked.calls, limits.calls),
    )
    return all(most is None or amount <= most for amount, most in pairs)


def _row(account: Account, amount: Amount) -> dict[str, object]:
    return {
        "tenant": account.tenant,
        "kind": account.kind,
        "name": account.name,
        "period": account.period,
        "tokens": amount.tokens,
        "microusd": amount.microusd,
        "duration_us": amount.duration_us,
        "calls": amount.calls,
    }


def _most(limits: Limits) -> dict[str, int]:
    given = {
        "most_tokens": limits.tokens,
        "most_microusd": limits.microusd,
        "most_us": limits.duration_us,
        "most_calls": limits.calls,
    }
    return {name: _NO_LIMIT if limit is None else limit for name, limit in given.items()}
