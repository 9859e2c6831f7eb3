"""Trained networks: looked up by digest, checked before they are opened, and run by onnxruntime on one thread.

Layout: `<folder>/<sha256>/network.onnx` and `manifest.json`, written beside, forced to the disk and renamed into place. A network
is named by the digest of its graph; the card in the graph says whose rewards it tells and for which contexts. Before a byte of
the graph is looked into, its size and sha256 must be those of the manifest and of the name.
"""

import hashlib
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from learning.disk import put, sync
from learning.errors import ArtefactMissing, ArtefactUnusable
from learning.onnx_check import check_graph

FORMAT = 1
GRAPH, MANIFEST, CARD = "network.onnx", "manifest.json", "smolit"
LARGEST = 64_000_000  # bytes of a graph
_MAX_MANIFEST = 1_000_000
OUTPUTS = ("reward", "success", "duration")

Vector = NDArray[np.float64]


class Card(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a network is: `agents` are the rows of its outputs, sorted; `mean` is what one is worth that it does not know.

    `duration` holds mean and deviation of the natural logarithm of 1 + milliseconds, as the network tells it in deviations.
    `span` is what to add to that for the two ends between which `spanned` of the attempts lay that it was not fitted on.
    """

    kind: str
    context_map: str
    width: int
    agents: tuple[str, ...]
    mean: float
    duration: tuple[float, float]
    span: tuple[float, float] | None = None
    spanned: float = 0.9
    format: int = FORMAT


class Manifest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which graph lies beside it."""

    sha256: str
    bytes: int
    card: Card
    format: int = FORMAT


class Told(Struct, frozen=True):
    """What a network tells of each of its agents, in their order: reward and chance of success (0 to 1), seconds.

    `between` are the ends of the span of the seconds; None where the network was not told enough times to know any.
    """

    reward: Vector
    success: Vector
    seconds: Vector
    between: tuple[Vector, Vector] | None = None


class Network(Protocol):
    """Tells what each agent that it knows would earn on a text."""

    @property
    def card(self) -> Card:
        """What it is."""
        ...

    def rewards(self, context: Vector) -> Vector:
        """Return the reward of each agent, in the order of the card; the same to the bit for the same context."""
        ...


Networks = Callable[[str], Network]


def none_here(digest: str) -> Network:
    """Have no network at all."""
    raise ArtefactMissing(f"there is no network {digest[:12]} here: nobody said where networks lie")


class Graph:
    """A network on onnxruntime, one thread; a text at a time, so that no figure depends on what else is asked."""

    def __init__(self, graph: bytes, card: Card) -> None:
        self.card = card
        self._session = _session(graph)
        self._agents = np.arange(1, len(card.agents) + 1, dtype=np.int64)[None]

    def rewards(self, context: Vector) -> Vector:
        """Return the reward of each agent, 0 to 1."""
        return self._run(context, ["reward"])[0]

    def told(self, context: Vector) -> Told:
        """Return everything the network tells."""
        reward, success, duration = self._run(context, list(OUTPUTS))
        return Told(reward, success, self._seconds(duration), self._between(duration))

    def _between(self, duration: Vector) -> tuple[Vector, Vector] | None:
        """Return the ends of the span around durations in deviations."""
        if self.card.span is None:
            return None
        low, high = self.card.span
        return self._seconds(duration + low), self._seconds(duration + high)

    def _seconds(self, duration: Vector) -> Vector:
        """Return seconds for logarithms in deviations."""
        mean, deviation = self.card.duration
        found: Vector = np.expm1(np.clip(mean + deviation * duration, 0.0, 20.0)) / 1000.0
        return found

    def _run(self, context: Vector, names: list[str]) -> list[Vector]:
        seen = {"context": context.astype(np.float32)[None], "agents": self._agents}
        found = [np.asarray(each[0], dtype=np.float64) for each in self._session.run(names, seen)]
        if not all(np.isfinite(each).all() for each in found):
            raise ArtefactUnusable("a network tells a number that is not finite")
        return found


class Shelf:
    """The networks of a folder, each opened once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._open: dict[str, Graph] = {}

    def __call__(self, digest: str) -> Graph:
        """Return the network of this digest.

        Raises:
            ArtefactMissing: there is none here.
            ArtefactUnusable: it is not whole, not what it is named after, or not what we run.
        """
        manifest, graph = _read(self.folder, digest)  # each time: what one process has open, another may look for in vain
        if digest not in self._open:
            self._open[digest] = _opened(graph, manifest)
        return self._open[digest]


def open_graph(graph: bytes) -> Graph:
    """Return a network from its bytes alone; raises ArtefactUnusable."""
    check_graph(graph)
    return Graph(graph, _card_in(graph))


def write(folder: Path, graph: bytes) -> str:
    """Put a network into the folder of all, in one step, and return its digest; raises ArtefactUnusable."""
    digest = hashlib.sha256(graph).hexdigest()
    manifest = Manifest(sha256=digest, bytes=len(graph), card=open_graph(graph).card)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = Path(tempfile.mkdtemp(prefix=".new-", dir=folder))
    try:
        put(draft / GRAPH, graph)
        put(draft / MANIFEST, msgspec.json.format(msgspec.json.encode(manifest, order="sorted"), indent=1) + b"\n")
        sync(draft)
        _into_place(folder, draft, digest)
        sync(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return digest


def _into_place(folder: Path, draft: Path, digest: str) -> None:
    """Give a draft its name; one that is there and whole stays, a damaged one is replaced."""
    try:
        draft.rename(folder / digest)
    except OSError:
        try:
            _read(folder, digest)
        except ArtefactUnusable:
            aside = Path(tempfile.mkdtemp(prefix=".old-", dir=folder))
            (folder / digest).rename(aside / digest)
            draft.rename(folder / digest)
            shutil.rmtree(aside)


def _read(folder: Path, digest: str) -> tuple[Manifest, bytes]:
    """Return manifest and graph of a network, compared with each other and with the name, unopened."""
    here, short = folder / digest, digest[:12]
    try:
        with (here / MANIFEST).open("rb") as file:
            manifest = msgspec.json.decode(file.read(_MAX_MANIFEST), type=Manifest)
        size = (here / GRAPH).stat().st_size
        if manifest.format != FORMAT or manifest.sha256 != digest or manifest.bytes != size or size > LARGEST:
            raise ArtefactUnusable(f"network {short}: its manifest is of another network, or it is cut off")
        graph = (here / GRAPH).read_bytes()
    except (msgspec.DecodeError, OSError) as error:
        if here.is_dir():
            raise ArtefactUnusable(f"network {short}: it cannot be read: {error}") from error
        raise ArtefactMissing(f"there is no network {short} here; `smolit model restore` trains it anew") from None
    if (found := hashlib.sha256(graph).hexdigest()) != digest:
        raise ArtefactUnusable(f"network {short}: its sha256 is {found[:12]}")
    return manifest, graph


def _opened(graph: bytes, manifest: Manifest) -> Graph:
    found = open_graph(graph)
    if found.card != manifest.card:
        raise ArtefactUnusable(f"network {manifest.sha256[:12]}: its card is not the one of its manifest")
    return found


def _card_in(graph: bytes) -> Card:
    """Return the card of a graph; raises ArtefactUnusable for one that has none, or none of ours."""
    told = _session(graph).get_modelmeta().custom_metadata_map.get(CARD, "")
    try:
        card = msgspec.json.decode(told, type=Card)
    except msgspec.DecodeError as error:
        raise ArtefactUnusable(f"the graph says nothing that we understand of what it is: {error}") from error
    if card.format != FORMAT or not card.agents or card.agents != tuple(sorted(set(card.agents))):
        raise ArtefactUnusable("the card of the graph is of another format, or its agents are not sorted")
    return card


def _session(graph: bytes):  # type: ignore[no-untyped-def]  # onnxruntime has no annotations
    """Open a graph on one thread; raises ArtefactUnusable for one that is not of our form."""
    import onnxruntime  # type: ignore[import-untyped]  # takes 0.1 s, and most processes run no network

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its errors have no common class of their own
        raise ArtefactUnusable(f"onnxruntime cannot open the graph: {str(error).splitlines()[0][:200]}") from error
    found = ({one.name for one in session.get_inputs()}, {one.name for one in session.get_outputs()})
    if found != ({"context", "agents"}, set(OUTPUTS)):
        raise ArtefactUnusable("the graph has other inputs or outputs than a network of ours")
    return session
