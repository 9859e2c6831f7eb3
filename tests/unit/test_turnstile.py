"""Who may ask the local model next, and for how long."""

import asyncio
import time

import pytest

from agents.llm.turnstile import Turnstile, share_s


@pytest.mark.parametrize(
    ("ends", "waiting", "share"),
    [
        (10.0, [], 10.0),
        (10.0, [10.0], 5.0),
        (10.0, [10.0, 10.0, 10.0], 2.5),
        (30.0, [4.0], 4.0),  # whoever waits has a tighter end: it needs as much before that
        (4.0, [100.0, 100.0], 4.0),  # there is time for those later
        (-1.0, [5.0], 0.0),
    ],
)
def test_a_share_leaves_as_much_to_each_before_its_end(ends: float, waiting: list[float], share: float) -> None:
    """Earliest deadline first, with equal shares, is in time for all."""
    assert share_s(0.0, ends, waiting) == pytest.approx(share)


async def test_the_tightest_deadline_is_next_and_one_at_a_time() -> None:
    """Whoever came first has it; of those that wait, the one that has least time; nobody overlaps."""
    turnstile, done, inside = Turnstile(time.monotonic), list[str](), 0

    async def ask(name: str, ends: float) -> None:
        nonlocal inside
        async with turnstile.turn(time.monotonic() + ends):
            inside += 1
            assert inside == 1
            await asyncio.sleep(0.01)
            inside -= 1
            done.append(name)

    await asyncio.gather(ask("first", 90), ask("calm", 60), ask("hurried", 30), ask("later", 70))

    assert done == ["first", "hurried", "calm", "later"]


async def test_who_gave_up_waiting_blocks_nobody() -> None:
    """One whose time is over, and one that is cancelled, are passed over; afterwards the turn is free."""
    turnstile = Turnstile(time.monotonic)

    async def ask(ends: float) -> str:
        async with turnstile.turn(time.monotonic() + ends):
            return "done"

    async with turnstile.turn(time.monotonic() + 60):
        waiting = [asyncio.create_task(ask(ends)) for ends in (0.05, 40, 50)]
        with pytest.raises(TimeoutError):
            await waiting[0]
        waiting[1].cancel()
        await asyncio.sleep(0)
    async with asyncio.timeout(5):
        assert await waiting[2] == "done"
        assert await ask(60) == "done"
