"""Budgets as the chain sees them: an estimate is set aside before a call, and replaced by what it really took."""

from typing import Protocol

from msgspec import Struct

from agents.port import Ask


class OverBudget(Exception):
    """A limit does not allow the call; the message names it."""


class Charge(Struct, frozen=True):
    """What a call takes: tokens, millionths of a dollar (None: nobody knows the price), microseconds, and calls."""

    tokens: int
    microusd: int | None
    duration_us: int
    calls: int = 1


class Purse(Protocol):
    """Sets aside and settles; limits hold over every worker."""

    async def reserve(self, ask: Ask, most: Charge) -> None:
        """Set aside what a call may take.

        Raises:
            OverBudget: a limit of the task, the agent, or the tenant's day does not allow it.
        """
        ...

    async def settle(self, ask: Ask, most: Charge, spent: Charge) -> None:
        """Replace what was set aside by what was spent."""
        ...


class NoPurse:
    """Limits nothing."""

    async def reserve(self, ask: Ask, most: Charge) -> None:
        """Allow it."""

    async def settle(self, ask: Ask, most: Charge, spent: Charge) -> None:
        """Note nothing."""
