"""How well `agent who` finds who can do something, against keywords alone: precision and recall over labelled queries.

`python -m bench.agents.capability` prints it. The least fit was chosen on the queries marked `tune`; the figures are of others.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from agents.front.capability import able, stems
from bench.agents.figure import Figure
from bench.spread import bootstrapped
from learning.static import StaticEncoder

_DATA = Path(__file__).parent / "data"
Agents = list[tuple[str, str, tuple[str, ...]]]
Query = tuple[str, frozenset[str]]
Counts = tuple[int, int, int]  # found and right, found, right


def measure(seed: int) -> list[Figure]:
    """Return precision and recall of both, with intervals by bootstrap over queries."""
    agents, queries = known_agents(), labelled("test")
    encode = StaticEncoder.load().encode
    ours = [counts({one.id for one in able(what, agents, encode)}, wanted) for what, wanted in queries]
    words = [counts(by_keywords(what, agents), wanted) for what, wanted in queries]
    parts: tuple[tuple[str, Callable[[Sequence[Counts]], float]], ...] = (
        ("who can, precision", precision),
        ("who can, recall", recall),
        ("who can, F1", f1),
    )
    return [
        Figure(
            worker="capability",
            metric=name,
            unit="share",
            better="higher",
            value=bootstrapped(ours, part, seed),
            data="bench/agents/data/who_can.tsv: 52 queries written by hand, 8 of them for nobody; 12 agents",
            n=len(queries),
            baseline="any word of the query stands in description, skills or id",
            baseline_value=bootstrapped(words, part, seed),
            asked="against keyword match",
        )
        for name, part in parts
    ]


def known_agents() -> Agents:
    """Return id, description and skills of the agents of the data."""
    lines = [line.split("\t") for line in (_DATA / "capabilities.tsv").read_text(encoding="utf-8").splitlines()]
    return [(name, description, (skill,)) for name, skill, description in lines]


def labelled(part: str) -> list[Query]:
    """Return the queries of a part, each with who can do it."""
    lines = [line.split("\t") for line in (_DATA / "who_can.tsv").read_text(encoding="utf-8").splitlines()]
    return [(what, frozenset(who.split()) if who else frozenset()) for kind, what, who in lines if kind == part]


def by_keywords(what: str, agents: Agents) -> set[str]:
    """Return every agent that a telling word of the query names."""
    words = stems(what)
    return {name for name, description, skills in agents if words & stems(f"{description} {' '.join(skills)} {name}")}


def counts(found: set[str], wanted: frozenset[str]) -> Counts:
    """Return how many were found and right, found, and right."""
    return len(found & wanted), len(found), len(wanted)


def precision(queries: Sequence[Counts]) -> float:
    """Return the share of those found that are right."""
    found = sum(one[1] for one in queries)
    return sum(one[0] for one in queries) / found if found else 1.0


def recall(queries: Sequence[Counts]) -> float:
    """Return the share of those that are right that were found."""
    wanted = sum(one[2] for one in queries)
    return sum(one[0] for one in queries) / wanted if wanted else 1.0


def f1(queries: Sequence[Counts]) -> float:
    """Return the harmonic mean of both."""
    both = precision(queries), recall(queries)
    return 2 * both[0] * both[1] / sum(both) if sum(both) else 0.0


if __name__ == "__main__":
    print(msgspec.json.format(msgspec.json.encode(measure(seed=1)), indent=2).decode())
