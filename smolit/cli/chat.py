"""`smolit chat`: talk with the front agent, in the terminal or through a pipe."""

import asyncio
import getpass
import re
import signal
import sys
from collections.abc import Coroutine
from typing import Annotated, Any

import typer

from events.topics import DEFAULT_TENANT
from smolit.chat.post import open_post
from smolit.chat.session import Chat
from smolit.chat.speak import Speaker
from smolit.cli import out
from smolit.cli.desk import Desk, open_desk
from smolit.cli.option import Tenant
from smolit.cli.typing_in import typed

User = Annotated[str | None, typer.Option("--user", help="Who talks; else your login name.")]
Conversation = Annotated[str | None, typer.Option("--conversation", metavar="ID", help="Go on with this conversation.")]
Lines = Annotated[bool, typer.Option("--json", help="Write one line of JSON for all that is heard.")]


def chat(conversation: Conversation = None, user: User = None, tenant: Tenant = DEFAULT_TENANT, as_json: Lines = False) -> None:
    """Talk with the house: tasks go to agents, the rest is talked about; `/help` tells what can be typed."""
    failed = asyncio.run(_chat(open_desk(), tenant, user_named(user), conversation, as_json))
    raise typer.Exit(1 if failed else 0)


def user_named(user: str | None) -> str:
    """Return the name of a user as it stands in messages."""
    return re.sub(r"[^A-Za-z0-9._@-]", "-", user or getpass.getuser()).strip("-.") or "somebody"


async def _chat(desk: Desk, tenant: str, user: str, conversation: str | None, as_json: bool) -> bool:
    watch = not as_json and sys.stdout.isatty()  # whoever reads it later wants the answer alone
    async with open_post(desk, tenant, watch) as post:
        one = Chat(post, user, conversation, watch)
        await one.begin()
        speaker = Speaker(one, as_json)
        if not as_json:
            out.say(f"conversation {one.conversation_id} of {user}; /help tells what can be typed")
        try:
            async for line in typed():
                if not await _unless_interrupted(speaker.turn(line)):
                    break
        except asyncio.CancelledError:
            out.say(f"\nleft; `smolit chat --user {user} --conversation {one.conversation_id}` goes on" if one.known else "")
            raise
        return speaker.failed and not sys.stdin.isatty()


async def _unless_interrupted(turn: Coroutine[Any, Any, bool]) -> bool:
    """Do a turn; Ctrl-C ends the wait for its answer, and not the chat."""
    loop, before = asyncio.get_running_loop(), signal.getsignal(signal.SIGINT)
    doing = asyncio.ensure_future(turn)
    loop.add_signal_handler(signal.SIGINT, doing.cancel)
    try:
        await asyncio.wait([doing])
    finally:
        loop.remove_signal_handler(signal.SIGINT)
        signal.signal(signal.SIGINT, before)
    if not doing.cancelled():
        return doing.result()
    out.say("\nno longer waited for; the answer, once it is there, stands in /history")
    return True
