"""A forest that serves: where a text falls in every tree, and what the leaves there say of each agent.

Trees stand still between two plantings; in their leaves counts and sums move with every record, and the root's
estimates come from outside, so what is known of an agent as such moves at once.
"""

from collections.abc import Sequence

import numpy as np

from learning.grow import DEPTH, Points, Tree, Vector, Whole, lifts

_AT_ONCE = 1 << 15  # figures that a processor keeps at hand
REWARD = 2.0**20  # rewards are summed as whole numbers of this fraction


class Forest:
    """Trees side by side, and per leaf and agent how many records fell there and what they earned."""

    def __init__(self, trees: Sequence[Tree], columns: Whole) -> None:
        """Join the trees; `columns` says which column of theirs each agent has, -1 for one they never met."""
        sizes = np.array([len(tree.child) for tree in trees])
        self._roots = np.cumsum(sizes) - sizes
        self._feature = np.concatenate([tree.feature for tree in trees])
        self._threshold = np.concatenate([tree.threshold for tree in trees])
        self._child = np.concatenate([tree.child + root for tree, root in zip(trees, self._roots, strict=True)])
        self._lift = np.concatenate([tree.lift for tree in trees]).take(np.append(columns, -1), axis=1)
        self._counts = np.zeros(self._lift.shape)
        self._sums = np.zeros(self._lift.shape)

    def join(self, column: int) -> None:
        """Make room for an agent that nobody knew, at this column: it stands where an agent never met does."""
        self._lift = np.insert(self._lift, column, self._lift[:, -1], axis=1)
        self._counts = np.insert(self._counts, column, 0.0, axis=1)
        self._sums = np.insert(self._sums, column, 0.0, axis=1)

    def leaves(self, point: Points) -> Whole:
        """Return the leaf of every tree that a text falls into."""
        onward = self._child + (point.take(self._feature) > self._threshold)  # of all nodes at once: few calls are cheap
        nodes: Whole = self._roots
        for _ in range(DEPTH):
            nodes = onward.take(nodes)
        return nodes

    def leaves_of(self, points: Points) -> Whole:
        """Return the same for each of many texts."""
        if len(points) == 1:
            return self.leaves(points[0])[None]
        rows, nodes = np.arange(len(points))[:, None], np.repeat(self._roots[None, :], len(points), axis=0)
        for _ in range(DEPTH):
            nodes = self._child[nodes] + (points[rows, self._feature[nodes]] > self._threshold[nodes])
        return nodes

    def worth(self, leaves: Whole, root: Vector) -> Vector:
        """Return what the forest expects of every agent at a text's leaves, or each of many's, the last of one never met."""
        if leaves.size == leaves.shape[-1]:
            return self._mean(self._estimates(leaves, root))
        visited, places = np.unique(leaves, return_inverse=True)  # texts share leaves
        estimates, places = self._estimates(visited, root), places.reshape(leaves.shape)
        step = max(1, _AT_ONCE // (leaves.shape[-1] * estimates.shape[1]))
        found = np.empty((len(places), estimates.shape[1]))
        for first in range(0, len(places), step):
            found[first : first + step] = self._mean(estimates.take(places[first : first + step], axis=0))
        return found

    def _estimates(self, leaves: Whole, root: Vector) -> Vector:
        """Return what each of these leaves says of every agent."""
        estimate = root + self._lift.take(leaves, axis=0)
        counts = self._counts.take(leaves, axis=0)
        residuals = self._sums.take(leaves, axis=0) / REWARD - counts * estimate
        return np.asarray(estimate + lifts(counts, residuals))

    @staticmethod
    def _mean(estimates: Vector) -> Vector:
        """Return the mean over a text's leaves."""
        found: Vector = np.einsum("...tk->...k", estimates) / estimates.shape[-2]
        return found

    def add(self, leaves: Whole, column: int, reward: float) -> None:
        """Take in one record; its reward is a whole number of 2^-20."""
        self._counts[leaves, column] += 1.0
        self._sums[leaves, column] += reward

    def forget(self, column: int) -> None:
        """Let an agent stand where one never met does."""
        self._lift[:, column] = self._lift[:, -1]
        self._counts[:, column] = self._sums[:, column] = 0.0

    def move(self, leaves: Whole, column: int, change: float) -> None:
        """Change the reward of a record that is in already."""
        self._sums[leaves, column] += change

    def fill(self, points: Points, columns: Whole, rewards: Vector) -> None:
        """Take in many records at once."""
        nodes = self.leaves_of(points)
        keys = (nodes * self._lift.shape[1] + columns[:, None]).ravel()
        spread = np.repeat(rewards, nodes.shape[1])
        self._counts += np.bincount(keys, minlength=self._counts.size).reshape(self._counts.shape)
        self._sums += np.bincount(keys, spread, self._sums.size).reshape(self._sums.shape)
