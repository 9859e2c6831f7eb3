"""`smolit conversation`: what was said, by whom, and what became of it."""

import asyncio
from typing import Annotated, Any

import msgspec
import typer

from events.conversation import USER, Letter, MessageDelivered, MessageSettled, Scope
from events.event import Fact
from events.topics import DEFAULT_TENANT
from projections.conversation import ContextRow, MessageRow, contexts, conversations
from smolit.chat.post import PERSON, fresh_id, known_thread, open_post
from smolit.cli import out
from smolit.cli.chat import user_named
from smolit.cli.desk import Desk, now, open_desk, read
from smolit.cli.option import Json, Limit, Tenant, moment
from smolit.errors import CheckFailed, UsageInvalid
from store.postgres import Connection

_DOOR_S = 30.0
Which = Annotated[str, typer.Argument(metavar="CONVERSATION", help="Id of a conversation.")]
Text = Annotated[str, typer.Argument(metavar="TEXT", help="What is said.")]
OfUser = Annotated[str | None, typer.Option("--user", help="Only those that this user began.")]
Who = Annotated[str, typer.Option("--from", help="Who says it: an agent's id, or `user:` and a name.")]
To = Annotated[str, typer.Option("--to", help="For whom; `*` with --kind broadcast is everybody.")]
Kind = Annotated[str, typer.Option("--kind", help="query, response, clarification, update, handoff, error or broadcast.")]
Reply = Annotated[str | None, typer.Option("--in-reply-to", metavar="MESSAGE", help="The message that it answers.")]
Expires = Annotated[str | None, typer.Option("--expires", help="Until when it is worth handling: a time, or a span such as 30s.")]
Urgent = Annotated[int, typer.Option("--priority", min=0, max=9, help="9 is handled first, 0 last.")]
InThread = Annotated[str | None, typer.Option("--conversation", metavar="ID", help="The conversation; else a new one.")]


def list_conversations(user: OfUser = None, limit: Limit = 20, tenant: Tenant = DEFAULT_TENANT, as_json: Json = False) -> None:
    """List conversations, the last one first."""
    sender = None if user is None else f"{USER}{user_named(user)}"
    found = read(open_desk(), lambda connection: conversations(connection, tenant, sender, limit))
    if as_json:
        out.json(found)
        return
    rows = [(one.conversation_id, one.opened_by, one.messages, one.began_at, one.last_at) for one in found]
    out.table(("conversation", "begun by", "messages", "began", "last"), rows)


def show(conversation: Which, user: OfUser = None, tenant: Tenant = DEFAULT_TENANT, as_json: Json = False) -> None:
    """Show a conversation in the order of the log, what became of each message, and what answers were made with."""
    sender = None if user is None else f"{USER}{user_named(user)}"
    rows, used = read(open_desk(), lambda connection: _whole(connection, tenant, conversation, sender))
    if as_json:
        out.json({"messages": rows, "contexts": used})
        return
    for row in rows:
        reply = f" (to {row.in_reply_to})" if row.in_reply_to else ""
        out.line(f"{out.cell(row.sent_at)}  {row.sender} -> {row.recipient}  {row.kind} {row.message_id}{reply}: {_said(row)}")
    for one in used:
        parts = ", ".join(f"{sort} {tokens}" for sort, tokens in sorted(one.parts.items()))
        made = f"{one.used_tokens} of {one.budget_tokens} tokens ({parts}), {one.left_out} parts left out"
        out.line(f"{one.message_id} was answered with {made}, memories: {', '.join(one.memories) or 'none'}")


def send(
    text: Text,
    sender: Who,
    to: To,
    kind: Kind = "query",
    conversation: InThread = None,
    in_reply_to: Reply = None,
    priority: Urgent = 5,
    expires: Expires = None,
    tenant: Tenant = DEFAULT_TENANT,
    as_json: Json = False,
) -> None:
    """Say something as a sender whose key lies in this data folder, and tell what became of it at the recipient's door."""
    try:
        letter = msgspec.convert(
            {
                "conversation_id": conversation or fresh_id(),
                "message_id": fresh_id(),
                "sender": sender,
                "recipient": to,
                "kind": kind,
                "text": text,
                "priority": priority,
                "expires_at": moment(expires, now(), 1) if expires else None,
                "in_reply_to": in_reply_to,
            },
            Letter,
        )
    except msgspec.ValidationError as error:
        raise UsageInvalid(f"the message does not fit: {error}") from error
    fate = asyncio.run(_send(open_desk(), tenant, letter))
    told = _fate(fate)
    if as_json:
        out.json({"letter": letter, "fate": told})
    else:
        out.line(f"{letter.conversation_id} {letter.message_id} {told['what']}")
    if told["what"] != "delivered":
        raise CheckFailed(f"{told['what']}: {told['detail']}")


def rotate(sender: Who, tenant: Tenant = DEFAULT_TENANT) -> None:
    """Put a new key in the place of a sender's; the one before signs for it."""

    async def go() -> str:
        async with open_post(open_desk(), tenant) as post:
            return await post.rotate(sender)

    out.say(f"{sender} signs with key {asyncio.run(go())} from now on")


async def _whole(
    connection: Connection, tenant: str, conversation: str, sender: str | None
) -> tuple[list[MessageRow], list[ContextRow]]:
    rows = await known_thread(connection, tenant, conversation, sender)
    return rows, await contexts(connection, tenant, conversation)


async def _send(desk: Desk, tenant: str, letter: Letter) -> Fact | None:
    async with open_post(desk, tenant) as post:
        await post.sign_in(letter.sender, PERSON if letter.sender.startswith(USER) else Scope())
        request_id = await post.send(letter)
        return await post.fate(letter, request_id, _DOOR_S)


def _fate(fact: Fact | None) -> dict[str, Any]:
    """Return what became of a message, for people and machines."""
    match fact:
        case None:
            return {"what": "unknown", "detail": "nothing came of it in time; `smolit status` shows whether everything runs"}
        case MessageDelivered(recipients=recipients):
            return {"what": "delivered", "detail": ", ".join(recipients) or "the thread"}
        case MessageSettled(outcome=outcome, reason=reason):
            return {"what": outcome, "detail": reason or ""}
        case _:
            told = {name: getattr(fact, name, "") for name in ("reason", "detail")}
            return {"what": "refused", **told, "detail": f"{told['detail']} ({told['reason']})"}


def _said(row: MessageRow) -> str:
    """Return a message's words and what became of it, where that is not the usual."""
    words = "(forgotten)" if row.forgotten_at else (row.text or "")
    ends = [
        f"{one['recipient']} {one['outcome']} {one['reason'] or ''}".strip()
        for one in row.outcomes
        if one["outcome"] != "handled"
    ]
    if row.refused:
        ends.append(f"refused: {row.detail} ({row.refused})")
    return f"{words}  [{'; '.join(ends)}]" if ends else words
