"""What a shape of network is worth at equal cost, on recorded outcomes: logged, trained, and served on the later half.

`smolit bench search --policy neural`, after `make install-search install-train`.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.selection.routing import Routing
from learning.policies import create
from smolit.search.architecture import cost, words_of
from smolit.search.trial import Scored
from training.errors import ShapeImpossible


@dataclass(frozen=True)
class OnTrained:
    """Scores shapes by what their networks earn on the second half of a set, in several orders; may be sent to a process.

    In each order `ridge_igw` serves the first half, which the network is trained on, with the order as its seed.
    """

    routing: Routing
    orders: tuple[int, ...]

    def __call__(self, setting: Mapping[str, Any], _wanted: Sequence[float]) -> Scored:
        """Score a shape; a step is an order, and none is pruned."""
        began = time.perf_counter()
        try:
            cost(setting, self.routing.contexts.shape[1], len(self.routing.agents))
        except ShapeImpossible as error:
            return Scored("failed", None, (), str(error), time.perf_counter() - began)
        steps = [self.earned(setting, order) for order in self.orders]
        return Scored("completed", float(np.mean(steps)), tuple(steps), "", time.perf_counter() - began)

    def earned(self, setting: Mapping[str, Any], order: int) -> float:
        """Return the mean reward of the second half of an order."""
        import torch  # where nobody searches for networks, nothing needs it

        from bench.network import InTorch, fit, mean_of, neural, scene_of, serve

        torch.set_num_threads(1)
        torch.use_deterministic_algorithms(True)
        scene = scene_of(self.routing, order, len(self.routing.keys))
        logged = serve(scene, create("ridge_igw", self.routing.contexts.shape[1]), range(scene.half))
        network = InTorch(fit(scene, words_of(setting, order), logged))
        return mean_of(serve(scene, neural(scene, network, logged), range(scene.half, len(scene.routing.keys))))
