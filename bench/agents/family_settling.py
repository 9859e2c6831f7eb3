"""Three agents answer one question, of which two are often wrong, and the rules settle (`agents/team/conflict.py`)."""

import asyncio
import random
from collections import Counter
from collections.abc import Mapping

from msgspec import Struct

from agents.team.conflict import answer_of, settle
from bench.agents.family_play import Member, did
from bench.agents.figure import Figure
from bench.agents.team import crew
from bench.spread import bootstrapped, mean


class Asked(Struct, frozen=True):
    """One question that three agents answered: whether the first, the majority and the settled answer were right."""

    first: bool
    majority: bool
    settled: bool
    conflict: bool


async def settled(seed: int, sums: Member, count: int = 300) -> list[Asked]:
    """Ask the real agent for sums and two that are often wrong, in random order, and settle.

    What is expected of each is its share of right answers on as many other questions; both wrong ones say the same wrong thing.
    """
    wrong = {"sound": 0.03, "careless": 0.4, "worse": 0.55}
    before = [await _answers(random.Random(f"{seed} before {at}"), sums, wrong) for at in range(count)]
    expected = {name: mean([float(said[name] == right) for said, right in before]) for name in wrong}
    return [await _asked(random.Random(f"{seed} {at}"), sums, wrong, expected) for at in range(count)]


async def _answers(rng: random.Random, sums: Member, wrong: Mapping[str, float]) -> tuple[dict[str, str], str]:
    """Return what each says, and what is right."""
    a, b = rng.randint(2, 99), rng.randint(2, 99)
    value = str((await did(sums, f"What is {a} * {b}?", {}, (), "sum"))["value"])
    other = str(int(value) + max(1, int(value) // 10))
    return {name: other if rng.random() < share else value for name, share in wrong.items()}, str(a * b)


async def _asked(rng: random.Random, sums: Member, wrong: Mapping[str, float], expected: Mapping[str, float]) -> Asked:
    said, right = await _answers(rng, sums, wrong)
    order = rng.sample(sorted(said), len(said))
    told = settle([answer_of(name, name, {"value": said[name]}, expected[name]) for name in order])
    most = Counter(said[name] for name in order).most_common(1)[0][0]
    chosen = said[order[told.chosen if told.chosen is not None else 0]]
    return Asked(said[order[0]] == right, most == right, chosen == right, bool(told.conflicts))


def figures(seed: int) -> list[Figure]:
    """Return how often the settled answer is right beside the first and the majority's, where they contradict each other."""
    asked = [one for one in asyncio.run(settled(seed, crew(("arithmetic",))["arithmetic"])) if one.conflict]
    ours = [float(one.settled) for one in asked]
    found = []
    for name, others in (("first answer", [one.first for one in asked]), ("majority", [one.majority for one in asked])):
        theirs = [float(one) for one in others]
        share, beside = bootstrapped(ours, mean, seed), bootstrapped(theirs, mean, seed)
        ahead = bootstrapped([one - other for one, other in zip(ours, theirs, strict=True)], mean, seed)
        data = "sums, one sound agent and two that are often wrong by a tenth"
        found.append(Figure("families", "settled right", "share", "higher", share, data, len(asked), name, beside, ahead=ahead))
    return found
