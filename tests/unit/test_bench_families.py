"""More families of the team's bench: no agent does one alone, the team does, also where agents die; settling beats the others."""

from bench.agents.families import KINDS, measured
from bench.agents.family_job import Job, Shelf, jobs, solved
from bench.agents.family_play import alone, together
from bench.agents.family_settling import Asked, settled
from bench.agents.team import crew


async def test_the_team_does_what_nobody_does_alone_and_most_of_it_where_agents_die() -> None:
    """Every family; a part whose agent died was tried again."""
    single, team, dying, tasks = await measured(seed=5, count=6)

    assert max(sum(found) / len(found) for found in single.values()) <= 0.1
    for family in ("check", "reviews", "stock"):
        assert sum(one.solved for one in team if one.family == family) >= 3, family
    assert sum(one.solved for one in dying) >= sum(one.solved for one in team) / 2
    assert sum(one.tries for one in dying) > sum(one.parts for one in dying)
    assert len(tasks) == 18


async def test_settling_is_right_more_often_than_the_first_and_no_less_than_the_majority() -> None:
    """Also where those who are wrong say the same, against what the rule takes for granted."""
    asked = [one for one in await settled(3, crew(("arithmetic",))["arithmetic"], 80) if one.conflict]

    assert share(asked, "settled") > share(asked, "first") + 0.1
    assert share(asked, "settled") >= share(asked, "majority")


def share(asked: list[Asked], name: str) -> float:
    """Return how often an answer was right."""
    return sum(float(getattr(one, name)) for one in asked) / len(asked)


async def test_a_difference_is_right_only_if_it_is_the_one_and_nothing_else_is_said() -> None:
    """Of an invoice and its order; what one agent says of both texts as they are is none."""
    (job, *_) = jobs(1, 1)
    right = {"different": [f"{job.wanted[0]} 'a' against 'b'"], "missing": [], "added": []}

    assert solved(job, {"c": {"pairs": [right]}})
    assert not solved(job, {"c": {"pairs": [{**right, "missing": ["place 'Oslo'"]}]}})
    assert not solved(job, {"c": {"pairs": [{**right, "different": []}]}})
    agents = crew(KINDS, Shelf([job]))
    assert not any([await alone(job, member) for member in agents.values()])
    assert (await together(job, {kind: [member] for kind, member in agents.items()})).solved


def test_a_seed_gives_the_same_tasks() -> None:
    """And each family has as many."""
    assert jobs(7, 2) == jobs(7, 2)
    assert [job.family for job in jobs(7, 2)] == ["check", "check", "reviews", "reviews", "stock", "stock"]
    assert isinstance(jobs(7, 1)[2].table, bytes)
    assert Job("check", "t", {}, ()).table is None
