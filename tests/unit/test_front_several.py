"""Which turns of a chat are for several agents, by what supervisors plan by."""

import pytest

from agents.front.decide import Do, Turn, decide
from agents.front.several import team_of
from agents.front.sort import Sorted
from agents.team.suiting import Suited
from events.agent import AgentSpec
from tests.builders import spec

SPECS = (spec("chief", pipeline="supervise", skills=("team",)), spec("adder", skills=("sum",)), spec("critic", skills=("mood",)))
BOTH = "Work out 6 * 7. Is this review positive: I love it!"


def by_words(specs: tuple[AgentSpec, ...]) -> object:
    """Return what suits the critic if it is about a review, and else the adder; nobody who splits is asked."""
    assert {one.id for one in specs} == {"adder", "critic"}
    return lambda text: Suited("mood" if "review" in text else "sum", 1.0)


@pytest.mark.parametrize(
    ("text", "specs", "team"),
    [
        (BOTH, SPECS, "team"),
        ("Work out 6 * 7.", SPECS, None),
        ("Work out 6 * 7 and add 3 to 5.", SPECS, None),
        (BOTH, SPECS[1:], None),
    ],
)
def test_only_what_is_for_several_goes_to_whoever_splits(text: str, specs: tuple[AgentSpec, ...], team: str | None) -> None:
    """One request, several of one kind in one sentence, or nobody who splits: it goes as it always did."""
    assert team_of(text, specs, by_words) == team  # type: ignore[arg-type]


@pytest.mark.parametrize(("files", "kind"), [(0, "team"), (1, None)])
def test_a_turn_for_several_is_a_task_for_a_team_unless_files_came_with_it(files: int, kind: str | None) -> None:
    """What is to be done with files their kinds of tasks say."""
    done = decide(Turn(BOTH, files, Sorted("talk", 0.4), (), team="team"))

    assert isinstance(done, Do)
    assert (done.text, done.kind == "team") == (BOTH, kind == "team")
