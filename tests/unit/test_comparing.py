"""Two things that a text asks to compare."""

from datetime import timedelta

import pytest

from agents.errors import AgentFailed
from agents.pipeline import Work
from agents.team.check import faults
from agents.team.comparing import compared, pair
from agents.team.goal import planned
from agents.team.planner import House, plan
from agents.team.suiting import Suited, Suiting
from learning.features import reader
from learning.static import StaticEncoder
from tests.builders import moment, spec

KINDS = frozenset({"arithmetic", "entities", "compare"})
ORDERS = 'Compare "Order 17 of 3 May: 500 EUR" and "Invoice of 4 May: 510 EUR".'


@pytest.mark.parametrize(
    ("text", "both"),
    [
        (ORDERS, ("Order 17 of 3 May: 500 EUR", "Invoice of 4 May: 510 EUR", False)),
        ("Please compare 12 * 7 with 9 * 9!", ("12 * 7", "9 * 9", True)),
        ("What is the difference between (3 + 4) * 2 and 14?", ("(3 + 4) * 2", "14", True)),
        ("Vergleiche „Frist 14 Tage“ mit „Frist 30 Tage“", ("Frist 14 Tage", "Frist 30 Tage", False)),
        ("Where do 'a b' and 'a c' differ?", ("a b", "a c", False)),
        ("Compare Paris and London", None),
        ("Compare 12 and 13", None),
        ("Compare 12 * 7 and 'a text'", None),
        ("Is 'a' better than 'b'?", None),
    ],
)
def test_two_texts_or_two_sums_are_a_pair(text: str, both: tuple[str, str, bool] | None) -> None:
    """Quoted or worked out, in two languages; whoever has to know about things is asked the whole."""
    assert pair(text) == both


@pytest.mark.parametrize(("text", "kind"), [(ORDERS, "entities"), ("Compare 12 * 7 and 9 * 9", "arithmetic")])
def test_both_are_worked_on_side_by_side_and_then_compared(text: str, kind: str) -> None:
    """A sound plan of three steps; of kinds that nobody can do there is none."""
    made = planned(text, lambda _text: None, KINDS)

    assert made is not None
    assert [one.kind for one in made.steps] == [kind, kind, "compare"]
    assert faults(made, KINDS) == ()
    assert compared(text, KINDS - {"compare"}) is None
    assert compared('Compare "${task.text}" and "b c"', KINDS) is None


async def test_the_part_that_nobody_does_is_named() -> None:
    """Not what shapes there are, which tells nothing about this text; one that suits nobody at all has no such part."""

    def suit(text: str) -> Suited | None:
        return Suited("arithmetic", 1.0) if "6" in text else None

    def work(text: str) -> Work:
        return Work("t", "task", 1, "supervisor", "team", text, {}, moment(0) + timedelta(minutes=1))

    house = House(KINDS, lambda: suit)
    with pytest.raises(AgentFailed, match='nobody here clearly does this part: "describe a waltz') as one:
        await plan(work("Work out 6 * 7. Then describe a waltz."), (), house, None)
    with pytest.raises(AgentFailed, match="its text suits nobody clearly") as none:
        await plan(work("Describe a waltz."), (), house, None)

    assert (one.value.reason, none.value.reason) == ("no_plan", "no_plan")


def test_who_gives_no_examples_gets_the_part_that_its_description_is_nearest_to() -> None:
    """Others are no worse off: who gives examples is nearer to what they are like."""
    adder = spec("adder", description="Calculates numbers", skills=("sum",), examples=("What is 3 + 4?", "Add 5 and 6"))
    poet = spec("poet", description="Writes poems and songs about the sea", skills=("poem",))
    suiting = Suiting("t", (adder, poet), reader(StaticEncoder.load()))

    found = [suiting.suited(one) for one in ("Write a poem about the sea", "What is 8 + 9?", "Repair the fence")]

    assert [one and one.kind for one in found] == ["poem", "sum", None]
