"""The bench of plans: goals are as the file says, rules do what is measured, of recorded replies only good ones get through."""

from collections import Counter

from agents.team.shape import load
from bench.agents.planning import Goal, by_rules, goals, house, judged, let_through


def test_goals_are_many_of_several_families_and_ask_for_skills_that_there_are() -> None:
    """At least 40, some for one agent, some that nobody can do."""
    found = goals()

    families = Counter(goal.family for goal in found)
    assert len(found) >= 40
    assert len(families) >= 8
    assert families["impossible"] >= 4
    assert sum(len(goal.steps) == 1 for goal in found) >= 5
    assert {kind for goal in found for kind in goal.steps} <= house().kinds
    assert {kind for goal in found for pair in goal.needs for kind in pair} <= house().kinds


async def test_rules_plan_most_goals_rightly() -> None:
    """As many as the docs say; a plan of the wrong skills or without its dependencies is not right."""
    found = await by_rules()

    assert sum(one.right for one in found) >= 35
    wrong = Goal("x", "Does the invoice match the order?", ("ocr", "ocr", "compare"), ("a.pdf", "b.pdf"))
    told = await judged(wrong, load(), None)
    assert (told.planned, told.agents, told.depends, told.right) == (True, False, False, False)
    nobody = await judged(Goal("x", "Book a flight.", ()), load(), None)
    assert (nobody.right, nobody.refused) == (True, "no_plan")


async def test_good_replies_become_plans_and_bad_and_malicious_ones_none() -> None:
    """Through a real endpoint and the whole chain of checks."""
    found = await let_through()

    assert {(reply.why, made) for reply, made in found} == {(reply.why, reply.verdict == "good") for reply, made in found}
    assert Counter(reply.verdict for reply, _ in found).keys() == {"good", "bad", "malicious"}
