"""Tasks that no single agent can do, of three families, and what an answer to each has to hold. Pure.

- `check`: an invoice against its order, whose one difference has to be named, however each writes its dates and sums.
- `reviews`: the tone of each of four reviews, all right, and a summary of all.
- `stock`: what the units of one region are worth: summed up in a table, then multiplied.
"""

import hashlib
import random
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

from msgspec import Struct

from agents.errors import AgentFailed
from bench.agents.team import REVIEWS
from events.task import FileRef

TASKS = 40  # of each family
_NAMES = ("Anna Berg", "Maria Lindqvist", "Peter Novak", "Thomas Weber", "Julia Rossi", "David Miller")
_REGIONS = ("north", "south", "east", "west")
_MONTHS = ("January", "March", "May", "July", "October")

Family = Literal["check", "reviews", "stock"]


class Job(Struct, frozen=True):
    """One task: what is asked and came along, and what an answer has to hold: `wanted` values, or the one difference."""

    family: Family
    text: str
    input: dict[str, Any]
    wanted: tuple[str, ...]
    table: bytes | None = None


class Shelf:
    """Holds the tables of jobs."""

    def __init__(self, jobs: Sequence[Job]) -> None:
        self._held = {hashlib.sha256(job.table).hexdigest(): job.table for job in jobs if job.table is not None}

    async def get(self, sha256: str) -> bytes:
        """Return one."""
        return self._held[sha256]

    async def put(self, content: bytes) -> str:
        """Refuse."""
        raise AgentFailed("nowhere_to_store", f"{len(content)} bytes")


def jobs(seed: int, count: int = TASKS) -> list[Job]:
    """Return the tasks of a seed, family by family."""
    rng = random.Random(seed)
    return [make(rng) for make in (_check, _reviews, _stock) for _ in range(count)]


def _check(rng: random.Random) -> Job:
    """Return an invoice and its order, each with its own way to write, of which one thing differs."""
    day, month, year = rng.randint(1, 28), rng.choice(_MONTHS), rng.randint(2023, 2026)
    sums, number, name = rng.randint(1_001, 99_999) / 100 + 20, rng.randint(1_000, 9_999), rng.choice(_NAMES)
    other = rng.choice(("money", "date", "invoice_number"))
    later = day + 1 if other == "date" else day
    more = round(sums + rng.randint(1, 900) / 100, 2) if other == "money" else sums
    changed = number + 1 if other == "invoice_number" else number
    order = f"Invoice no. {number}. {name} ordered on {day} {month} {year}. Total: EUR {sums:,.2f}."
    at = datetime.strptime(f"{later} {month} {year}", "%d %B %Y").date()
    bill = f"Invoice no. {changed}. Ordered by {name} on {at.isoformat()}. To be paid: {more:.2f} EUR."
    text = f"Compare these. Order: {order} Invoice: {bill}"
    return Job("check", text, {"texts": [order, bill]}, (other.replace("_", " "),))


def _reviews(rng: random.Random) -> Job:
    some = rng.sample(REVIEWS, 4)
    text = "What is the tone of each of these? " + " ".join(review for review, _ in some)
    return Job("reviews", text, {"reviews": [review for review, _ in some]}, tuple(tone for _, tone in some))


def _stock(rng: random.Random) -> Job:
    rows = [(rng.choice(_REGIONS), rng.randint(1, 90)) for _ in range(30)] + [(region, 5) for region in _REGIONS]
    region, price = rng.choice(_REGIONS), rng.randint(3, 40)
    total = sum(units for where, units in rows if where == region)
    table = "region,units\n" + "".join(f"{where},{units}\n" for where, units in rows)
    steps = [
        {
            "id": "total",
            "kind": "table",
            "text": f"What is the total units where region is {region}?",
            "files": ["${task.files[0]}"],
            "needed": True,
        },
        {"id": "worth", "kind": "arithmetic", "text": f"What is ${{total.output.rows[0][0]}} * {price}?", "needed": True},
    ]
    text = f"What are all units of the region {region} worth at {price} each?"
    return Job("stock", text, {"plan": {"name": "stock", "steps": steps}}, (str(total * price),), table.encode())


def solved(job: Job, output: Any) -> bool:
    """Say whether an answer holds what is wanted."""
    if job.family == "check":
        return _difference(output) == (list(job.wanted), 0)
    if job.family == "reviews":
        tones = [one.get("label") for one in output.values()] if _by_step(output) else []
        return tuple(tones[: len(job.wanted)]) == job.wanted
    return set(job.wanted) <= set(_leaves(output))


def _by_step(output: Any) -> bool:
    return isinstance(output, Mapping) and all(isinstance(one, Mapping) for one in output.values())


def _difference(output: Any) -> tuple[list[str], int] | None:
    """Return the kinds of things that an answer says differ, and how much it says that only one has; None: it says neither."""
    for one in output.values() if _by_step(output) else [output]:
        if isinstance(one, Mapping) and one.get("pairs"):
            (pair,) = one["pairs"]
            kinds = [said.split(" '")[0] for said in pair["different"]]
            return kinds, len(pair["missing"]) + len(pair["added"])
    return None


def _leaves(value: Any) -> list[str]:
    if isinstance(value, Mapping):
        return [leaf for one in value.values() for leaf in _leaves(one)]
    return [leaf for one in value for leaf in _leaves(one)] if isinstance(value, list | tuple) else [str(value)]


def files_of(job: Job) -> tuple[FileRef, ...]:
    """Return the files that come along."""
    if job.table is None:
        return ()
    return (FileRef("stock.csv", "text/csv", hashlib.sha256(job.table).hexdigest(), len(job.table)),)
