"""What conversations came to: task or talk, questions back, follow-ups, times, and turns lost or answered twice. Pure."""

import statistics
from collections.abc import Callable, Sequence
from typing import TypeVar

from msgspec import Struct

from bench.chat.script import Half, Line
from bench.spread import Range, bootstrapped, mean

T = TypeVar("T")
_TASKS = ("task", "clarify")  # wanted, of what is for an agent


class Heard(Struct, frozen=True):
    """The answer to a turn: its sort and kind, its text, who made it, and when it was there, in milliseconds after it was sent.

    `first_ms`: when its first piece was there, where it came in pieces.
    """

    kind: str
    sort: str
    text: str
    model: str | None
    whole_ms: float
    first_ms: float | None = None


class Turned(Struct, frozen=True):
    """One turn of a script, what was heard, and how many answers the thread holds at the end (None: it was not looked at)."""

    script: int
    domain: str
    line: Line
    heard: Heard | None
    answers: int | None = None
    whole: bool = True  # its script was played with all its turns


class Times(Struct, frozen=True):
    """Times of turns in milliseconds."""

    turns: int
    p50_ms: float
    p99_ms: float


class Sorted(Struct, frozen=True):
    """Turns of one sort of wish: how many, how many went the right way, and how many answers hold what they should."""

    wanted: str
    turns: int
    right_way: Range
    holds: Range | None
    of: int


class Course(Struct, frozen=True):
    """What `--json` writes; intervals are 95 %, by drawing conversations anew.

    `task_or_talk` is of scripts that were played whole: where talk is left out there is little to mistake.
    """

    half: Half
    turns: int
    spoken: int  # answered by a language model
    conversations: int
    window: int
    seed: int
    seconds: float
    task_or_talk: Range
    clarify_precision: Range
    clarify_recall: Range
    follow_ups: Range
    follow_up_turns: int
    answered: float
    failed: float
    lost: int
    doubled: int
    incomplete_threads: int
    by_wanted: tuple[Sorted, ...]
    by_domain: tuple[tuple[str, int, float], ...]
    times: dict[str, Times]
    first_piece: Times | None
    piece_share: Range | None


def scored(turns: Sequence[Turned], half: Half, window: int, seed: int, seconds: float) -> Course:
    """Return the figures of a course."""
    talks = list(_by_script(turns).values())
    heard = [one.heard for one in turns if one.heard is not None]
    watched = [one for one in heard if one.first_ms is not None]
    over = [one for one in turns if one.answers is not None]
    return Course(
        half=half,
        turns=len(turns),
        spoken=sum(one.model is not None for one in heard),
        conversations=len(talks),
        window=window,
        seed=seed,
        seconds=round(seconds, 1),
        task_or_talk=_drawn(talks, lambda one: [float(right_way(turn)) for turn in one if turn.whole], seed),
        clarify_precision=_drawn(talks, _asked_rightly, seed),
        clarify_recall=_drawn(talks, _asked_when_wanted, seed),
        follow_ups=_drawn(talks, _followed, seed),
        follow_up_turns=sum(len(_followed(one)) for one in talks),
        answered=len(heard) / len(turns),
        failed=sum(one.kind == "error" for one in heard) / len(turns),
        lost=sum(one.answers == 0 for one in over) + sum(one.heard is None and one.answers is None for one in turns),
        doubled=sum(one.answers is not None and one.answers > 1 for one in turns),
        incomplete_threads=sum(any(turn.answers != 1 for turn in one) for one in talks),
        by_wanted=tuple(_sorted(wanted, turns, seed) for wanted in dict.fromkeys(one.line.wanted for one in turns)),
        by_domain=tuple(_domain(domain, turns) for domain in dict.fromkeys(one.domain for one in turns)),
        times={
            sort: times([one.whole_ms for one in heard if one.sort == sort])
            for sort in sorted({one.sort for one in heard})
        }
        | {"all": times([one.whole_ms for one in heard])},
        first_piece=times([one.first_ms for one in watched if one.first_ms is not None]) if watched else None,
        piece_share=bootstrapped([(one.first_ms or 0) / one.whole_ms for one in watched], statistics.median, seed)
        if watched
        else None,
    )  # fmt: skip


def right_way(turn: Turned) -> bool:
    """Say whether a turn went to the agents, or did not, as it should; what was not answered went nowhere."""
    return turn.heard is not None and (turn.heard.sort in ("task", "clarification")) == (turn.line.wanted in _TASKS)


def holds(turn: Turned) -> bool:
    """Say whether the answer has one of the texts that it should, whatever the case."""
    told = turn.heard.text.lower() if turn.heard is not None and turn.heard.kind != "error" else ""
    return any(one.lower() in told for one in turn.line.holds)


def times(found: Sequence[float]) -> Times:
    """Return median and 99th percentile."""
    if len(found) < 2:
        return Times(len(found), *(round(found[0], 1) for _ in "ab")) if found else Times(0, 0.0, 0.0)
    cuts = statistics.quantiles(found, n=100, method="inclusive")
    return Times(len(found), round(statistics.median(found), 1), round(cuts[98], 1))


def _asked(turn: Turned) -> bool:
    return turn.heard is not None and turn.heard.kind == "clarification"


def _asked_rightly(talk: Sequence[Turned]) -> list[float]:
    return [float(turn.line.wanted == "clarify") for turn in talk if _asked(turn)]


def _asked_when_wanted(talk: Sequence[Turned]) -> list[float]:
    return [float(_asked(turn)) for turn in talk if turn.line.wanted == "clarify"]


def _followed(talk: Sequence[Turned]) -> list[float]:
    return [float(holds(turn)) for turn in talk if turn.line.follows and turn.line.holds]


def _drawn(talks: Sequence[T], part: Callable[[T], list[float]], seed: int) -> Range:
    """Return the share over all turns; conversations are drawn anew, for turns of one hang together."""
    parts = [found for talk in talks if (found := part(talk))]
    if not parts:
        return Range(0.0, 0.0, 1.0)
    return bootstrapped(parts, lambda drawn: mean([value for one in drawn for value in one]), seed)


def _sorted(wanted: str, turns: Sequence[Turned], seed: int) -> Sorted:
    mine = [one for one in turns if one.line.wanted == wanted]
    with_text = [float(holds(one)) for one in mine if one.line.holds]
    shown = bootstrapped(with_text, mean, seed) if with_text else None
    return Sorted(wanted, len(mine), bootstrapped([float(right_way(one)) for one in mine], mean, seed), shown, len(with_text))


def _domain(domain: str, turns: Sequence[Turned]) -> tuple[str, int, float]:
    mine = [right_way(one) for one in turns if one.domain == domain]
    return domain, len(mine), round(sum(mine) / len(mine), 3)


def _by_script(turns: Sequence[Turned]) -> dict[int, list[Turned]]:
    found: dict[int, list[Turned]] = {}
    for one in turns:
        found.setdefault(one.script, []).append(one)
    return found
