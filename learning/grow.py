"""Grow trees whose structure all agents share: where do texts part those that are hard from those that are easy, and for whom?

A node holds an estimate f_a per agent; a child moves it by what its records add: a difficulty d for all, and the agent's
own share, both shrunk: d = D / (N + LEVEL), f_a += d + (R_a - n_a d) / (n_a + OWN) with R_a the sum of the agent's residuals
and D that of all. A split is the best of a few random (feature, threshold) pairs by the squared residuals it explains.
Rewards and residuals are summed as whole numbers of 2^-20 and 2^-16: sums are exact, in any order.
Source of the random pairs: Geurts, Ernst & Wehenkel, "Extremely randomized trees", 2006.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
Points = NDArray[np.float32]
Whole = NDArray[np.int64]

PAIRS = 20  # (feature, threshold) pairs tried at a node
DEPTH = 12
LEVEL, OWN = 20.0, 60.0  # records' worth of trust in "no harder than the parent", and in "as the parent says of this agent"
_FINE = 2.0**16
_ONE = 2.0**32  # a record counts this much in a packed sum, above every sum of residuals


@dataclass(frozen=True, slots=True)
class Tree:
    """One tree, node by node: `feature <= threshold` goes to `child`, else to the one after it; a leaf is its own child.

    `lift` is how far the leaf's parent stands from the root's estimate, one column an agent, the last for one never met.
    """

    feature: Whole
    threshold: Points
    child: Whole
    lift: Vector

    def bytes(self) -> bytes:
        """Return what tells it from any other tree."""
        return b"".join(part.tobytes() for part in (self.feature, self.threshold, self.child, self.lift))


class Crop:
    """What trees are grown from: points, agents (columns 0 to `agents` - 1) and rewards, and what the root says of each agent."""

    def __init__(self, points: Points, columns: Whole, rewards: Vector, root: Vector) -> None:
        self.points, self.columns, self.rewards, self.root = points, columns, rewards, root

    @property
    def agents(self) -> int:
        """How many agents have records; the root says one thing more, of an agent never met."""
        return len(self.root) - 1


def grow(crop: Crop, numbers: Iterable[int], least: int, seed: int) -> list[Tree]:
    """Return the trees of these numbers, whose leaves hold `least` records or more; the same seed gives the same ones."""
    return [_tree(crop, least, np.random.PCG64([seed, number])) for number in numbers]


class _Nodes:
    """A tree while it grows: what is known of each node, in the order in which nodes were made."""

    def __init__(self, root: Vector) -> None:
        self.feature, self.child = [0], [0]
        self.threshold, self.lift = [np.float32(np.inf)], [np.zeros((1, len(root)))]

    def split(self, parents: list[int], features: Whole, thresholds: Points, lift: Vector) -> list[int]:
        """Give each of these nodes two children, whose parent stands at `lift`; return the children."""
        first = len(self.child)
        made = range(first, first + 2 * len(parents))
        for node, feature, threshold, child in zip(parents, features.tolist(), thresholds, made[::2], strict=True):
            self.feature[node], self.threshold[node], self.child[node] = feature, threshold, child
        self.feature += [0] * len(made)
        self.child += made
        self.threshold += [np.float32(np.inf)] * len(made)
        self.lift.append(np.repeat(lift, 2, axis=0))
        return list(made)

    def tree(self) -> Tree:
        """Return the tree as it stands."""
        return Tree(np.array(self.feature), np.array(self.threshold), np.array(self.child), np.concatenate(self.lift))


@dataclass(slots=True)
class _Level:
    """The nodes of one depth that may still part: their names, estimates, and their records, grouped by node."""

    names: list[int]
    estimates: Vector
    records: Whole
    starts: Whole
    sizes: Whole


@dataclass(frozen=True, slots=True)
class Parting:
    """How the nodes of a level could part, and which pair is the best: records' owners and sides, counts and sums of both."""

    owner: Whole
    left: NDArray[np.bool_]
    sides: list[tuple[Vector, Vector]]
    features: Whole
    thresholds: Points
    best: Whole
    nodes: Whole
    pairs: Whole


def _tree(crop: Crop, least: int, bits: np.random.PCG64) -> Tree:
    nodes = _Nodes(crop.root)
    count = len(crop.columns)
    level = _Level([0], crop.root[None, :], np.arange(count), np.array([0]), np.array([count]))
    for _ in range(DEPTH):
        level = _parted(crop, least, bits, nodes, level)
        if not level.names:
            break
    return nodes.tree()


def _parted(crop: Crop, least: int, bits: np.random.PCG64, nodes: _Nodes, level: _Level) -> _Level:
    """Part every node of a level where some pair leaves enough records on both sides; return the next level."""
    large = np.flatnonzero(level.sizes >= 2 * least)
    level = _kept(level, large)
    if not len(large):
        return level
    owner = np.repeat(np.arange(len(large)), level.sizes)
    features, thresholds = _pairs(crop, bits, level)
    left = _at(crop, level.records[:, None], features.take(owner, axis=0)) <= thresholds.take(owner, axis=0)
    packed = _packed(crop, level, owner)
    sides = _sides(crop, level, owner, left, packed)
    gains = np.where(np.minimum(sides[0][0].sum(-1), sides[1][0].sum(-1)) >= least, _gain(*sides[0]) + _gain(*sides[1]), -1.0)
    best = gains.argmax(axis=1)
    chosen = np.flatnonzero(gains[np.arange(len(large)), best] >= 0.0)
    return _children(crop, nodes, level, Parting(owner, left, sides, features, thresholds, best, chosen, best[chosen]))


def _kept(level: _Level, which: Whole) -> _Level:
    """Return a level with these of its nodes only."""
    if len(which) == len(level.names):
        return level
    spans = [np.arange(start, start + size) for start, size in zip(level.starts[which], level.sizes[which], strict=True)]
    sizes = level.sizes[which]
    names = [level.names[at] for at in which]
    return _Level(
        names,
        level.estimates[which],
        level.records[np.concatenate([np.zeros(0, np.int64), *spans])],
        np.cumsum(sizes) - sizes,
        sizes,
    )


def _pairs(crop: Crop, bits: np.random.PCG64, level: _Level) -> tuple[Whole, Points]:
    """Return random features, and as thresholds what random records of the node have there."""
    raw = bits.random_raw((2, len(level.names), PAIRS))
    features = (raw[0] % np.uint64(crop.points.shape[1])).astype(np.int64)
    picks = level.starts[:, None] + (raw[1] % level.sizes[:, None].astype(np.uint64)).astype(np.int64)
    return features, _at(crop, level.records.take(picks), features)


def _at(crop: Crop, records: Whole, features: Whole) -> Points:
    """Return the features of records."""
    found: Points = crop.points.ravel().take(records * crop.points.shape[1] + features)
    return found


def _packed(crop: Crop, level: _Level, owner: Whole) -> Vector:
    """Return each record's residual as a whole number of 2^-16, plus one count: one sum gives both, exactly."""
    columns = crop.columns[level.records]
    residuals = crop.rewards[level.records] - level.estimates[owner, columns]
    return np.rint(residuals * _FINE) + _ONE


def _sides(crop: Crop, level: _Level, owner: Whole, left: NDArray[np.bool_], packed: Vector) -> list[tuple[Vector, Vector]]:
    """Return counts and residual sums of both sides, by node, pair and agent."""
    nodes, agents = len(level.names), crop.agents
    columns = crop.columns[level.records]
    keys = (owner * (PAIRS * agents) + columns)[:, None] + np.arange(PAIRS) * agents
    first = _summed(keys.ravel(), (left * packed[:, None]).ravel(), (nodes, PAIRS, agents))
    whole = _summed(owner * agents + columns, packed, (nodes, 1, agents))
    return [_unpacked(first), _unpacked(whole - first)]


def _summed(keys: Whole, weights: Vector, shape: tuple[int, int, int]) -> Vector:
    """Return the sums of weights by key."""
    return np.asarray(np.bincount(keys, weights, shape[0] * shape[1] * shape[2]), np.float64).reshape(shape)


def _unpacked(sums: Vector) -> tuple[Vector, Vector]:
    """Take packed sums apart into counts and sums of residuals."""
    counts = np.floor(sums / _ONE + 0.5)
    return counts, (sums - counts * _ONE) / _FINE


def _gain(counts: Vector, sums: Vector) -> Vector:
    """Return how much of the squared residuals the shrunk estimates of a side explain."""
    total, size = sums.sum(axis=-1), counts.sum(axis=-1)
    own = sums - counts * (total / (size + LEVEL))[..., None]
    gain: Vector = total * total / (size + LEVEL) + (own * own / (counts + OWN)).sum(axis=-1)
    return gain


def lifts(counts: Vector, sums: Vector) -> Vector:
    """Return by how much a node moves its parent's estimates, given counts and residual sums by agent (the last axis)."""
    common = (sums.sum(axis=-1) / (counts.sum(axis=-1) + LEVEL))[..., None]
    moved: Vector = common + (sums - counts * common) / (counts + OWN)
    return moved


def _children(crop: Crop, nodes: _Nodes, level: _Level, parting: Parting) -> _Level:
    """Make the two children of every node that parts; return them as the next level."""
    at, pair = parting.nodes, parting.pairs
    if not len(at):
        return _kept(level, at)
    above = level.estimates[at]
    first = nodes.split(
        [level.names[one] for one in at.tolist()], parting.features[at, pair], parting.thresholds[at, pair], above - crop.root
    )
    estimates = np.repeat(above, 2, axis=0)
    for side, (counts, sums) in enumerate(parting.sides):
        told = lifts(_with_stranger(counts[at, pair]), _with_stranger(sums[at, pair]))
        estimates[side::2] += told
    place = np.full(len(level.names), -1)
    place[at] = np.arange(len(at)) * 2
    goes_on = place[parting.owner]
    chosen = parting.left[np.arange(len(parting.owner)), parting.best[parting.owner]]
    target = np.where(goes_on < 0, 2 * len(at), goes_on + ~chosen)
    order = np.argsort(target, kind="stable")
    sizes = np.bincount(target, minlength=2 * len(at) + 1)[: 2 * len(at)]
    records = level.records[order[: sizes.sum()]]
    return _Level(first, estimates, records, np.cumsum(sizes) - sizes, sizes)


def _with_stranger(figures: Vector) -> Vector:
    """Add the column of an agent never met: no record, no residual."""
    return np.concatenate([figures, np.zeros((len(figures), 1))], axis=1)
