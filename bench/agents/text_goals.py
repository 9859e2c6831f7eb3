"""Goals that are text alone: which are split, and whether rightly.

Labelled by hand: the parts of a text by kind, and which needs the result of which; a text without parts is for one agent, or for
nobody. A split is right where there is to be one, into as many parts, with these dependencies. Half of the texts were written
before anything was measured, and nothing was changed for them. `python -m bench.agents.text_goals` prints it, `--dev` each miss.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
import yaml
from msgspec import Struct

from agents.team.goal import planned
from agents.team.reference import needs
from bench.agents.figure import Figure
from bench.agents.planning import house
from bench.agents.share import share
from events.plan import Plan

_DATA = Path(__file__).with_name("data") / "text_goals.yaml"


class TextGoal(Struct, frozen=True, forbid_unknown_fields=True):
    """A text, the kinds of its parts in order, and which needs whose result (places from 1); no parts: it is not to be split."""

    text: str
    parts: tuple[str, ...] = ()
    needs: tuple[tuple[int, int], ...] = ()
    unseen: bool = False


class Cut(Struct, frozen=True):
    """What became of a text: whether it was split, rightly, and with the right kinds."""

    goal: TextGoal
    kinds: tuple[str, ...]
    right: bool

    @property
    def split(self) -> bool:
        """Say whether it was split."""
        return len(self.kinds) > 1

    @property
    def kinds_right(self) -> bool:
        """Say whether all parts are of the kinds that they should be."""
        return self.right and self.kinds == self.goal.parts


def text_goals() -> list[TextGoal]:
    """Return the labelled texts."""
    return msgspec.convert(yaml.safe_load(_DATA.read_bytes()), list[TextGoal])


def cut(goals: Sequence[TextGoal]) -> list[Cut]:
    """Split each as the supervisor does."""
    suit = house().suiting()
    return [_cut(goal, planned(goal.text, suit)) for goal in goals]


def _cut(goal: TextGoal, made: Plan | None) -> Cut:
    steps = () if made is None else made.steps
    kinds = tuple(step.kind for step in steps)
    places = {step.id: place for place, step in enumerate(steps, 1)}
    used = {(places[step.id], places[name]) for step in steps for name in set(needs(step)) - set(step.after)}
    return Cut(goal, kinds, len(kinds) == len(goal.parts) and used == set(goal.needs))


def measure(seed: int) -> list[Figure]:
    """Return precision and recall of splitting, and how often the kinds are right, for both halves."""
    found = cut(text_goals())
    return [
        figure
        for name, unseen in (("the rules were made with", False), ("that nothing was changed for", True))
        for figure in _figures(name, seed, [one for one in found if one.goal.unseen is unseen])
    ]


def _figures(name: str, seed: int, found: Sequence[Cut]) -> list[Figure]:
    data = f"{len(found)} texts {name}, bench/agents/data/text_goals.yaml"
    wanted = [one for one in found if one.goal.parts]
    told = {
        "split, and rightly (precision)": [one.right for one in found if one.split],
        "of those to be split (recall)": [one.split and one.right for one in wanted],
        "kinds right, of those rightly split": [one.kinds_right for one in wanted if one.right],
    }
    return [Figure("text_goals", metric, "share", "higher", share(hits, seed), data, len(hits)) for metric, hits in told.items()]


def main() -> None:
    """Print the figures, or what was missed on the texts that the rules were made with."""
    if "--dev" in sys.argv:
        for one in cut([goal for goal in text_goals() if not goal.unseen]):
            if one.split != bool(one.goal.parts) or (one.split and not one.kinds_right):
                sys.stdout.write(f"{one.goal.text!r}\n    {one.kinds}, wanted {one.goal.parts}\n")
        return
    for figure in measure(1):
        sys.stdout.write(f"{figure.metric} ({figure.data}, n = {figure.n}): {figure.value.told}\n")


if __name__ == "__main__":
    main()
