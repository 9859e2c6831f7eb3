"""`smolit model` for what changes something: register, validate, promote, roll back, and look after artefacts."""

import asyncio
from typing import Annotated

import typer

from events.model import Alias
from events.registry import Model
from events.request import RollBackModel
from events.topics import DEFAULT_TENANT
from learning.artefact import remove
from learning.errors import ArtefactError
from smolit.cli import out
from smolit.cli.desk import Desk, ask_for, open_desk, put_in_force
from smolit.cli.model import Named
from smolit.cli.option import DryRun, Json, Parameters, Scope, Tenant
from smolit.cli.replay import candidate
from smolit.errors import CheckFailed
from smolit.folder import networks_in
from smolit.model import registry
from smolit.model.control import control_of
from smolit.model.fold import Scope as Place
from smolit.model.prune import prunable
from smolit.retrain.network import network_of, trainer_of, unproven, unused

PolicyName = Annotated[str, typer.Option("--policy", metavar="POLICY", help="The policy that is folded.")]
Upto = Annotated[
    int | None,
    typer.Option("--upto", metavar="OFFSET", min=-1, help="Fold examples up to this offset of the scope's partition; else all."),
]
Parent = Annotated[str | None, typer.Option("--parent", metavar="MODEL", help="The version that it follows; else the champion.")]
AliasOfNew = Annotated[Alias | None, typer.Option("--alias", help="Validate it at once, and give it this alias.")]
AliasOf = Annotated[Alias, typer.Option("--alias", help="What it is from now on; the champion is in force.")]
Although = Annotated[
    bool, typer.Option("--unproven", help="Let a network serve that was not shown to earn more than what is in force.")
]
Why = Annotated[str, typer.Option("--reason", help="Why; it is kept for whoever reads the history.")]
Keep = Annotated[int, typer.Option("--keep", min=0, help="So many of the newest artefacts stay, too.")]


def register(
    policy: PolicyName,
    parameters: Parameters = "{}",
    scope: Scope = "default",
    upto: Upto = None,
    parent: Parent = None,
    alias: AliasOfNew = None,
    tenant: Tenant = DEFAULT_TENANT,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Fold a policy from the log, measure it, write its artefact, and register it as a version."""
    desk, place = open_desk(), Place(tenant, scope)
    wanted = registry.Wanted(place, candidate(policy, parameters), upto, parent)
    version, request = asyncio.run(registry.prepare(desk, wanted, out.say))
    if dry_run:
        out.say("would register:")
        out.json(
            {
                "model": version.origin.id_in(tenant, scope),
                **{name: getattr(request, name) for name in ("scope", "origin", "parent")},
            }
        )
        return
    model = asyncio.run(registry.register(desk, place, version, request))
    out.say(f"version {model.number} of scope {scope}: {model.origin.examples} examples, state {model.origin.digest[:12]}")
    if alias is not None:
        _validate(desk, model)
        asyncio.run(registry.promote(desk, model, alias, "named when it was registered"))
        out.say(f"version {model.number} is the {alias} of scope {scope} now")
    out.json({"model": model.id, "number": model.number, "origin": model.origin}) if as_json else out.line(model.id)


def validate(named: Named, scope: Scope = "default", tenant: Tenant = DEFAULT_TENANT, dry_run: DryRun = False) -> None:
    """Compare a version's artefact with its fact and with the refolded log, and record the verdict."""
    desk = open_desk()
    model = asyncio.run(_need(desk, tenant, scope, named))
    if not dry_run:
        _validate(desk, model)
        return
    verdict = asyncio.run(registry.examine(desk, model, out.say))
    out.say(f"version {model.number} would be {'validated' if verdict.fine else 'rejected'}: {verdict.reason}")


def promote(
    named: Named,
    alias: AliasOf = "champion",
    although: Although = False,
    scope: Scope = "default",
    reason: Why = "promoted on the command line",
    tenant: Tenant = DEFAULT_TENANT,
    dry_run: DryRun = False,
) -> None:
    """Give a validated version an alias; the champion's policy is in force at once, and goes on learning."""
    desk = open_desk()
    model = asyncio.run(_need(desk, tenant, scope, named))
    if alias == "champion" and not although and (why := unproven(model.origin)):
        raise CheckFailed(f"version {model.number} was not promoted: {why}; --unproven promotes it all the same")
    if dry_run:
        asyncio.run(put_in_force(desk, tenant, registry.promotion(model, alias, reason), dry_run))
        return
    asyncio.run(registry.promote(desk, model, alias, reason))
    out.say(f"version {model.number} is the {alias} of scope {model.scope} now")


def rollback(
    scope: Scope = "default",
    reason: Why = "rolled back on the command line",
    tenant: Tenant = DEFAULT_TENANT,
    dry_run: DryRun = False,
) -> None:
    """Put the champion before in force again."""
    if dry_run:
        ask_for(tenant, RollBackModel(scope=scope, reason=reason), dry_run, "")
        return
    model = asyncio.run(registry.roll_back(open_desk(), Place(tenant, scope), reason))
    out.say(f"version {model.number} is the champion of scope {scope} again")


def restore(named: Named, scope: Scope = "default", tenant: Tenant = DEFAULT_TENANT) -> None:
    """Fold a version from the log again, train its network if that is gone, and write both if they are what was registered."""
    desk = open_desk()
    model = asyncio.run(_need(desk, tenant, scope, named))
    asyncio.run(_restore_network(desk, model))
    out.line(str(asyncio.run(registry.restore(desk, model))))


def prune(
    keep: Keep = 10, scope: Scope = "default", tenant: Tenant = DEFAULT_TENANT, dry_run: DryRun = False, as_json: Json = False
) -> None:
    """Remove old artefacts, never that of the best version, of one with an alias, or of a past champion; facts stay."""
    desk = open_desk()
    known = prunable(asyncio.run(registry.versions(desk)), Place(tenant, scope), keep)
    there = [one for one in known if (registry.folder_of(desk) / one.id).is_dir()]
    gone = there if dry_run else [one for one in there if remove(registry.folder_of(desk), one.id)]
    if not dry_run:
        _prune_networks(desk)
    out.say(f"{len(gone)} artefact(s) {'would be' if dry_run else 'were'} removed; `smolit model restore` folds one again")
    if as_json:
        out.json([one.id for one in gone])
        return
    for one in gone:
        out.line(one.id)


async def _restore_network(desk: Desk, model: Model) -> None:
    """Train the network of a version anew, unless it is here and whole."""
    digest = network_of(model.origin.policy, model.origin.parameters)
    if digest is None:
        return
    try:
        registry.shelf(desk)(digest)
    except ArtefactError:
        from smolit.retrain.retrain import again  # with all that a training needs

        trainer = trainer_of(await registry.versions(desk), model.origin)
        if trainer is None:
            raise CheckFailed(f"network {digest[:12]} is gone, and no version says how it was trained") from None
        await again(desk, Place(trainer.tenant, trainer.scope), trainer.origin, out.say)


def _prune_networks(desk: Desk) -> None:
    """Remove the networks that nothing chooses by any more."""
    folder = networks_in(desk.settings.data_dir)
    for digest in unused(asyncio.run(control_of(desk)), registry.folder_of(desk), folder):
        remove(folder, digest)


async def _need(desk: Desk, tenant: str, scope: str, named: str) -> Model:
    return registry.need(await registry.versions(desk), Place(tenant, scope), named)


def _validate(desk: Desk, model: Model) -> None:
    """Judge a version and record the verdict; raises CheckFailed if it was rejected."""
    verdict = asyncio.run(registry.examine(desk, model, out.say))
    asyncio.run(registry.judged(desk, model, verdict))
    if not verdict.fine:
        raise CheckFailed(f"version {model.number} of scope {model.scope} was rejected: {verdict.reason}")
    out.say(f"version {model.number} of scope {model.scope} was validated: {verdict.reason}")
