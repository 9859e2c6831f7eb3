"""What a network costs before anybody makes it: how many numbers it learns, and what a look at one text takes. Pure.

All shapes are compared at equal cost: as many numbers as the starting net has, within NEAR.
"""

from msgspec.structs import replace

from training.errors import ShapeImpossible
from training.job import TARGETS, Words

NEAR = 0.05  # of the starting net's numbers
_START = {"kind": "multitask", "depth": 1, "heads": 1, "agent": 8, "axes": 0}
_WIDEST = 8  # times `hidden`: a net without attention that looks at few axes is at most so much wider


def seen(width: int, axes: int) -> int:
    """Return how many numbers of a context a network looks at, the bias included."""
    return width if axes == 0 else min(axes + 1, width)


def inner(hidden: int, heads: int) -> int:
    """Return the width of all attention heads together."""
    return max(1, hidden // heads) * heads if heads else 0


def numbers(words: Words, width: int, agents: int, hidden: int) -> int:
    """Return how many numbers a network of this width learns; `agents` without the place of nobody."""
    if words.kind == "linear":
        return len(TARGETS) * (agents + 1) * width
    head = (agents + 1) + hidden + 1
    pair = (agents + 1) * words.agent + (seen(width, words.axes) + 1) * hidden + words.agent * hidden
    pair += words.depth * (hidden + 1) * hidden
    if words.kind == "mlp":
        return len(TARGETS) * (pair + head)
    return pair + _attention(hidden, words.heads) + len(TARGETS) * head


def operations(words: Words, width: int, agents: int, hidden: int) -> int:
    """Return the additions and multiplications of matrix products that one text with all agents takes."""
    if words.kind == "linear":
        return 2 * len(TARGETS) * agents * width
    pair = seen(width, words.axes) * hidden + agents * words.agent * hidden + words.depth * agents * hidden * hidden
    if words.kind == "mlp":
        return 2 * len(TARGETS) * (pair + agents * hidden)
    wide = inner(hidden, words.heads)
    attention = 3 * agents * hidden * wide + 2 * agents * agents * wide + (agents * wide * hidden if words.heads > 1 else 0)
    return 2 * (pair + attention + len(TARGETS) * agents * hidden)


def budget(words: Words, width: int, agents: int) -> int:
    """Return how many numbers the starting net of these words has."""
    return numbers(replace(words, **_START), width, agents, words.hidden)


def hidden_of(words: Words, width: int, agents: int) -> int:
    """Return how wide a network is that has about as many numbers as the starting net."""
    if words.kind == "linear":
        return words.hidden
    wanted = budget(words, width, agents)
    return min(range(1, _WIDEST * words.hidden + 1), key=lambda each: abs(numbers(words, width, agents, each) - wanted))


def check_cost(words: Words, width: int, agents: int) -> int:
    """Return how wide a network is that has as many numbers as the starting net, within NEAR; raises ShapeImpossible."""
    wanted, found = budget(words, width, agents), hidden_of(words, width, agents)
    if abs(numbers(words, width, agents, found) - wanted) > NEAR * wanted:
        raise ShapeImpossible(
            f"no {words.kind} network with depth {words.depth}, {words.heads} heads, {words.agent} numbers an agent and axes "
            f"{words.axes} has {wanted:,} numbers within {NEAR:.0%}"
        )
    return found


def _attention(hidden: int, heads: int) -> int:
    if heads == 0:
        return 0
    wide = inner(hidden, heads)
    return 2 * hidden * wide + (hidden + 1) * wide + ((wide + 1) * hidden if heads > 1 else 0)
