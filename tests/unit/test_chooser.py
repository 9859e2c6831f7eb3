"""Who chooses for a batch: each attempt gets what it would get alone, also where one of them cannot be chosen for."""

import numpy as np

from events.control import evolve
from events.task import AgentChosen, Features, TaskEnded
from events.topics import Names
from learning.book import PolicyKey
from learning.policy import Context
from streams.choice import Wanted
from streams.chooser import Chooser
from streams.control import ControlReader
from streams.errors import ChoiceImpossible
from streams.library import Library
from streams.live import LiveAgents
from tests.builders import TENANT, context, features, moment, registered

NAMES, NOWHERE = Names("tests"), "127.0.0.1:1"
BROKEN = Features("broken", features().embedding, features().surface)


def to_context(seen: Features) -> Context:
    """Return a context, or one that is none."""
    return np.array([0.6, float("nan") if seen.version == "broken" else 1.0])


def chooser() -> Chooser:
    """Return a chooser that follows nothing, with two agents in force and nothing learned."""
    default = PolicyKey.of("ridge_igw", {})
    library = Library(NOWHERE, "tests", NAMES, default, 2, "map-1", to_context)
    control = ControlReader(NOWHERE, "tests", NAMES)
    for event in (registered("a"), registered("b")):
        control.control = evolve(control.control, event.fact)
    live = LiveAgents(NOWHERE, "tests", NAMES, 1.0, lambda: moment(0), lambda: 0.0)
    return Chooser(default=default, secret=b"secret", control=control, library=library, live=live)


def wanted(number: int, **fields: object) -> Wanted:
    """Return the first attempt at a task."""
    return Wanted(TENANT, f"task-{number}", 1, context(**{"seen": {}, **fields}))


async def test_a_batch_gets_what_each_would_get_alone() -> None:
    """In order, with draws of their own; a task that nobody can do ends, and those of another scope look at another state."""
    every = [wanted(1), wanted(2, kind="law"), wanted(3, scope="legal"), wanted(4)]

    together = await chooser().choose_many(every)

    assert together == [await chooser().choose(one) for one in every]
    assert [type(one) for one in together] == [AgentChosen, TaskEnded, AgentChosen, AgentChosen]
    assert await chooser().choose_many([]) == []


async def test_one_that_cannot_be_chosen_for_spoils_none_of_the_others() -> None:
    """Its place holds why the policy cannot choose, which is what it would have been told alone."""
    every = [wanted(1), wanted(2, features=BROKEN), wanted(3)]

    first, second, third = await chooser().choose_many(every)

    assert [first, third] == await chooser().choose_many([every[0], every[2]])
    assert isinstance(second, ChoiceImpossible)
    assert "the policy in force cannot choose: a context holds a number that is not finite" in str(second)
