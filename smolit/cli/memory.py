"""`smolit memory`: what is remembered of a user, and forgetting it."""

import asyncio
from typing import Annotated

import typer

from agents.front.remember import told
from events.conversation import Spoken
from events.request import ForgetMemory, Remember
from events.topics import DEFAULT_TENANT
from projections.conversation import messages_with
from projections.memory import MemoryRow, memories
from smolit.chat.caught_up import caught_up
from smolit.cli import out
from smolit.cli.chat import user_named
from smolit.cli.desk import Desk, ask_for, open_desk, put_in_force, read
from smolit.cli.option import DryRun, Json, Tenant
from smolit.cli.task_change import Reason
from smolit.errors import NothingFound
from store.postgres import Connection

User = Annotated[str | None, typer.Option("--user", help="Whose memories; else yours, by your login name.")]
Which = Annotated[str, typer.Argument(metavar="MEMORY", help="Id of a memory; `all` is every one.")]
Text = Annotated[str, typer.Argument(metavar="TEXT", help="What is to be remembered, as a sentence.")]
Agent = Annotated[str | None, typer.Option("--agent", help="The agent that alone may use it.")]
History = Annotated[bool, typer.Option("--history", help="Show what held before, and what was forgotten, too.")]


def show(user: User = None, history: History = False, tenant: Tenant = DEFAULT_TENANT, as_json: Json = False) -> None:
    """Show what is remembered of a user, the newest first, with where it was said."""
    found = read(open_desk(), lambda connection: memories(connection, tenant, user_named(user)))
    shown = [one for one in found if history or one.state == "holds"]
    if as_json:
        out.json(shown)
        return
    rows = [(one.memory_id, one.state, one.subject, one.text, one.learned_at, one.method, one.source) for one in shown]
    out.table(("memory", "state", "about", "text", "learned", "by", "source"), rows)


def add(text: Text, user: User = None, agent: Agent = None, tenant: Tenant = DEFAULT_TENANT, dry_run: DryRun = False) -> None:
    """Remember something of a user; what contradicts an older memory corrects it."""
    name = user_named(user)
    subject = next((one.subject for one in told(text)), None)
    before = _held(tenant, name, agent, subject) if subject and not dry_run else None
    request = Remember(user=name, agent=agent, subject=subject, text=text, replaces=before.memory_id if before else None)
    ask_for(tenant, request, dry_run, f"remembered of {name}{', instead of what was known' if before else ''}")


def forget(
    memory: Which, user: User = None, reason: Reason = "", tenant: Tenant = DEFAULT_TENANT, dry_run: DryRun = False
) -> None:
    """Forget a memory everywhere: its words, its vector, and the words of the message that it was read from."""
    name, desk = user_named(user), open_desk()
    pairs = read(desk, lambda connection: _to_forget(desk, connection, tenant, name, memory))
    for one, messages in pairs:
        request = ForgetMemory(user=name, memory_id=one.memory_id, messages=tuple(messages), reason=reason)
        asyncio.run(put_in_force(desk, tenant, request, dry_run))
    out.say(f"{'would forget' if dry_run else 'forgot'} {len(pairs)} memories of {name}")


def _held(tenant: str, user: str, agent: str | None, subject: str) -> MemoryRow | None:
    """Return the memory of a subject that holds."""
    found = read(open_desk(), lambda connection: memories(connection, tenant, user))
    return next((one for one in found if (one.state, one.subject, one.agent) == ("holds", subject, agent)), None)


async def _to_forget(
    desk: Desk, connection: Connection, tenant: str, user: str, memory: str
) -> list[tuple[MemoryRow, list[Spoken]]]:
    """Return the memories that are meant, each with the messages whose words go with it; raises NothingFound."""
    await caught_up(desk, connection)
    known = [one for one in await memories(connection, tenant, user) if one.state != "forgotten"]
    meant = [one for one in known if memory in ("all", one.memory_id)]
    if not meant and memory != "all":
        raise NothingFound(f"no memory {memory!r} of {user} is known")
    return [(one, await _spoken(connection, tenant, one)) for one in meant]


async def _spoken(connection: Connection, tenant: str, memory: MemoryRow) -> list[Spoken]:
    """Return the messages that hold its words: where it was said, what that was answered with, and where it was used."""
    rows = await messages_with(connection, tenant, memory.source or "", memory.memory_id)
    return [Spoken(message_id=one.message_id, request_id=one.request_id) for one in rows]
