"""Contradictions between answers to one question, and which of them counts. Pure.

Rules, in this order, each named in the fact:
- `agreement/1`: nothing contradicts; the answer of whom most is expected of counts.
- `evidence/1`: only one side names evidence.
- `calibrated_vote/1`: each agent has the weight log((m - 1) p / (1 - p)) of the reward p expected of it, and the side with more
  weight counts: the best vote of independent judges whose mistakes are spread over m - 1 answers alike (Dawid and Skene 1979, one
  coin each). m is 2 for yes or no, else 10: wrong answers seldom agree. Where nothing is known of an agent it weighs as p = .6.
- `open/1`: the sides weigh nearly alike; all are shown.
"""

import math
from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from agents.team.claim import contradictions, yes_or_no
from events.plan import Answered

MARGIN = 0.2  # in log-odds: .55 against .50
_UNKNOWN = 0.6  # what is expected of an agent of whom nothing is known: a little more than a coin
_MANY = 10  # answers that a question may have, beside yes and no
_LEAST, _MOST = 0.05, 0.95  # no score is a certainty
_EVIDENCE = ("citations", "chunks", "sources", "evidence", "passages")


class Settlement(Struct, frozen=True):
    """What contradicts what, the rule that settled it, and the place of the answer that counts (None: open)."""

    conflicts: tuple[str, ...]
    rule: str
    chosen: int | None


def answer_of(task_id: str, agent: str, output: Any, confidence: float | None) -> Answered:
    """Return an answer with the evidence that it names."""
    cited = 0
    if isinstance(output, dict):
        cited = max((len(output[name]) for name in _EVIDENCE if isinstance(output.get(name), list)), default=0)
    return Answered(task_id, agent, output, confidence, cited)


def settle(answers: Sequence[Answered]) -> Settlement:
    """Detect and settle; the same answers in the same order always give the same."""
    found = {
        (i, j): told
        for i in range(len(answers))
        for j in range(i + 1, len(answers))
        if (told := contradictions(answers[i].output, answers[j].output))
    }
    sides = _sides(len(answers), set(found))
    said = tuple(f"{answers[i].agent} and {answers[j].agent}: {what}" for (i, j), told in found.items() for what in told)
    if len(sides) == 1:
        return Settlement((), "agreement/1", _best(answers, sides[0]))
    cited = [side for side in sides if any(answers[at].citations for at in side)]
    if len(cited) == 1:
        return Settlement(said, "evidence/1", _best(answers, cited[0]))
    return _voted(answers, cited or sides, said)


def weight(confidence: float | None, options: int = _MANY) -> float:
    """Return the weight of a vote: the log-odds of being right, against agreeing by chance on one of the other options."""
    p = min(max(_UNKNOWN if confidence is None else confidence, _LEAST), _MOST)
    return math.log((options - 1) * p / (1 - p))


def _voted(answers: Sequence[Answered], sides: list[list[int]], said: tuple[str, ...]) -> Settlement:
    """Count each agent once on its side."""
    options = 2 if all(yes_or_no(one.output) is not None for one in answers) else _MANY
    totals = [_total(answers, side, options) for side in sides]
    order = sorted(range(len(sides)), key=lambda at: (-totals[at], sides[at]))
    if totals[order[0]] - totals[order[1]] < MARGIN:
        return Settlement(said, "open/1", None)
    return Settlement(said, "calibrated_vote/1", _best(answers, sides[order[0]]))


def _total(answers: Sequence[Answered], side: list[int], options: int) -> float:
    votes: dict[str, float] = {}
    for at in side:
        votes[answers[at].agent] = max(weight(answers[at].confidence, options), votes.get(answers[at].agent, -math.inf))
    return sum(votes.values())


def _best(answers: Sequence[Answered], side: list[int]) -> int:
    return max(side, key=lambda at: (answers[at].citations > 0, weight(answers[at].confidence), -at))


def _sides(count: int, against: set[tuple[int, int]]) -> list[list[int]]:
    """Put each answer with the first side that none of which contradicts it."""
    sides: list[list[int]] = []
    for at in range(count):
        home = next((side for side in sides if not any((other, at) in against for other in side)), None)
        if home is None:
            sides.append([at])
        else:
            home.append(at)
    return sides
