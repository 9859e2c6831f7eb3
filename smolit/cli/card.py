"""`smolit card`: models that agents may use, how they did, and which one a step used."""

from pathlib import Path
from typing import Annotated, Any

import typer

from events.card import RegisterCard, RetireCard
from events.topics import DEFAULT_TENANT
from projections.card import CardRow, ScoreRow, cards
from projections.card import scores as read_scores
from smolit.cli import out, spec_file
from smolit.cli.desk import ask_for, open_desk, read
from smolit.cli.option import DryRun, Json, Tenant
from smolit.cli.task_change import Reason
from smolit.errors import NothingFound

Name = Annotated[str, typer.Argument(metavar="MODEL", help="Name of a model.")]
Cards = Annotated[list[Path], typer.Argument(metavar="CARD...", help="YAML files, or folders of them.")]
Subtask = Annotated[str | None, typer.Option("--subtask", help="Only what models did at this subtask.")]


def list_cards(tenant: Tenant = DEFAULT_TENANT, as_json: Json = False) -> None:
    """List models that agents may use."""
    found = read(open_desk(), lambda connection: cards(connection, tenant))
    if as_json:
        out.json(found)
        return
    rows = [(one.name, *_said(one, "version", "kind", "subtasks", "domains", "pipeline"), one.state) for one in found]
    out.table(("model", "version", "kind", "subtasks", "domains", "pipeline", "state"), rows)


def show(name: Name, tenant: Tenant = DEFAULT_TENANT, as_json: Json = False) -> None:
    """Show one model: its card, its state, and how each version did by subtask and domain."""
    desk = open_desk()
    found = next((one for one in read(desk, lambda connection: cards(connection, tenant)) if one.name == name), None)
    if found is None:
        raise NothingFound(f"no model {name!r} of tenant {tenant!r} is registered")
    did = [one for one in read(desk, lambda c: read_scores(c, tenant)) if one.model.rpartition("/")[0] == name]
    if as_json:
        out.json({"model": found, "scores": did})
        return
    out.facts({key: getattr(found, key) for key in CardRow.__struct_fields__ if key not in ("card", "embedding")})
    out.facts(found.card or {})
    _table(did)


def scores(subtask: Subtask = None, tenant: Tenant = DEFAULT_TENANT, as_json: Json = False) -> None:
    """Show how models did at each subtask in each domain, with intervals, best first."""
    found = read(open_desk(), lambda connection: read_scores(connection, tenant, subtask))
    if as_json:
        out.json(found)
    else:
        _table(found)


def lint(files: Cards) -> None:
    """Check model cards; every fault is told with its file and line."""
    from agents.card_file import CARDS  # YAML and every pipeline: only these two commands need them

    spec_file.lint(files, CARDS)


def register(files: Cards, tenant: Tenant = DEFAULT_TENANT, dry_run: DryRun = False) -> None:
    """Let agents use models, or change the cards of those that are known; nothing is sent while a card has a fault."""
    from agents.card_file import CARDS

    for card in spec_file.sound(files, CARDS):
        ask_for(tenant, RegisterCard(card=card), dry_run, f"model {card.label} may be used")


def retire(name: Name, reason: Reason = "", tenant: Tenant = DEFAULT_TENANT, dry_run: DryRun = False) -> None:
    """Let nobody use a model any more; what it did stays."""
    ask_for(tenant, RetireCard(name=name, reason=reason), dry_run, f"model {name} is retired")


def _table(found: list[ScoreRow]) -> None:
    names = ScoreRow.__struct_fields__
    if found:
        out.table(names, [[getattr(one, name) for name in names] for one in found])


def _said(row: CardRow, *names: str) -> list[Any]:
    """Return what a card says, lists in words."""
    card = row.card or {}
    return [", ".join(value) if isinstance(value := card.get(name), list) else value for name in names]
