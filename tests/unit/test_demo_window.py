"""The demo's window: never wider than allowed, never narrower than the least, and led by the waits it is told of."""

import asyncio

from smolit.demo.window import LEAST, Window


def test_short_waits_widen_it_up_to_the_most() -> None:
    """A machine that answers quickly gets more to do, up to the limit."""
    window = Window(most=8, target_s=0.03)
    for _ in range(100):
        window.told(0.01)

    assert window.size == 8


def test_long_waits_narrow_it_down_to_the_least() -> None:
    """A machine that lets requests wait gets less to do."""
    window = Window(most=32, target_s=0.03)
    for wait in [0.01] * 50 + [0.5] * 200:
        window.told(wait)

    assert window.size == LEAST


def test_half_of_the_waits_lie_on_either_side() -> None:
    """Where the wait grows with the window, it settles where the wait is the target."""
    window = Window(most=32, target_s=0.03)
    for _ in range(500):
        window.told(window.size * 0.0015)

    assert abs(window.size - 20) <= 0.5


async def test_no_more_are_under_way_than_it_is_wide() -> None:
    """Whoever comes when it is full waits until somebody leaves."""
    window = Window(most=4, target_s=0.03)

    async def one() -> None:
        async with window:
            await asyncio.sleep(0)

    await asyncio.gather(*(one() for _ in range(50)))

    assert window.widest == 4
