"""More families of tasks that no single agent can do, and what becomes of them when agents die or answer wrong.

Which tasks: `family_job`; how they are done: `family_play`; who is right where agents contradict each other: `family_settling`.
"""

import asyncio
import random

from bench.agents import family_settling
from bench.agents.family_job import TASKS, Job, Shelf, jobs
from bench.agents.family_play import Dying, Member, Played, alone, together
from bench.agents.figure import Figure
from bench.agents.team import crew
from bench.spread import bootstrapped, mean

_DIES, _TRIES = 0.3, 3
KINDS = ("arithmetic", "sentiment", "summary", "entities", "compare", "table")


async def measured(seed: int, count: int = TASKS) -> tuple[dict[str, list[bool]], list[Played], list[Played], list[Job]]:
    """Return what each agent solved alone, what the team did, and what it did where agents die."""
    tasks = jobs(seed, count)
    agents: dict[str, Member] = dict(crew(KINDS, Shelf(tasks)))
    single = {spec.id: [await alone(job, (spec, pipeline)) for job in tasks] for spec, pipeline in agents.values()}
    rng = random.Random(seed)
    sound = {kind: [member] for kind, member in agents.items()}
    dying = {kind: [(spec, Dying(made, _DIES, rng)) for _ in range(_TRIES)] for kind, (spec, made) in agents.items()}
    return single, [await together(job, sound) for job in tasks], [await together(job, dying) for job in tasks], tasks


def measure(seed: int) -> list[Figure]:
    """Return the team's share beside the best single agent's, by family; with agents that die, and with ones that are wrong."""
    single, team, dying, tasks = asyncio.run(measured(seed))
    figures = []
    for family in dict.fromkeys(job.family for job in tasks):
        places = [at for at, job in enumerate(tasks) if job.family == family]
        hits = {agent: [float(found[at]) for at in places] for agent, found in single.items()}
        best = max(sorted(hits), key=lambda agent: sum(hits[agent]))
        ours, theirs = [float(team[at].solved) for at in places], hits[best]
        data = f"{len(places)} tasks of the family {family}, made by seed"
        share, beside = bootstrapped(ours, mean, seed), bootstrapped(theirs, mean, seed)
        figures.append(Figure("families", "solved", "share", "higher", share, data, len(places), f"best alone ({best})", beside))
        died = bootstrapped([float(dying[at].solved) for at in places], mean, seed)
        tries = bootstrapped([dying[at].tries / dying[at].parts for at in places], mean, seed)
        name = f"solved where {_DIES:.0%} of attempts die, {_TRIES} a part"
        figures.append(Figure("families", name, "share", "higher", died, data, len(places), "nobody dies", share))
        figures.append(Figure("families", "attempts of a part then", "tasks", "lower", tries, data, len(places)))
    return [*figures, *family_settling.figures(seed)]


def main() -> None:
    """Print the figures."""
    for one in measure(1):
        beside = f"; {one.baseline}: {one.baseline_value.told}" if one.baseline_value else ""
        ahead = f"; paired {one.ahead.told}" if one.ahead else ""
        print(f"{one.metric} ({one.data}, n = {one.n}): {one.value.told}{beside}{ahead}")


if __name__ == "__main__":
    main()
