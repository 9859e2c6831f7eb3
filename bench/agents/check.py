"""Post-checks: which share of planted implausible outputs they catch, and how often they reject a good one.

The outputs are what an agent that reads invoices would bring: good ones drawn with odd but true values among them, and one
planted fault each. Faults are of kinds that models make; two kinds look as true as the truth, so no check of one output can
catch them: they are counted, too.
"""

import random
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import msgspec

from agents.check import About, Checks, refuse_implausible
from agents.errors import AgentFailed
from bench.agents.figure import Figure
from bench.spread import Range, bootstrapped

PER_KIND, GOOD = 20, 400
DUE = datetime(2025, 6, 30, 12, tzinfo=UTC)
_FIELDS = ["text", "date", "total", "currency", "number", "confidence"]
_CHECKS: list[dict[str, Any]] = [
    {"not_empty": {"field": "text", "least": 20, "letters": 0.5}},
    {"plausible_date": {"field": "date", "first": "2000-01-01"}},
    {"range": {"field": "total", "least": 0.01, "most": 1_000_000}},
    {"one_of": {"field": "currency", "values": ["EUR", "USD", "CHF", "GBP"]}},
    {"matches": {"field": "number", "pattern": "[A-Z]{2,3}-?[0-9]{3,8}"}},
    {"min_confidence": {"least": 0.5}},
    {"schema": {"schema": {"type": "object", "required": _FIELDS, "properties": {one: {} for one in _FIELDS},
                           "additionalProperties": False}}},
]  # fmt: skip
CHECKS = tuple(msgspec.convert(one, Checks) for one in _CHECKS)
Output = dict[str, Any]
Plant = Callable[[Output, random.Random], Output]


def good(rng: random.Random) -> Output:
    """Return what a careful agent would bring: one in ten is of today, or of long ago, or of next to nothing."""
    odd = rng.random() < 0.1
    day = rng.choice([DUE.date(), date(2000, 1, 1)]) if odd else DUE.date() - timedelta(days=rng.randrange(1, 1_500))
    total = rng.choice([0.01, 999_999.99]) if odd else round(rng.uniform(5, 20_000), 2)
    number = f"{rng.choice(['RE', 'INV', 'R' * 2])}{rng.choice(['-', ''])}{rng.randrange(100, 10 ** rng.randrange(3, 9))}"
    text = f"Invoice {number} of {day.isoformat()}, total {total:.2f}, payable within {rng.choice([14, 30])} days"
    form = rng.choice(["%Y-%m-%d", "%d.%m.%Y", "%m/%d/%Y"])
    return {
        "text": text,
        "date": day.strftime(form),
        "total": rng.choice([total, f"{total:.2f}"]),
        "currency": rng.choice(["EUR", "USD", "CHF", "GBP"]),
        "number": number,
        "confidence": round(rng.uniform(0.5, 1.0), 3),
    }


def _without(output: Output, field: str) -> Output:
    return {name: value for name, value in output.items() if name != field}


PLANTED: Mapping[str, Plant] = {
    "no such day": lambda one, rng: {**one, "date": rng.choice(["2024-02-30", "31.04.2023", "13/13/2024", "2023-00-10"])},
    "a day to come": lambda one, rng: {**one, "date": (DUE.date() + timedelta(days=rng.randrange(1, 4_000))).isoformat()},
    "a day long ago": lambda one, rng: {**one, "date": f"{rng.randrange(1000, 1999)}-05-17"},
    "no date": lambda one, rng: {**one, "date": rng.choice(["", "unknown", "soon", None])},
    "next to no text": lambda one, rng: {**one, "text": rng.choice(["", "  \n", "l1|", ". . - _ ~ | | : ; ' ` , . - . _ ."])},
    "no amount": lambda one, rng: {**one, "total": rng.choice([0, -12.5, "twelve", None, float("nan"), 10**12])},
    "no currency": lambda one, rng: {**one, "currency": rng.choice(["EURO", "E", "", None, "eur"])},
    "no number": lambda one, rng: {**one, "number": rng.choice(["", "see above", "INV", "12345", None])},
    "unsure": lambda one, rng: {**one, "confidence": rng.choice([0.0, 0.2, 0.49, 1.7, None])},
    "a field missing": lambda one, rng: _without(one, rng.choice(sorted(one))),
    "a field too many": lambda one, _rng: {**one, "note": "I am a language model"},
    "no object": lambda one, _rng: {"text": str(one)},
    "another day": lambda one, rng: {**one, "date": (DUE.date() - timedelta(days=rng.randrange(2_000, 3_000))).isoformat()},
    "another amount": lambda one, rng: {**one, "total": round(rng.uniform(5, 20_000), 2)},
}


def rejected(output: Output) -> bool:
    """Return whether the checks reject an output."""
    try:
        refuse_implausible(output, CHECKS, About(DUE))
    except AgentFailed:
        return True
    return False


def shares(seed: int) -> tuple[dict[str, list[bool]], list[bool]]:
    """Return by kind which planted outputs were caught, and which good ones were rejected."""
    rng = random.Random(seed)
    caught = {kind: [rejected(plant(good(rng), rng)) for _ in range(PER_KIND)] for kind, plant in PLANTED.items()}
    return caught, [rejected(good(rng)) for _ in range(GOOD)]


def measure(seed: int) -> list[Figure]:
    """Return the share that is caught, beside a schema alone, and the share of good outputs that are rejected."""
    caught, wronged = shares(seed)
    all_caught = [one for kind in caught.values() for one in kind]
    data = f"{len(all_caught)} invoices with one planted fault each, of {len(caught)} kinds; seed {seed}"
    return [
        Figure(
            "check", "planted implausible outputs caught", "share", "higher", _share(all_caught), data, len(all_caught),
            "JSON Schema alone", _share(_by_schema_alone(seed)),
        ),
        Figure("check", "good outputs rejected", "share", "lower", _share(wronged), f"{GOOD} good ones; seed {seed}", GOOD),
    ]  # fmt: skip


def _by_schema_alone(seed: int) -> list[bool]:
    """Return what the last of the checks catches by itself, on the same outputs."""
    rng, found = random.Random(seed), []
    for plant in PLANTED.values():
        for _ in range(PER_KIND):
            try:
                refuse_implausible(plant(good(rng), rng), CHECKS[-1:], About(DUE))
                found.append(False)
            except AgentFailed:
                found.append(True)
    return found


def _share(hits: Sequence[bool]) -> Range:
    return bootstrapped(hits, lambda some: sum(some) / len(some))


def main() -> None:
    """Print the figures, and what was caught by kind."""
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    for figure in measure(seed):
        baseline = f"; {figure.baseline}: {figure.baseline_value.told}" if figure.baseline_value else ""
        print(f"{figure.metric}: {figure.value.told} of {figure.n}{baseline}")
    for kind, hits in shares(seed)[0].items():
        print(f"  {kind}: {sum(hits)} of {len(hits)}")


if __name__ == "__main__":
    main()
