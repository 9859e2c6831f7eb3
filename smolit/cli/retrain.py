"""`smolit policy retrain`: a version that chooses by a network, trained on what the log knows."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import msgspec
import typer

from events.registry import Model
from events.topics import DEFAULT_TENANT
from learning.book import PolicyKey
from learning.errors import PolicyError
from learning.policies import create
from smolit.cli import out, retrained
from smolit.cli.desk import Desk, now, open_desk
from smolit.cli.option import DryRun, Json, Parameters, Scope, Tenant, moment, settings_of
from smolit.errors import UsageInvalid
from smolit.model import registry
from smolit.model.fold import Scope as Place
from smolit.retrain.child import Epoch
from smolit.retrain.retrain import Asked, Retrained, done, keep
from smolit.retrain.retrain import retrain as train_again
from smolit.retrain.split import Bound, Range
from training.job import Kind, Words

_MARK = "an offset of the scope's learning partition, a time, or a span back such as 7d."
From = Annotated[str | None, typer.Option("--from", metavar="OFFSET|TIME", help=f"Examples from there on: {_MARK}")]
To = Annotated[str | None, typer.Option("--to", metavar="OFFSET|TIME", help=f"Examples before there: {_MARK}")]
Which = Annotated[Kind, typer.Option("--kind", help="Which network: a linear one, one for each target, or one for all.")]
HoldOut = Annotated[float, typer.Option("--hold-out", min=0.05, max=0.8, help="Share of the examples, the latest, that judge.")]
Seed = Annotated[int, typer.Option("--seed", min=0, max=2**31, help="Seed of first weights and of the order of rows.")]
Epochs = Annotated[int, typer.Option("--epochs", min=1, max=10_000, help="Most passes over the rows.")]
Batch = Annotated[int, typer.Option("--batch", min=1, max=1_000_000, help="Rows of one step.")]
Parts = Annotated[int, typer.Option("--accumulate", min=1, max=1_000, help="Parts of a step's rows; no figure changes.")]
Rate = Annotated[float, typer.Option("--rate", min=1e-6, max=1.0, help="Rate of the first step; it falls along a cosine.")]
Decay = Annotated[float, typer.Option("--decay", min=0.0, max=10.0, help="Decay of weights (AdamW).")]
Hidden = Annotated[int, typer.Option("--hidden", min=2, max=1_024, help="Width of the starting net: others cost as much.")]
Depth = Annotated[int, typer.Option("--depth", min=1, max=8, help="Layers after the first; the width follows from the cost.")]
Heads = Annotated[int, typer.Option("--heads", min=0, max=16, help="Heads by which candidates attend to each other; 0: none.")]
OfAgent = Annotated[int, typer.Option("--agent-numbers", min=1, max=256, help="Numbers that describe an agent.")]
Axes = Annotated[int, typer.Option("--axes", min=0, max=10_000, help="First numbers of a context that it looks at; 0: all.")]
Folds = Annotated[
    int, typer.Option("--folds", min=0, max=20, help="Networks by which chances and times are calibrated; 0: by few rows alone.")
]
Processes = Annotated[int, typer.Option("--processes", min=1, max=64, help="Processes that train as one.")]
Resume = Annotated[bool, typer.Option("--resume", help="Go on from the last checkpoint of this very training.")]


def retrain(
    since: From = None,
    until: To = None,
    kind: Which = "multitask",
    scope: Scope = "default",
    hold_out: HoldOut = 0.25,
    seed: Seed = 0,
    epochs: Epochs = 60,
    batch: Batch = 256,
    accumulate: Parts = 1,
    rate: Rate = 3e-3,
    decay: Decay = 1e-2,
    hidden: Hidden = 24,
    depth: Depth = 1,
    heads: Heads = 1,
    agent_numbers: OfAgent = 8,
    axes: Axes = 0,
    folds: Folds = 4,
    processes: Processes = 1,
    resume: Resume = False,
    parameters: Parameters = "{}",
    tenant: Tenant = DEFAULT_TENANT,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Train a network on the log, judge it on what came later, and register it as a version."""
    words = Words(
        kind=kind, seed=seed, epochs=epochs, batch=batch, accumulate=accumulate, rate=rate, decay=decay,
        hidden=hidden, depth=depth, heads=heads, agent=agent_numbers, axes=axes, folds=folds,
    )  # fmt: skip
    examples = Range(_bound(since), _bound(until), hold_out)
    asked = Asked(
        scope=Place(tenant, scope), range=examples, words=words, served=_served(parameters), processes=processes, resume=resume
    )
    found, model = _made(open_desk(), asked, dry_run)
    out.json(retrained.as_json(found, model)) if as_json else _tell(found, model)


def _made(desk: Desk, asked: Asked, dry_run: bool) -> tuple[Retrained, Model | None]:
    """Train and judge, and register what came of it unless it is only tried."""
    with _epochs(asked.words.epochs) as told:
        found = asyncio.run(train_again(desk, asked, out.say, told))
    return found, None if dry_run else _registered(desk, asked, found)


def _tell(found: Retrained, model: Model | None) -> None:
    """Write for people what was trained, and what comes next."""
    retrained.tell(found)
    if model is None:
        out.say("nothing was registered: this was a dry run")
    else:
        out.say(f"version {model.number} of scope {model.scope}; `smolit model validate {model.number}` is what comes next")
        out.line(model.id)


def _registered(desk: Desk, asked: Asked, found: Retrained) -> Model:
    """Keep a network and register its version; what it was trained with is needed no more."""
    keep(desk, found)
    model = asyncio.run(registry.register(desk, asked.scope, found.version, found.request))
    done(found)
    return model


def _bound(text: str | None) -> Bound:
    """Return a bound as it was typed; raises UsageInvalid."""
    if text is None:
        return None
    return int(text) if text.isdigit() else moment(text, now(), -1)


def _served(parameters: str) -> dict[str, float | str]:
    """Return the settings that the network is served with; raises UsageInvalid before anything is read."""
    settings = settings_of(parameters)
    if taken := sorted({"model", "trained"} & settings.keys()):
        raise UsageInvalid(f"--parameters: {taken[0]} is what the training says")
    try:
        create("neural", 1, {**settings, "model": "0" * 64})
    except PolicyError as error:
        raise UsageInvalid(f"--parameters: {error}") from error
    return dict(msgspec.json.decode(PolicyKey.of("neural", settings).settings))


@contextmanager
def _epochs(total: int) -> Iterator[Any]:
    """Show how far the training is: a bar where somebody looks, else a line now and then."""
    with out.progress(total) as shown:
        bar = shown.add_task("epochs", total=total)

        def told(epoch: Epoch) -> None:
            shown.update(bar, completed=epoch.number, description=f"loss {epoch.validation:.4f}")
            if not shown.console.is_terminal and (epoch.number == 1 or epoch.number % 10 == 0):
                out.say(f"epoch {epoch.number}: loss {epoch.training:.4f}, on rows it is not fitted on {epoch.validation:.4f}")

        yield told
