"""`smolit agent rewards`: what each agent earned in the mean, and what it would be had everybody been asked."""

import asyncio
from typing import Annotated

import typer

from events.topics import DEFAULT_TENANT
from learning.rating import AgentReward, Ratings, agent_rewards
from smolit.audit.choices import sort_log
from smolit.cli import out
from smolit.cli.desk import open_desk
from smolit.cli.log import whole_log
from smolit.cli.option import Json, Tenant
from smolit.cli.out import interval
from smolit.counterfactual.replay import ratings_of
from smolit.errors import NothingFound

OneScope = Annotated[str | None, typer.Option("--scope", help="Only attempts of this scope; else of every one.")]


def rewards(scope: OneScope = None, tenant: Tenant = DEFAULT_TENANT, as_json: Json = False) -> None:
    """Print each agent's mean reward: of what was judged, and weighted by the chance of being judged, from the log alone."""
    ratings: Ratings = ratings_of(sort_log(asyncio.run(whole_log(open_desk()))))
    tried = [one for one in ratings.tried().values() if one.stratum.tenant == tenant and scope in (None, one.stratum.scope)]
    if not tried:
        raise NothingFound("no attempt that could be judged is over (yet)")
    found = agent_rewards(tried)
    if as_json:
        out.json(found)
        return
    rows = [_row(one) for one in found]
    columns = ("agent", "completed", "failed", "judged", "mean of the judged", "had all been judged", "unheard")
    out.table(columns, rows, title="means with 95 % intervals")


def _row(one: AgentReward) -> tuple[object, ...]:
    share = "" if one.judged_share is None else f"{one.judged} ({one.judged_share:.1%})"
    means = interval(one.judged_mean), interval(one.weighted_mean)
    return one.agent, one.completed, one.failed, share, *means, f"{one.unheard:.1%}"
