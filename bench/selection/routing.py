"""Recorded outcomes as a replay needs them: contexts that policies see, and what every agent earned and cost.

File format: `<set>.prompts.csv.gz` (prompt_id, domain, prompt), `<set>.scores.csv.gz` (prompt_id, model, score, cost) and, where
vectors are recorded, `<set>.emb.npy` (one row per prompt).
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from bench.make_sample import MID9
from learning.encoding import MINILM, WIDTH, TextEncoder
from learning.errors import LearningError
from learning.features import ContextMap, from_half, to_half, unit_rows
from learning.outcomes import Outcomes
from learning.policy import Fits
from learning.surface import surface

Matrix = NDArray[np.float64]
DESCRIPTIONS = Path(__file__).parent.parent / "data" / "descriptions.json"

FRONTIER10 = (
    "gemini-1.5-pro-002",
    "gemini-1.5-flash-002",
    "Meta-Llama-3_1-70B-Instruct",
    "jamba-1.5-large",
    "Qwen1.5-110B",
    "Yi-34B",
    "mathstral-7B",
    "Mixtral-8x7B-Instruct-v0.1",
    "Phi-3-mini-4k-instruct",
    "Meta-Llama-3_1-8B-Instruct",
)
POOLS: dict[str, tuple[str, ...]] = {"mid9": MID9, "frontier10": FRONTIER10}  # names for agents of the public set


class RoutingInvalid(LearningError):
    """A set cannot be replayed as it was asked for."""


@dataclass(frozen=True)
class Routing:
    """Prompts, one a row: contexts, domains, keys of the texts, and by agent what they earned (0 to 1) and cost.

    `fits` are cosines of text and description by prompt and agent, NaN where an agent has no description.
    """

    agents: tuple[str, ...]
    contexts: Matrix
    domains: tuple[str, ...]
    keys: tuple[str, ...]
    scores: Matrix
    costs: Matrix
    fits: Matrix

    def rows(self, which: NDArray[np.intp]) -> "Routing":
        """Return a part of it."""
        domains, keys = (tuple(every[row] for row in which.tolist()) for every in (self.domains, self.keys))
        contexts, scores, costs, fits = (every[which] for every in (self.contexts, self.scores, self.costs, self.fits))
        return replace(self, contexts=contexts, domains=domains, keys=keys, scores=scores, costs=costs, fits=fits)

    def fits_under(self, columns: Mapping[str, int]) -> list[Fits]:
        """Return the fits of each prompt by the names that agents go by in an order."""
        known = {name: column for name, column in columns.items() if not np.isnan(self.fits[:, column]).any()}
        return [{name: row[column] for name, column in known.items()} for row in self.fits.tolist()]


def _routing(
    outcomes: Outcomes,
    name: str,
    agents: Sequence[str],
    context_map: ContextMap,
    embeddings: Sequence[NDArray[np.floating]],
    described: Mapping[str, NDArray[np.floating]],
) -> Routing:
    """Return a set; no agents named: all of them. `described` are the vectors of agents' descriptions, by the texts' encoder.

    Raises:
        RoutingInvalid: an agent is named that the set does not hold, or twice, or there is only one.
    """
    chosen = tuple(agents) or outcomes.models
    if unknown := sorted(set(chosen) - set(outcomes.models)):
        raise RoutingInvalid(f"the set {name} holds no agent {unknown[0]!r}; it has {', '.join(outcomes.models)}")
    if twice := [agent for agent in chosen if chosen.count(agent) > 1]:
        raise RoutingInvalid(f"{twice[0]} is named more than once among the agents")
    if len(chosen) < 2:
        raise RoutingInvalid(f"choosing takes two agents or more, not {', '.join(chosen)} alone")
    table = [[outcomes.outcome(prompt.prompt_id, agent) for agent in chosen] for prompt in outcomes.prompts]
    pairs = zip(embeddings, outcomes.prompts, strict=True)
    return Routing(
        agents=chosen,
        contexts=np.array([context_map.apply(to_half(vector), to_half(surface(prompt.text))) for vector, prompt in pairs]),
        domains=tuple(prompt.domain for prompt in outcomes.prompts),
        keys=tuple(key_of(prompt.text) for prompt in outcomes.prompts),
        scores=np.array([[one.score for one in row] for row in table]),
        costs=np.array([[one.cost for one in row] for row in table]),
        fits=_fits(embeddings, [described.get(agent) for agent in chosen]),
    )


def open_set(folder: Path, name: str, agents: Sequence[str], encoder: TextEncoder | None) -> tuple[Routing, str]:
    """Read a set, and say what its vectors are: made now by an encoder, or recorded, as the sentence encoder made them.

    Raises:
        RoutingInvalid: vectors are wanted that nobody recorded or that do not belong to the prompts, or agents cannot be meant.
        OutcomesUnreadable: the files are not what their format says.
    """
    if encoder is not None:
        return encoded(Outcomes.load(folder, name), name, agents, encoder), encoder.name
    stored = folder / f"{name}.emb.npy"
    if not stored.exists():
        raise RoutingInvalid(f"no vectors are recorded in {stored.name}; name an encoder with --features")
    outcomes = Outcomes.load(folder, name)
    return _routing(outcomes, name, agents, ContextMap.load(MINILM), _recorded(stored, len(outcomes.prompts)), {}), "recorded"


def _recorded(stored: Path, prompts: int) -> list[NDArray[np.floating]]:
    """Return the vectors of a file, one for each prompt."""
    try:
        vectors = np.load(stored)
    except (OSError, ValueError, EOFError) as error:
        raise RoutingInvalid(f"{stored.name} is no array of vectors: {error}") from error
    if vectors.shape != (prompts, WIDTH) or not np.isfinite(vectors).all():
        raise RoutingInvalid(
            f"{stored.name} must hold {prompts} x {WIDTH} finite numbers, a row for each prompt; it is {vectors.shape}"
        )
    return list(vectors)


def encoded(outcomes: Outcomes, name: str, agents: Sequence[str], encoder: TextEncoder) -> Routing:
    """Return a set with vectors made now; raises RoutingInvalid where the agents cannot be meant."""
    texts = [encoder.encode(prompt.text) for prompt in outcomes.prompts]
    described = {agent: encoder.encode(text) for agent, text in descriptions().items()}
    return _routing(outcomes, name, agents, ContextMap.load(encoder.name), texts, described)


def descriptions(path: Path = DESCRIPTIONS) -> dict[str, str]:
    """Return what the sets' agents are good for, by their names."""
    return msgspec.json.decode(path.read_bytes(), type=dict[str, str])


def _fits(texts: Sequence[NDArray[np.floating]], described: Sequence[NDArray[np.floating] | None]) -> Matrix:
    """Return the cosines of texts and descriptions as choices record them, of float16; NaN for a missing description."""
    missing = np.full(len(texts[0]), np.nan)
    rows, columns = _units(texts), _units([missing if one is None else one for one in described])
    found: Matrix = rows @ columns.T
    return found


def _units(vectors: Sequence[NDArray[np.floating]]) -> Matrix:
    return unit_rows(np.array([from_half(to_half(vector), len(vector)) for vector in vectors]))


def key_of(text: str) -> str:
    """Return what tells a text from another whatever its spaces and capitals: the sha256 of the rest."""
    return hashlib.sha256(" ".join(text.lower().split()).encode("utf-8", "replace")).hexdigest()


def held_out(routing: Routing, share: float) -> tuple[Routing, Routing]:
    """Part a set into stream and test by the hash of the text, so that a text and its repeats fall on one side."""
    places = np.array([int(key[:8], 16) / 2**32 for key in routing.keys])
    return routing.rows(np.flatnonzero(places >= share)), routing.rows(np.flatnonzero(places < share))


def apart(stream: Routing, test: Routing) -> Routing:
    """Return the test without the texts that the stream holds, too."""
    seen = set(stream.keys)
    return test.rows(np.array([row for row, key in enumerate(test.keys) if key not in seen], dtype=np.intp))


def told_domains(routing: Routing, domains: Sequence[str]) -> Routing:
    """Return the set with each text's domain in its context: one number per domain, before the bias."""
    marks = np.array([float(domain == one) for domain in routing.domains for one in domains]).reshape(-1, len(domains))
    contexts = np.concatenate([routing.contexts[:, :-1], marks, routing.contexts[:, -1:]], axis=1)
    return replace(routing, contexts=contexts)
