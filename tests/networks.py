"""Small networks made by hand, as graphs: what serves one is tested where nothing is installed that trains one."""

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
from onnx import TensorProto, helper, numpy_helper

from learning.network import CARD, Card, Graph, Network, Networks, Vector, open_graph

MODEL = "ab" * 32


def card(agents: Sequence[str] = ("anna", "bert"), width: int = 3, **fields: Any) -> Card:
    """Return what a network is."""
    told = {"kind": "linear", "context_map": "c0" * 32, "mean": 0.5, "duration": (5.0, 1.0)}
    return Card(**{**told, "agents": tuple(agents), "width": width, **fields})


def model(slopes: Any, of: Card, **fields: Any) -> Any:
    """Return a graph that tells each agent's linear function of the context, through a sigmoid; slopes are (agents, width)."""
    table = np.vstack([np.zeros((1, of.width)), np.asarray(slopes)]).astype(np.float32)
    nodes = [
        helper.make_node("Gather", ["slopes", "agents"], ["own"]),
        helper.make_node("Unsqueeze", ["context", "axis"], ["column"]),
        helper.make_node("MatMul", ["own", "column"], ["product"]),
        helper.make_node("Squeeze", ["product", "axis"], ["logit"]),
        helper.make_node("Sigmoid", ["logit"], ["reward"]),
        helper.make_node("Sigmoid", ["logit"], ["success"]),
        helper.make_node("Identity", ["logit"], ["duration"]),
    ]
    seen = [
        helper.make_tensor_value_info("context", TensorProto.FLOAT, ["n", of.width]),
        helper.make_tensor_value_info("agents", TensorProto.INT64, ["n", "k"]),
    ]
    told = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", "k"]) for name in ("reward", "success", "duration")]
    held = [numpy_helper.from_array(table, "slopes"), numpy_helper.from_array(np.array([2], dtype=np.int64), "axis")]
    body = helper.make_graph(nodes, "network", seen, told, held)
    made = helper.make_model(body, opset_imports=[helper.make_opsetid("", 20)], ir_version=10, **fields)
    helper.set_model_props(made, {CARD: msgspec.json.encode(of).decode()})
    return made


def graph(slopes: Any, of: Card) -> bytes:
    """Return the bytes of such a graph."""
    found: bytes = model(slopes, of).SerializeToString()
    return found


def network(seed: int, agents: Sequence[str], width: int) -> Graph:
    """Return a network with slopes drawn from a seed."""
    of = card(agents, width)
    return open_graph(graph(np.random.default_rng(seed).standard_normal((len(agents), width)), of))


class Flat:
    """A network that tells every agent the same on every text, whatever the width."""

    def __init__(self, agents: Sequence[str], told: float = 0.5) -> None:
        self.card = card(sorted(agents), 1)
        self._told = np.full(len(agents), told)

    def rewards(self, _context: Vector) -> Vector:
        """Return the same."""
        return self._told


def only(held: Network, digest: str = MODEL) -> Networks:
    """Return where one network lies under one name."""
    return {digest: held}.__getitem__
