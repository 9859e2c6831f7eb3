"""`smolit plot reliability`: whether the chances that a network told came true."""

import asyncio

from events.topics import DEFAULT_TENANT
from smolit.cli import out
from smolit.cli.desk import open_desk
from smolit.cli.model import Named
from smolit.cli.option import Json, Scope, Tenant
from smolit.cli.plot import Png, target_of, tell
from smolit.errors import NothingFound
from smolit.plot.chart import reliability_chart


def reliability(
    named: Named, scope: Scope = "default", png: Png = None, tenant: Tenant = DEFAULT_TENANT, as_json: Json = False
) -> None:
    """Plot the chances of success that a version's network told on later attempts, beside what came of them."""
    from learning.reliability import Group, calibration_error, error_by_chance
    from smolit.cli.retrained import calibration
    from smolit.model.fold import Scope as Place
    from smolit.model.registry import need, versions

    target = target_of(png)
    model = need(asyncio.run(versions(open_desk())), Place(tenant, scope), named)
    if model.origin.trained is None:
        raise NothingFound(f"version {model.number} has no network of its own, so it tells no chances")
    tell(model.origin.trained.reliability, reliability_chart, str(model.number), target, as_json)
    if not as_json:
        found = [Group(one.told, one.came, one.count) for one in model.origin.trained.reliability]
        out.say(calibration(calibration_error(found), error_by_chance(found)))
    figures = model.origin.metrics
    if "time_span_covered" in figures and not as_json:
        out.say(
            f"of times, the span told should hold {figures['time_span_asked']:.0%} and held "
            f"{figures['time_span_covered']:.1%} of the later attempts"
        )
