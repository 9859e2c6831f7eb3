"""What the chain stands on in this house: blob store and budgets in Postgres, over one connection that is opened late."""

import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

import msgspec
from msgspec import Struct

from agents.errors import AgentFailed
from agents.llm.purse import Charge, OverBudget
from agents.port import Ask
from events.agent import AgentSpec, Budget
from store import blob, llm_spend, work
from store.blob import BlobMissing
from store.lent import Lent
from store.llm_spend import WHOLE, Account, Amount, Exceeded, Limits
from store.postgres import Connection

EVERYBODY, ANY_AGENT = "", "*"
_KEPT_SPECS = 256


class LentBlobs:
    """The blob store over a lent connection."""

    def __init__(self, lent: Lent) -> None:
        self._lent = lent

    async def get(self, sha256: str) -> bytes:
        """Return what is stored under this digest.

        Raises:
            AgentFailed: nothing is.
        """
        async with self._lent.connection() as connection:
            try:
                return await blob.get(connection, sha256)
            except BlobMissing as error:
                raise AgentFailed("file_missing", str(error)) from error

    async def put(self, content: bytes) -> str:
        """Store content, once; return its sha256."""
        async with self._lent.connection() as connection:
            return await blob.put(connection, content)


class DayLimits(Struct, frozen=True):
    """Limits of a day (UTC), by tenant (and `""` for everybody): tokens, millionths of a dollar, seconds; by agent: tokens."""

    tokens: Mapping[str, float]
    microusd: Mapping[str, float]
    seconds: Mapping[str, float]
    agent_tokens: Mapping[str, int]

    def of_tenant(self, tenant: str) -> Limits:
        """Return a tenant's."""
        seconds = _whole(self.seconds, tenant)
        return Limits(
            _whole(self.tokens, tenant), _whole(self.microusd, tenant), None if seconds is None else seconds * 1_000_000
        )

    def of_agent(self, agent: str) -> Limits:
        """Return an agent's."""
        return Limits(self.agent_tokens.get(agent, self.agent_tokens.get(ANY_AGENT)))


class StoredPurse:
    """Budgets in Postgres, where all workers meet: of the task by the agent's spec, of the day by the settings."""

    def __init__(self, lent: Lent, limits: DayLimits, clock: Callable[[], datetime]) -> None:
        self._lent, self._limits, self._clock = lent, limits, clock
        self._specs: dict[bytes, Budget] = {}

    async def reserve(self, ask: Ask, most: Charge) -> None:
        """Set aside what a call may take.

        Raises:
            OverBudget: a limit of the task, the agent's or the tenant's day does not allow it.
        """
        async with self._lent.connection() as connection:
            accounts = await self._accounts(connection, ask)
            if most.microusd is None and any(one.limits.microusd is not None for one in accounts):
                raise OverBudget("money is limited, and SMOLIT_LLM_PRICES does not say what the model costs")
            try:
                await llm_spend.reserve(connection, accounts, _amount(most))
            except Exceeded as error:
                raise OverBudget(sentence(error)) from error

    async def settle(self, ask: Ask, most: Charge, spent: Charge) -> None:
        """Replace what was set aside by what was spent."""
        async with self._lent.connection() as connection:
            await llm_spend.settle(connection, await self._accounts(connection, ask), _amount(most), _amount(spent))

    async def _accounts(self, connection: Connection, ask: Ask) -> list[Account]:
        """Return what a call is counted in, in the order in which the rows are locked."""
        budget = await self._budget(connection, ask)
        day = ask.deadline.astimezone(UTC).date().isoformat()  # the same when it is settled, also after midnight
        return [
            Account(ask.tenant, "task", ask.task_id, WHOLE, Limits(budget.tokens, budget.microusd, None, budget.steps)),
            Account(ask.tenant, "agent", ask.agent, day, self._limits.of_agent(ask.agent)),
            Account(ask.tenant, "tenant", "", day, self._limits.of_tenant(ask.tenant)),
        ]

    async def _budget(self, connection: Connection, ask: Ask) -> Budget:
        """Return what one task may cost the agent, by its spec as it is now."""
        content = await work.spec_of(connection, ask.tenant, ask.agent)
        if content is None:
            return Budget()
        if content not in self._specs:
            while len(self._specs) >= _KEPT_SPECS:
                del self._specs[next(iter(self._specs))]
            self._specs[content] = msgspec.json.decode(content, type=AgentSpec).budget or Budget()
        return self._specs[content]


def sentence(error: Exceeded) -> str:
    """Say which limit does not allow a call."""
    account, known, asked, limits = error.account, error.known, error.asked, error.account.limits
    whose = {"task": "this task's", "agent": f"{account.name}'s daily", "tenant": f"{account.tenant}'s daily"}[account.kind]
    told = (
        ("tokens", known.tokens, asked.tokens, limits.tokens),
        ("millionths of a dollar", known.microusd, asked.microusd, limits.microusd),
        ("microseconds of models' time", known.duration_us, asked.duration_us, limits.duration_us),
        ("calls", known.calls, asked.calls, limits.calls),
    )
    for what, used, more, most in told:
        if most is not None and used + more > most:
            return f"{used} of {whose} {most} {what} are used or set aside, and this call may take {more}"
    return f"{whose} budget changed meanwhile"


def _amount(charge: Charge) -> Amount:
    return Amount(charge.tokens, charge.microusd or 0, charge.duration_us, charge.calls)


def _whole(limits: Mapping[str, float], tenant: str) -> int | None:
    """Return a tenant's limit, or everybody's; None for infinity."""
    limit = limits.get(tenant, limits.get(EVERYBODY, math.inf))
    return None if math.isinf(limit) else int(limit)
