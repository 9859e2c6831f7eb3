"""`smolit task similar`: past tasks that are like a task or a text, and how they went."""

from typing import Annotated

import typer

from events.topics import DEFAULT_TENANT
from projections.similar import Like, Vector, Wanted, like, vector_of, vector_of_task
from smolit.cli import out
from smolit.cli.desk import Desk, open_desk, read
from smolit.cli.option import Json, Tenant
from smolit.errors import NothingFound, UsageInvalid
from store.postgres import Connection

Task = Annotated[str | None, typer.Argument(metavar="[TASK]", help="Id of the task to compare with.")]
Text = Annotated[str | None, typer.Option("--text", help="Text to compare with, instead of a task.")]
Count = Annotated[int, typer.Option("--k", min=1, max=1_000, help="How many to show.")]
OfScope = Annotated[str | None, typer.Option("--scope", help="Only tasks of this family.")]
OfKind = Annotated[str | None, typer.Option("--kind", help="Only tasks of this kind.")]


def similar(
    task_id: Task = None,
    text: Text = None,
    k: Count = 10,
    scope: OfScope = None,
    kind: OfKind = None,
    tenant: Tenant = DEFAULT_TENANT,
    as_json: Json = False,
) -> None:
    """Find past tasks that are like a task or a text, and how they went."""
    if (task_id is None) == (text is None):
        raise UsageInvalid("say either which task, or --text")
    if text is not None and not text.strip():
        raise UsageInvalid("--text is empty: nothing is like it")
    desk = open_desk()
    vector = None if text is None else _vector_of_text(desk, text)
    wanted = Wanted(tenant=tenant, k=k, scope=scope, kind=kind, but=task_id or "")
    found = read(desk, lambda connection: _found(connection, vector, wanted))
    if as_json:
        out.json(found)
    else:
        _show(found)


def _vector_of_text(desk: Desk, text: str) -> Vector:
    """Return a text's vector, by the encoder that intake uses."""
    from smolit.process.parts.intake import text_reader  # the encoder is slow to load, and a task has its vector

    features = text_reader(desk.settings).read(text).features
    return vector_of(features.embedding, features.version)


async def _found(connection: Connection, vector: Vector | None, wanted: Wanted) -> list[Like]:
    """Return the past tasks that are most like a vector, or like the task that is named.

    Raises:
        NothingFound: the task has no vector.
    """
    known = vector or await vector_of_task(connection, wanted.tenant, wanted.but)
    if known is None:
        raise NothingFound(f"no vector of task {wanted.but!r} is known (yet), or it was forgotten")
    return await like(connection, known, wanted)


def _show(found: list[Like]) -> None:
    """Write them for people."""
    rows = [(one.task_id, one.cosine, one.agent, one.outcome, one.reward, one.kind, (one.text or "")[:60]) for one in found]
    out.table(("task", "cosine", "agent", "outcome", "reward", "kind", "text"), rows)
