"""Who gets a task that says no kind: by what agents say of themselves with their examples, beside descriptions alone.

`python -m bench.agents.matching` prints it, `--choose` how it depends on the two thresholds, on the texts marked `tuning`. The
figures are of the other texts. Each text is matched as selection does it, among the agents that a fresh stack has, all of
them alive, and with whatever inputs they need.
"""

import sys
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from agents.spec import load
from bench.agents.compared import Metric, compared
from bench.agents.figure import Figure
from bench.spread import mean
from events.agent import AgentSpec
from events.control import KnownAgent
from events.task import ChoiceContext, Features
from events.topics import DEFAULT_TENANT
from learning import match
from learning.encoders import NAMES, Kind, open_encoder
from learning.encoding import TextEncoder
from learning.features import extract, features_version
from smolit.process.ports import utc_now
from smolit.process.prepare import SPECS
from smolit.settings import PROJECT, load_settings

DATA = PROJECT / "tests" / "data" / "kindless_tasks.json"
_BRINGS = ("csv", "file:application/pdf", "table", "values")  # what an agent may need that works here
KINDS: tuple[Kind, ...] = ("static", "minilm")
Agents = list[tuple[str, KnownAgent]]


class Text(Struct, frozen=True):
    """A text, and who should get it; nobody: a general agent."""

    text: str
    agents: tuple[str, ...]


class Texts(Struct, frozen=True):
    """The labelled texts, by whom they were written, and on which the thresholds were chosen."""

    written_by: str
    tuning: tuple[Text, ...]
    tasks: tuple[Text, ...]


class Met(NamedTuple):
    """What came of one text: whether the nearest agent is right, whether one among the candidates is, and how many there are."""

    labelled: bool
    nearest: float
    found: float
    candidates: int
    drawn: float  # chance that an even draw among the candidates is right: what a policy does that knows nothing
    alone: float  # whether nobody but right ones may be chosen


def measure(seed: int, kinds: Sequence[Kind] = KINDS) -> list[Figure]:
    """Return the figures of each encoder, on the same texts with and without examples."""
    texts = msgspec.json.decode(DATA.read_bytes(), type=Texts).tasks
    return [figure for kind in kinds for figure in _figures(opened(kind), NAMES[kind], texts, seed)]


def opened(kind: Kind) -> TextEncoder:
    """Open an encoder where this machine has it; raises EncoderError."""
    return open_encoder(kind, load_settings().cache / "encoder")


def _figures(encoder: TextEncoder, name: str, texts: Sequence[Text], seed: int) -> Iterator[Figure]:
    agents = known(load(SPECS), encoder)
    read = [features(one.text, encoder) for one in texts]
    ours, theirs = met(agents, texts, read), met(bare(agents), texts, read)
    data = f"{name}; tests/data/kindless_tasks.json, written by a language model as the examples were"
    for what, better, of, labelled in (
        ("nearest agent is right", "higher", "nearest", True),
        ("a right agent is a candidate", "higher", "found", True),
        ("an even draw of a candidate is right", "higher", "drawn", True),
        ("candidates of a text that somebody does, mean", "lower", "candidates", True),
        ("texts that nobody in particular does: only a general agent is a candidate", "higher", "alone", False),
        ("texts that nobody in particular does: candidates, mean", "lower", "candidates", False),
    ):
        metric = Metric("matching", what, data, "descriptions alone", better=better)  # type: ignore[arg-type]
        yield compared(metric, _column(ours, of, labelled), _column(theirs, of, labelled), mean, seed)


def _column(came: Sequence[Met], name: str, labelled: bool) -> list[float]:
    return [float(getattr(one, name)) for one in came if one.labelled is labelled]


def known(specs: Sequence[AgentSpec], encoder: TextEncoder) -> Agents:
    """Return agents as they are in force once registered."""
    return [
        (
            spec.id,
            KnownAgent(
                DEFAULT_TENANT,
                spec,
                spec.id,
                features(spec.description, encoder),
                examples=tuple(features(text, encoder) for text in spec.examples),
            ),
        )
        for spec in specs
    ]


def bare(agents: Agents) -> Agents:
    """Return the same agents without examples, and none of them general."""
    return [(name, replace(agent, examples=(), spec=replace(agent.spec, examples=(), general=False))) for name, agent in agents]


def features(text: str, encoder: TextEncoder) -> Features:
    """Return the features of a text, as facts keep them."""
    return Features(features_version(encoder), *extract(text, encoder))


def met(agents: Agents, texts: Sequence[Text], read: Sequence[Features]) -> list[Met]:
    """Match each text."""
    general = {spec.id for spec in load(SPECS) if spec.general}
    return [_met(agents, frozenset(one.agents) or general, bool(one.agents), seen) for one, seen in zip(texts, read, strict=True)]


def _met(agents: Agents, right: frozenset[str] | set[str], labelled: bool, seen: Features) -> Met:
    context = ChoiceContext(DEFAULT_TENANT, None, seen, 0, utc_now(), 1, brings=_BRINGS)
    found = set(match.match(agents, context, lambda _: True).candidates)
    able = [(name, agent) for name, agent in agents if not match.lacking(agent.spec, _BRINGS)]
    near = match.fits(seen, able)
    good = found & right
    return Met(
        labelled,
        float(max(near, key=lambda name: near[name]) in right),
        float(bool(good)),
        len(found),
        len(good) / len(found) if found else 0.0,
        float(bool(found) and found <= right),
    )


class Choice(Struct, frozen=True):
    """Thresholds, and what comes of the texts for tuning with an encoder."""

    encoder: str
    clear_fit: float
    share_of_best: float
    found: float
    candidates: float
    drawn: float
    alone: float


def choices(kind: Kind) -> Iterator[Choice]:
    """Yield what comes of each pair of thresholds on the texts for tuning; those in force are put back."""
    encoder, texts = opened(kind), msgspec.json.decode(DATA.read_bytes(), type=Texts).tuning
    agents, read = known(load(SPECS), encoder), [features(one.text, encoder) for one in texts]
    before = match.CLEAR_FIT, match.SHARE_OF_BEST
    try:
        for clear in (0.25, 0.3, 0.35, 0.4, 0.45):
            for share in (0.7, 0.8, 0.85, 0.9, 1.0):
                match.CLEAR_FIT, match.SHARE_OF_BEST = clear, share
                yield _choice(kind, clear, share, met(agents, texts, read))
    finally:
        match.CLEAR_FIT, match.SHARE_OF_BEST = before


def _choice(kind: Kind, clear: float, share: float, came: Sequence[Met]) -> Choice:
    labelled = [one for one in came if one.labelled]
    return Choice(
        NAMES[kind],
        clear,
        share,
        round(mean([one.found for one in labelled]), 3),
        round(mean([float(one.candidates) for one in labelled]), 2),
        round(mean([one.drawn for one in came]), 3),
        round(mean([one.alone for one in came if not one.labelled]), 3),
    )


def main() -> None:
    """Print the figures, or what the thresholds were chosen by."""
    made: list[Figure] | list[Choice]
    made = [one for kind in KINDS for one in choices(kind)] if "--choose" in sys.argv else measure(1)
    print(msgspec.json.format(msgspec.json.encode(made), indent=2).decode())


if __name__ == "__main__":
    main()
