"""From a trained network to the graph that serves: float32, probabilities calibrated, and proved to tell the same."""

import warnings
from copy import deepcopy
from typing import Any

import msgspec
import numpy as np
import torch
from torch import Tensor, nn

from learning.network import CARD, OUTPUTS, Card
from learning.onnx_check import check_graph
from training.calibrate import SPANNED
from training.errors import ParityMissed
from training.job import Job
from training.loop import Part
from training.nets import Outputs

OPSET = 20
TOLERANCE = 1e-4
_TIE = 1e-6  # two that are this close in the network may change places in the graph

Scales = tuple[tuple[float, float], tuple[float, float]]  # of reward and success


class Served(nn.Module):
    """A network as it is served: calibrated probabilities instead of logits."""

    def __init__(self, net: nn.Module, scales: Scales) -> None:
        super().__init__()
        self.net, self.scales = net, scales

    def forward(self, context: Tensor, agents: Tensor) -> Outputs:
        """Return reward, chance of success, and duration."""
        reward, success, duration = self.net(context, agents)
        (scale, shift), (other_scale, other_shift) = self.scales
        return Outputs(torch.sigmoid(scale * reward + shift), torch.sigmoid(other_scale * success + other_shift), duration)


def export(net: nn.Module, scales: Scales, job: Job, span: tuple[float, float] | None = None) -> bytes:
    """Return the graph with its card: texts and candidates may be as many as one likes; the same network gives the same bytes.

    `span` are the two ends of what it tells of times (`training.calibrate`).
    """
    served = deepcopy(Served(net, scales)).to(torch.float32).eval()
    examples = (torch.zeros(2, job.width), torch.ones(2, 3, dtype=torch.int64))
    texts, places = torch.export.Dim("texts"), torch.export.Dim("places")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of libraries, about each other's versions
        program = torch.onnx.export(
            served,
            examples,
            dynamo=True,
            opset_version=OPSET,
            input_names=["context", "agents"],
            output_names=list(OUTPUTS),
            dynamic_shapes=({0: texts}, {0: texts, 1: places}),
            verbose=False,
        )
    return _canonical(program.model_proto, card_of(job, span))


def check_parity(net: nn.Module, scales: Scales, graph: bytes, job: Job, part: Part) -> float:
    """Compare a graph with its network on rows, on everybody, few, some twice and places where nobody is; return the largest gap.

    Raises:
        ParityMissed: a figure is off by more than TOLERANCE, or somebody else is best.
        ArtefactUnusable: the graph may not be served.
    """
    import onnxruntime  # type: ignore[import-untyped]

    check_graph(graph)
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    served, contexts = Served(net, scales), part.contexts[:500]
    gaps = []
    for agents in _rosters(len(job.agents), len(contexts)):
        with torch.no_grad():
            wanted = served(contexts, agents)
        seen = {"context": contexts.numpy().astype(np.float32), "agents": agents.numpy()}
        for name, each, found in zip(OUTPUTS, wanted, session.run(list(OUTPUTS), seen), strict=True):
            gaps.append(_gap(name, each.numpy(), np.asarray(found, dtype=np.float64), agents.numpy() > 0))
    return max(gaps)


def _gap(name: str, wanted: Any, found: Any, there: Any) -> float:
    """Return the largest difference where somebody is; raises ParityMissed."""
    gap = float(np.abs(wanted - found)[there].max())
    if not gap <= TOLERANCE:  # true for NaN, too
        raise ParityMissed(f"the graph's {name} is off by {gap:.2g}, and {TOLERANCE:g} is allowed")
    best = np.where(there, found, -np.inf).argmax(axis=1)
    rows = np.arange(len(best))
    if not (wanted[rows, best] >= np.where(there, wanted, -np.inf).max(axis=1) - _TIE).all():
        raise ParityMissed(f"the graph's {name} is highest for another agent than the network's")
    return gap


def _rosters(agents: int, rows: int) -> list[Tensor]:
    """Return who is asked about: all, all with places for nobody, and some at random with places for nobody among them."""
    every = torch.arange(1, agents + 1).expand(rows, -1).contiguous()
    padded = torch.cat([every, torch.zeros(rows, 3, dtype=torch.int64)], dim=1)
    bits = torch.Generator().manual_seed(1)
    some = torch.randint(0, agents + 1, (rows, agents + 2), generator=bits)
    some[:, 0] = 1
    return [every, padded, some]


def card_of(job: Job, span: tuple[float, float] | None = None) -> Card:
    """Return what a network of a job is."""
    return Card(
        kind=job.words.kind,
        context_map=job.context_map,
        width=job.width,
        agents=job.agents,
        mean=job.mean,
        duration=job.duration,
        span=span,
        spanned=SPANNED,
    )


def _canonical(model: Any, card: Card) -> bytes:
    """Return a model's bytes without what the exporter noted about its own code, and with the card."""
    from onnx import checker, helper

    for holder in (model, model.graph, *model.graph.node, *model.graph.value_info, *model.graph.input, *model.graph.output):
        del holder.metadata_props[:]
        holder.doc_string = ""
    for tensor in model.graph.initializer:
        del tensor.metadata_props[:]
        tensor.doc_string = ""
    model.producer_name, model.producer_version, model.domain = "smolit", "", ""
    helper.set_model_props(model, {CARD: msgspec.json.encode(card, order="sorted").decode()})
    checker.check_model(model, full_check=True)
    graph: bytes = model.SerializeToString(deterministic=True)
    return graph
