"""`smolit model`: versions of policies, what each is worth, and which of them served when."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import msgspec
import typer

from events.registry import Model, Registry
from events.topics import DEFAULT_TENANT
from projections.model import model_history
from smolit.cli import out
from smolit.cli.desk import Desk, now, open_desk, read
from smolit.cli.option import Json, Limit, Scope, Tenant, moment
from smolit.model.fold import Scope as Place
from smolit.model.served import ServedAt, served_at

Named = Annotated[str, typer.Argument(metavar="MODEL", help="Id of a version, its number in the scope, or an alias.")]
Other = Annotated[str, typer.Argument(metavar="OTHER", help="The version that it is compared with, named alike.")]
Optional = Annotated[str | None, typer.Option("--model", metavar="MODEL", help="Only what happened to this version.")]
OneScope = Annotated[str | None, typer.Option("--scope", help="Only versions of this scope; else of every one.")]
When = Annotated[str, typer.Argument(metavar="TIME", help="A time (RFC 3339), or a span back from now such as 30s, 5m, 2h, 7d.")]

_ESTIMATES = ("logged_reward", "ips", "snips", "dr", "gain")


def list_models(scope: OneScope = None, tenant: Tenant = DEFAULT_TENANT, as_json: Json = False) -> None:
    """List versions with their verdicts, aliases and estimates, the best of each scope marked."""
    registry = _versions(open_desk())
    found = [_told(registry, one) for one in registry.of(tenant, scope)]
    if as_json:
        out.json(found)
        return
    columns = ("scope", "number", "model", "policy", "examples", "upto", "verdict", "aliases", "dr", "best")
    rows = [
        (*(one[name] for name in ("scope", "number", "model")), one["origin"].policy, one["origin"].examples, one["origin"].upto,
         one["verdict"], ", ".join(one["aliases"]), one["origin"].metrics.get("dr"), "best" if one["best"] else "")
        for one in found
    ]  # fmt: skip
    out.table(columns, rows)


def show(named: Named, scope: Scope = "default", tenant: Tenant = DEFAULT_TENANT, as_json: Json = False) -> None:
    """Show one version: where it comes from, what it would have earned, what was judged, and whether its artefact is whole."""
    from smolit.model.registry import artefact_state, need

    desk = open_desk()
    registry = _versions(desk)
    model = need(registry, Place(tenant, scope), named)
    told = {**_told(registry, model), "artefact": artefact_state(desk, model)}
    if as_json:
        out.json(told)
        return
    origin = model.origin
    out.facts({name: content for name, content in told.items() if name != "origin"})
    out.facts({name: getattr(origin, name) for name in origin.__struct_fields__ if name not in ("metrics", "not_estimated")})
    out.table(("figure", "value", "low", "high"), _metrics(origin.metrics), title="on the log that it was folded from")
    if origin.not_estimated:
        out.line(f"There are no estimates: {origin.not_estimated}.")


def compare(named: Named, other: Other, scope: Scope = "default", tenant: Tenant = DEFAULT_TENANT, as_json: Json = False) -> None:
    """Compare two versions: settings, figures on the same choices, and how often they would choose different agents."""
    from learning.encoders import context_maps
    from smolit.audit.choices import sort_log
    from smolit.cli.log import whole_log
    from smolit.model.compare import compare as compare_models
    from smolit.model.registry import need, shelf

    desk = open_desk()
    registry, place = _versions(desk), Place(tenant, scope)
    one, two = need(registry, place, named), need(registry, place, other)
    found = compare_models(sort_log(asyncio.run(whole_log(desk)), networks=shelf(desk)), context_maps(), one, two)
    if as_json:
        out.json(found)
        return
    share = None if found.differing_share is None else f"{found.differing_share:.1%}"
    out.facts({"choices that both could have made": found.choices, "would differ": share})
    plain = {"policy": found.policies, "examples": found.examples, "upto": found.upto}
    pairs = {**plain, **found.settings, **found.figures}
    out.table(("", f"version {one.number}", f"version {two.number}"), [(name, *pair) for name, pair in pairs.items()])
    for model, why in zip((one, two), found.not_estimated, strict=True):
        if why:
            out.line(f"There are no estimates of version {model.number}: {why}.")


def lineage(named: Named, scope: Scope = "default", tenant: Tenant = DEFAULT_TENANT, as_json: Json = False) -> None:
    """Show a version and those that it follows, back to the first."""
    from smolit.model.registry import need

    registry = _versions(open_desk())
    line = [_told(registry, one) for one in registry.line_of(need(registry, Place(tenant, scope), named))]
    if as_json:
        out.json(line)
        return
    rows = [(one["number"], one["model"], one["origin"].policy, one["origin"].upto, one["verdict"]) for one in line]
    out.table(("number", "model", "policy", "upto", "verdict"), rows)


def history(
    model: Optional = None, scope: Scope = "default", limit: Limit = 50, tenant: Tenant = DEFAULT_TENANT, as_json: Json = False
) -> None:
    """Show what happened to a scope's versions and what was put in force, newest first."""
    from smolit.model.registry import need

    desk = open_desk()
    only = need(_versions(desk), Place(tenant, scope), model) if model else None
    where = {"scope": only.scope, "model_id": only.id} if only else {"scope": scope}
    found = read(desk, lambda connection: model_history(connection, tenant, **where, limit=limit))
    if as_json:
        out.json(found)
        return
    rows = [(one.happened_at, one.change, one.alias, one.model_id, one.policy, one.changed_by, one.reason) for one in found]
    out.table(("when", "what", "alias", "model", "in force", "by", "why"), rows)


def served(when: When, scope: Scope = "default", tenant: Tenant = DEFAULT_TENANT, as_json: Json = False) -> None:
    """Say which policy, version and state served a scope at a moment, from the facts up to then alone."""
    at = moment(when, now(), -1)
    found: ServedAt = read(open_desk(), lambda connection: served_at(connection, Place(tenant, scope), at))
    if as_json:
        out.json(found)
        return
    out.facts({name: content for name, content in msgspec.structs.asdict(found).items() if name != "choice"})
    if found.choice is None:
        out.line("No choice was made so by then, so no state is recorded.")
    else:
        out.line(f"So it says the last choice by then: attempt {found.choice.attempt} of task {found.choice.task_id}.")


def _versions(desk: Desk) -> Registry:
    """Return all versions, from the log."""
    from smolit.model.registry import versions  # pulls in numpy, which `served-at` does without

    return asyncio.run(versions(desk))


def _told(registry: Registry, model: Model) -> dict[str, Any]:
    """Return what is known of a version."""
    from smolit.model.prune import best_of

    best = best_of(registry.of(model.tenant, model.scope))
    return {
        "model": model.id,
        "scope": model.scope,
        "number": model.number,
        "verdict": model.verdict,
        "why": model.why,
        "aliases": registry.aliases_of(model),
        "parent": model.parent,
        "best": best is not None and best.id == model.id,
        "origin": model.origin,
    }


def _metrics(metrics: Mapping[str, float]) -> Sequence[Sequence[object]]:
    """Return figures with their bounds, one row each."""
    names = [name for name in metrics if not name.endswith(("_low", "_high"))]
    return [(name, metrics[name], metrics.get(f"{name}_low"), metrics.get(f"{name}_high")) for name in names]
