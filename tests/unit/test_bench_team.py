"""The team's bench: the set is fixed by its seed, no single agent can do it, and the team can."""

from bench.agents.team import letters, measured, solved


async def test_the_team_solves_what_no_single_agent_does() -> None:
    """At most one in ten alone, more than four in five together; each letter takes four parts."""
    single, team = await measured(seed=5)

    assert max(sum(found) / len(found) for found in single.values()) <= 0.1
    assert sum(one.solved for one in team) / len(team) > 0.8
    assert {one.parts for one in team} == {4}


def test_an_answer_is_right_only_with_both_sum_and_tone() -> None:
    """Half an answer is none, and a seed gives the same letters."""
    (letter,) = letters(1, 1)

    assert letters(1, 1) == [letter]
    assert solved(letter, {"a": {"value": letter.total}, "b": [{"label": letter.tone}]})
    assert not solved(letter, {"a": {"value": letter.total}})
    assert not solved(letter, letter.tone)
