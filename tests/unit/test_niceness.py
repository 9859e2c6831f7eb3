"""Who goes first where cores are scarce."""

from smolit.process.roster import EXTRAS, PROCESSES
from smolit.process.shell import NICENESS


def test_nobody_goes_before_whoever_answers_first() -> None:
    """Requests wait for intake, and what a choice learns from comes right behind; what is read later yields to the work."""
    assert set(NICENESS) == {*PROCESSES, *EXTRAS} - {"intake"}
    assert max(NICENESS["learning"], NICENESS["relay"]) < min(NICENESS["dispatch"], NICENESS["worker"])
    assert NICENESS["projections"] == max(NICENESS.values())
    assert min(NICENESS.values()) > 0
