"""The course of a run, drawn from its seed: rounds of blows, each with a process or a server, a point or a moment."""

import math
import random
from collections.abc import Iterator, Sequence
from typing import Literal

from msgspec import Struct

from smolit.chaos.plan import POINTS, Fuse
from smolit.stack.record import Name

Kind = Literal["processes", "server", "zombies"]

_A_ROUND = 4
_SERVERS_PER = 12  # one kill of each server for so many kills
_ZOMBIES_PER = 60
_FEWEST = 10  # below that neither servers nor sleepers: a run of seconds, for a first look
_AT_POINTS = 0.7  # the rest comes at any moment
_MOST_PASSES = 4
_SLEEPERS = {
    "worker": ("claim.after", "call.before", "call.after", "end.before", "end.written"),
    "relay": ("send.before", "send.after", "mark.before"),
    "learning": ("commit.before", "commit.after", "ack.before"),
    "intake": ("claim.after", "send.before", "send.after", "commit.before"),
}
_AWAY_S = 13.0  # longer than a publisher's patience: what was handed over is lost, and what waits behind it must wait


class Blow(Struct, frozen=True):
    """One kill, or one long sleep: of which process or server, where, how long after the one before; a server stays `away_s`."""

    name: str
    fuse: Fuse | None
    wait_s: float
    away_s: float = 0.0


class Round(Struct, frozen=True):
    """Blows that are dealt while work flows; then everything has to settle."""

    kind: Kind
    blows: tuple[Blow, ...]


def course(kills: int, seed: int) -> list[Round]:
    """Return the rounds of a run with so many kills; the same seed gives the same ones."""
    rng = random.Random(seed)  # noqa: S311  # chance for a test
    servers = math.ceil(kills / _SERVERS_PER) if kills >= _FEWEST else 0
    names: list[Name] = ["kafka", "postgres"]
    hard = [_outage(rng, name, turn) for turn in range(servers) for name in names]
    blows = list(_process_blows(rng, kills - len(hard)))
    soft = [Round("processes", tuple(blows[start : start + _A_ROUND])) for start in range(0, len(blows), _A_ROUND)]
    asleep = [_zombies(rng) for _ in range(math.ceil(kills / _ZOMBIES_PER) if kills >= _FEWEST else 0)]
    return _mixed(rng, soft, hard, asleep)


def _process_blows(rng: random.Random, count: int) -> Iterator[Blow]:
    """Yield blows against processes: every process alike, every point in turn, in an order by chance."""
    names = _endless(rng, sorted(POINTS))
    points = {name: _endless(rng, POINTS[name]) for name in sorted(POINTS)}
    for _ in range(count):
        name = next(names)
        at_point = rng.random() < _AT_POINTS and bool(POINTS[name])
        fuse = Fuse(next(points[name]), rng.randint(1, _MOST_PASSES)) if at_point else None
        yield Blow(name, fuse, rng.uniform(0.1, 1.0))


def _outage(rng: random.Random, name: Name, turn: int) -> Round:
    """Return the kill of a server; the second of Kafka's, and every fifth after it, leaves everybody without it for long."""
    away = _AWAY_S if name == "kafka" and turn % 5 == 1 else rng.uniform(0.2, 1.5)
    return Round("server", (Blow(name, None, rng.uniform(0.2, 1.5), away),))


def _endless(rng: random.Random, deck: Sequence[str]) -> Iterator[str]:
    """Deal a deck again and again, shuffled each time."""
    while True:
        yield from rng.sample(deck, k=len(deck))


def _zombies(rng: random.Random) -> Round:
    """Return the round in which one of each that has a stand-in falls asleep at a point and wakes after a takeover."""
    blows = [Blow(name, Fuse(rng.choice(points), 1, "stop"), 0.2) for name, points in _SLEEPERS.items()]
    return Round("zombies", tuple(blows))


def _mixed(rng: random.Random, *kinds: Sequence[Round]) -> list[Round]:
    """Spread each kind of round evenly over the run; from the first sleepers on there are standbys to be killed as well."""
    whole = [((index + 0.5) / len(some), rng.random(), one) for some in kinds for index, one in enumerate(some)]
    return [one for _, _, one in sorted(whole, key=lambda item: item[:2])]
