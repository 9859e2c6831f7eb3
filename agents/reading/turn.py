"""Which way up a page lies: a scanner takes pages sideways and upside down. Pure.

The detector's corners begin at the upper left of the page, whatever way its text runs; its lines are set upright one by one
before they are read. How most long lines had to be turned tells how the page lies.
"""

import math
from collections.abc import Sequence

from agents.reading.page import Point, Spot

_LONG = 3.0  # a line is so many times as long as high: a single letter tells nothing


def quarters(boxes: Sequence[Sequence[Point]], flips: Sequence[tuple[float, bool]]) -> int:
    """Return by how many quarters clockwise a page was turned.

    Args:
        boxes: corners of what was found, clockwise from the upper left of the page.
        flips: of each line as it was cut out, standing ones laid down anticlockwise: how many times as long as high it is, and
            whether it was upside down then.
    """
    sides = [(math.dist(box[0], box[1]), math.dist(box[0], box[3])) for box in boxes]
    lying = sum(across for across, down in sides if across >= _LONG * down)
    standing = sum(down for across, down in sides if down >= _LONG * across)
    long = [(share, flipped) for share, flipped in flips if share >= _LONG]
    upside_down = 2 * sum(share for share, flipped in long if flipped) > sum(share for share, _ in long)
    return (1 if standing > lying else 0) + (2 if upside_down else 0)


def turned(spot: Spot, times: int) -> Spot:
    """Return a spot of a page that was turned so many quarters: its corners begin where its text does."""
    first, second, third, fourth = (*spot.corners[times:], *spot.corners[:times])
    return Spot((first, second, third, fourth), spot.text, spot.confidence)
