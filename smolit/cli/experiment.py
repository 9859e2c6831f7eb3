"""`smolit experiment`: two or more policies on the same tasks, and which does better."""

from typing import Annotated, Any

import msgspec
import typer

from events.experiment import Variant
from events.request import StartExperiment, StopExperiment
from events.topics import DEFAULT_TENANT
from projections.experiment import experiments, results
from smolit.cli import out
from smolit.cli.desk import ask_for, open_desk, read
from smolit.cli.option import DryRun, Json, Scope, Tenant
from smolit.cli.task_change import Reason
from smolit.errors import NothingFound, UsageInvalid
from store.postgres import Connection

Id = Annotated[str, typer.Argument(metavar="EXPERIMENT", help="Id of an experiment.")]
Arms = Annotated[list[str], typer.Option("--variant", metavar="NAME=POLICY[:WEIGHT]", help="One variant; give two or more.")]
Parameters = Annotated[
    list[str] | None, typer.Option("--parameters", metavar="NAME=JSON", help="Parameters of a variant's policy.")
]
Salt = Annotated[str | None, typer.Option("--salt", help="Salt of the assignment; else one of its own.")]


def start(
    experiment_id: Id,
    variant: Arms,
    parameters: Parameters = None,
    scope: Scope = "default",
    salt: Salt = None,
    tenant: Tenant = DEFAULT_TENANT,
    dry_run: DryRun = False,
) -> None:
    """Compare policies on a scope's tasks from now on."""
    request = StartExperiment(experiment_id=experiment_id, scope=scope, salt=salt, variants=variants(variant, parameters or []))
    ask_for(tenant, request, dry_run, f"experiment {experiment_id} runs")


def stop(experiment_id: Id, reason: Reason = "", tenant: Tenant = DEFAULT_TENANT, dry_run: DryRun = False) -> None:
    """Assign no more tasks to an experiment; its results stay."""
    ask_for(tenant, StopExperiment(experiment_id=experiment_id, reason=reason), dry_run, f"experiment {experiment_id} is over")


def list_experiments(tenant: Tenant = DEFAULT_TENANT, as_json: Json = False) -> None:
    """List experiments, newest first."""
    found = read(open_desk(), lambda connection: experiments(connection, tenant))
    if as_json:
        out.json(found)
        return
    rows = [(one.experiment_id, one.state, one.scope, one.started_at, one.concluded_at) for one in found]
    out.table(("experiment", "state", "scope", "started", "concluded"), rows)


def show(experiment_id: Id, tenant: Tenant = DEFAULT_TENANT, as_json: Json = False) -> None:
    """Show an experiment's variants and results, each with its 95 % interval."""
    found = read(open_desk(), lambda connection: _whole(connection, tenant, experiment_id))
    if as_json:
        out.json(found)
        return
    one = found["experiment"]
    out.facts({name: getattr(one, name) for name in type(one).__struct_fields__})
    columns = ("variant", "exposures", "units", "excluded", "rewarded", "mean_reward", "reward_low", "reward_high")
    out.table(columns, [[getattr(row, name) for name in columns] for row in found["results"]])


def variants(arms: list[str], parameters: list[str]) -> tuple[Variant, ...]:
    """Return the variants that were typed; raises UsageInvalid for what cannot be read."""
    if len(arms) < 2:
        raise UsageInvalid("an experiment compares at least two variants: give --variant NAME=POLICY twice")
    given = dict(_pair(one, "--parameters NAME=JSON") for one in parameters)
    made = tuple(_variant(*_pair(arm, "--variant NAME=POLICY[:WEIGHT]"), given) for arm in arms)
    if strange := set(given) - {one.name for one in made}:
        raise UsageInvalid(f"--parameters names no variant: {', '.join(sorted(strange))}")
    return made


def _pair(text: str, wanted: str) -> tuple[str, str]:
    name, equals, rest = text.partition("=")
    if not (name and equals and rest):
        raise UsageInvalid(f"{text!r} does not look like {wanted}")
    return name, rest


def _variant(name: str, policy: str, given: dict[str, str]) -> Variant:
    policy, colon, weight = policy.partition(":")
    try:
        share = float(weight) if colon else 1.0
        return Variant(
            name=name, policy=policy, weight=share, parameters=msgspec.json.decode(given.get(name, "{}"), type=dict[str, Any])
        )
    except ValueError as error:  # msgspec's errors are ValueErrors, too
        raise UsageInvalid(f"variant {name}: {error}") from error


async def _whole(connection: Connection, tenant: str, experiment_id: str) -> dict[str, Any]:
    """Return an experiment with its results; raises NothingFound."""
    one = next((row for row in await experiments(connection, tenant) if row.experiment_id == experiment_id), None)
    if one is None:
        raise NothingFound(f"no experiment {experiment_id!r} of tenant {tenant!r} is known (yet)")
    return {"experiment": one, "results": await results(connection, tenant, experiment_id)}
