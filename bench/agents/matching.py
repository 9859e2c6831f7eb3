"""Who gets a task that says no kind, beside the rule before (decision 057), which knew the nearest cosine only.

`python -m bench.agents.matching` prints it, `--choose` how it depends on margin and least score, on the texts that those were
chosen on. The figures are of others: texts as the examples are written, texts of other styles, and agents of another house. Each
text is matched as selection does it, among all these agents, all of them alive, and with whatever inputs they need.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from itertools import product
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct

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

DATA = PROJECT / "tests" / "data"
FORMER_CLEAR, FORMER_SHARE = 0.35, 0.85  # of decision 057
_BRINGS = ("csv", "file:application/pdf", "table", "values")  # what an agent may need that works here
KINDS: tuple[Kind, ...] = ("static", "minilm")
Agents = list[tuple[str, KnownAgent]]
Rule = Callable[[Agents, Features], tuple[str, set[str]]]


class Text(Struct, frozen=True):
    """A text, and who should get it; nobody: a general agent."""

    text: str
    agents: tuple[str, ...]


class Texts(Struct, frozen=True):
    """The labelled texts, by whom they were written, and on which the thresholds were chosen."""

    written_by: str
    tuning: tuple[Text, ...]
    tasks: tuple[Text, ...]


class House(Struct, frozen=True):
    """Agents of another house, and texts for them."""

    agents: tuple[dict[str, Any], ...]
    tasks: tuple[Text, ...]


class Others(Struct, frozen=True):
    """Texts of other styles for our agents, and another house; of both the first, third, ... are for choosing."""

    written_by: str
    own: tuple[Text, ...]
    other: House


class Case(NamedTuple):
    """A set of texts with the agents that they are for."""

    name: str
    specs: tuple[AgentSpec, ...]
    texts: tuple[Text, ...]


class Met(NamedTuple):
    """What came of one text: whether the best agent is right, whether one among the candidates is, and how many there are."""

    labelled: bool
    nearest: float
    found: float
    candidates: int
    drawn: float  # chance that an even draw among the candidates is right: what a policy does that knows nothing
    alone: float  # whether nobody but right ones may be chosen


def measure(seed: int, kinds: Sequence[Kind] = KINDS) -> list[Figure]:
    """Return the figures of each encoder on each set of unseen texts."""
    return [figure for kind in kinds for case in cases() for figure in _figures(opened(kind), NAMES[kind], case, seed)]


def cases(unseen: bool = True) -> list[Case]:
    """Return the texts that nothing was chosen on, or those that margin and least score were chosen on."""
    texts = msgspec.json.decode((DATA / "kindless_tasks.json").read_bytes(), type=Texts)
    others = msgspec.json.decode((DATA / "kindless_other.json").read_bytes(), type=Others)
    ours, half = tuple(load(SPECS)), slice(1 if unseen else 0, None, 2)
    theirs = tuple(
        msgspec.convert({**one, "skills": [one["id"]], "pipeline": "remote"}, AgentSpec) for one in others.other.agents
    )
    return [
        Case("written as the examples are", ours, texts.tasks if unseen else texts.tuning),
        Case("in other styles", ours, others.own[half]),
        Case("for agents of another house", theirs, others.other.tasks[half]),
    ]


def opened(kind: Kind) -> TextEncoder:
    """Open an encoder where this machine has it; raises EncoderError."""
    return open_encoder(kind, load_settings().cache / "encoder")


def _figures(encoder: TextEncoder, name: str, case: Case, seed: int) -> Iterator[Figure]:
    agents = known(case.specs, encoder)
    read = [features(one.text, encoder) for one in case.texts]
    ours, theirs = met(agents, case.texts, read), met(agents, case.texts, read, former)
    data = f"{name}; texts {case.name}, all by a language model"
    for what, better, of, labelled in (
        ("best agent is right", "higher", "nearest", True),
        ("a right agent is a candidate", "higher", "found", True),
        ("an even draw of a candidate is right", "higher", "drawn", True),
        ("candidates of a text that somebody does, mean", "lower", "candidates", True),
        ("texts that nobody in particular does: only a general agent is a candidate", "higher", "alone", False),
        ("texts that nobody in particular does: candidates, mean", "lower", "candidates", False),
    ):
        metric = Metric("matching", what, data, "nearest cosine (decision 057)", better=better)  # type: ignore[arg-type]
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


def features(text: str, encoder: TextEncoder) -> Features:
    """Return the features of a text, as facts keep them."""
    return Features(features_version(encoder), *extract(text, encoder))


def now(agents: Agents, seen: Features) -> tuple[str, set[str]]:
    """Return the best agent of a text, and the candidates, as selection has them."""
    context = ChoiceContext(DEFAULT_TENANT, None, seen, 0, utc_now(), 1, brings=_BRINGS)
    able = [(name, agent) for name, agent in agents if not match.lacking(agent.spec, _BRINGS)]
    suits = match.scores(seen, able, match.fits(seen, able))
    return max(suits, key=lambda name: suits[name]), set(match.match(agents, context, lambda _: True).candidates)


def former(agents: Agents, seen: Features) -> tuple[str, set[str]]:
    """Return the same by the rule before: the nearest cosine, and who has a share of it."""
    able = {name: agent for name, agent in agents if not match.lacking(agent.spec, _BRINGS)}
    near = match.fits(seen, able.items())
    clear = {name for name, cosine in near.items() if cosine >= FORMER_CLEAR and able[name].examples}
    least = max((FORMER_SHARE * near[name] for name in clear), default=0.0)
    found = {name for name in clear if near[name] >= least}
    bare = {name for name, cosine in near.items() if cosine >= max(match.MINIMUM_FIT, least) and not able[name].examples}
    general = {name for name, agent in able.items() if agent.spec.general}
    return max(near, key=lambda name: near[name]), found | bare if found else bare | general


def met(agents: Agents, texts: Sequence[Text], read: Sequence[Features], rule: Rule = now) -> list[Met]:
    """Match each text."""
    general = {name for name, agent in agents if agent.spec.general}
    return [
        _met(rule(agents, seen), frozenset(one.agents) or general, bool(one.agents))
        for one, seen in zip(texts, read, strict=True)
    ]


def _met(came: tuple[str, set[str]], right: frozenset[str] | set[str], labelled: bool) -> Met:
    best, found = came
    good = found & right
    return Met(
        labelled,
        float(best in right),
        float(bool(good)),
        len(found),
        len(good) / len(found) if found else 0.0,
        float(bool(found) and found <= right),
    )


class Choice(Struct, frozen=True):
    """Margin and least score, and what comes of the texts for choosing with an encoder."""

    encoder: str
    texts: str
    margin: float
    clear_score: float
    found: float
    candidates: float
    drawn: float
    alone: float


def choices(kind: Kind) -> Iterator[Choice]:
    """Yield what comes of each pair on the texts for choosing; what is in force is put back."""
    encoder = opened(kind)
    before = match.MARGIN, match.CLEAR_SCORE
    try:
        for case in cases(unseen=False):
            agents, read = known(case.specs, encoder), [features(one.text, encoder) for one in case.texts]
            for margin, clear in product((0.05, 0.1, 0.15, 0.2, 0.25), (0.4, 0.45, 0.5, 0.6)):
                match.MARGIN, match.CLEAR_SCORE = margin, clear
                yield _choice(NAMES[kind], case.name, margin, clear, met(agents, case.texts, read))
    finally:
        match.MARGIN, match.CLEAR_SCORE = before


def _choice(encoder: str, texts: str, margin: float, clear: float, came: Sequence[Met]) -> Choice:
    labelled = [one for one in came if one.labelled]
    return Choice(
        encoder,
        texts,
        margin,
        clear,
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
