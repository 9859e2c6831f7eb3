"""Comparing two results: what both mean alike is no difference, however it is written."""

from time import perf_counter
from typing import Any

import pytest

from agents.comparison import compared
from agents.errors import AgentFailed
from agents.pipeline import Work
from agents.pipelines.compare import Compare, CompareSettings
from tests.builders import moment
from tests.contract.test_agents import PlainEffects, toolbox


def found(**by_kind: Any) -> list[dict[str, Any]]:
    """Return entities as the agent for them gives them."""
    return [{"kind": kind, "text": text, "start": 0, "end": 1} for kind, texts in by_kind.items() for text in texts]


def test_forms_of_one_thing_are_no_difference() -> None:
    """Dates, sums with sign or code, capital letters, line breaks."""
    order = found(date=["2024-03-14"], money=["EUR 1,250.00"], person=["Anna Berg"], invoice_number=["INV-7"])
    invoice = found(date=["14 March 2024"], money=["€1250"], person=["ANNA\nBERG"], invoice_number=["inv 7"])

    assert compared(order, invoice).same
    assert compared(found(money=["1.250,00 EUR"]), found(money=["1,250.00 Euro"])).same
    assert not compared(found(money=["EUR 5"]), found(money=["USD 5"])).same


def test_what_differs_is_told_apart_from_what_is_missing_and_what_was_added() -> None:
    """One sum against another; a name that only one has; what both have."""
    order = found(money=["EUR 40.00"], person=["Anna Berg"], place=["Oslo"])
    invoice = found(money=["EUR 45.00"], person=["Anna Berg"], date=["2024-01-02"])

    told = compared(order, invoice)

    assert told.different == ("money 'EUR 40.00' against 'EUR 45.00'",)
    assert (told.missing, told.added, told.shared) == (("place 'Oslo'",), ("date '2024-01-02'",), ("person 'Anna Berg'",))
    assert compared("It is 40 km.", "It is 50 km.").different


async def test_the_agent_compares_all_with_the_first_by_their_names() -> None:
    """Three documents: two comparisons; one alone is refused."""
    items = [found(money=["EUR 1"]), found(money=["1 EUR"]), found(money=["EUR 2"])]
    agent = Compare(CompareSettings(), toolbox())

    def work(given: list[Any]) -> Work:
        return Work("t", "task", 1, "compare", "compare", "?", {"items": given, "names": ["order"]}, moment(9))

    output = (await agent.run(work(items), PlainEffects(), perf_counter)).output

    assert [(one["first"], one["second"], one["same"]) for one in output["pairs"]] == [
        ("order", "2", True),
        ("order", "3", False),
    ]
    assert "differs: money 'EUR 1' against 'EUR 2'" in output["answer"]
    with pytest.raises(AgentFailed, match="bad_input"):
        await agent.run(work(items[:1]), PlainEffects(), perf_counter)
