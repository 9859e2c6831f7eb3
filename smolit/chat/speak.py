"""What one types in a chat: a turn, or a command with a slash."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from events.conversation import USER
from events.request import GiveFeedback
from projections.agent import agents
from projections.conversation import MessageRow
from projections.decision import DecisionRow, decisions_of
from smolit.chat.live import live_agents
from smolit.chat.post import known_thread
from smolit.chat.session import Chat, Chose, Failed, Heard, Piece, Reply
from smolit.cli import out
from smolit.cli.explain import explained
from smolit.client import Ask
from smolit.errors import NothingFound, UsageInvalid

_LAG_S = 30.0
HEAD = "# Conversation "  # what a saved one begins with
Answer = list[str]  # lines for people
HELP = (
    ("/help", "what can be typed"),
    ("/agents", "who is there, and what they do"),
    ("/why", "why the last task got its agent: probability, and who came second"),
    ("/feedback good|bad|0..1", "say what the last answer was worth; the next choices learn from it"),
    ("/history", "what was said so far"),
    ("/save FILE", "write the conversation to a file, as Markdown"),
    ("/file PATH", "let a file go with the next turn"),
    ("/new", "begin another conversation"),
    ("/quit", "leave; `smolit chat --conversation ID` goes on"),
)


class Speaker:
    """Says turns, does commands, and writes what comes of them, for people or as lines of JSON."""

    def __init__(self, chat: Chat, as_json: bool) -> None:
        self._chat, self._json = chat, as_json
        self.failed = False
        self._commands: dict[str, Callable[[str], Awaitable[Answer]]] = {
            "help": self._help,
            "agents": self._agents,
            "why": self._why,
            "feedback": self._feedback,
            "history": self._history,
            "save": self._save,
            "file": self._file,
            "new": self._new,
        }

    async def turn(self, line: str) -> bool:
        """Do what was typed; false where it was `/quit`."""
        line = line.strip()
        if line in ("/quit", "/exit"):
            return False
        if line.startswith("/"):
            await self._command(*line[1:].partition(" ")[::2])
        elif line:
            await self._say(line)
        return True

    async def _say(self, text: str) -> None:
        try:
            await self._said(text)
        except UsageInvalid as wrong:  # too long, or no text that can be sent: nothing was
            self._show_any(Failed("not_sent", str(wrong)))

    async def _said(self, text: str) -> None:
        async for heard in self._chat.say(text):
            self._show_any(heard)

    def _show_any(self, heard: Heard) -> None:
        if self._json:
            out.json_line(heard)
        else:
            self._show(heard)
        self.failed = self.failed or isinstance(heard, Failed)

    def _show(self, heard: Heard) -> None:
        """Write what was heard, for people; who answered is said with the answer."""
        match heard:
            case Chose():
                self._end_line()
                several = f"chosen out of {heard.candidates} with probability {heard.probability:.3g}"
                chance = several if heard.candidates > 1 else "the only one who can"
                out.say(f"{heard.agent} is at work ({chance}) ...")
            case Piece():
                out.piece(heard.text)
            case Failed():
                self._end_line()
                out.say(f"not answered: {heard.detail} ({heard.reason})")
            case Reply():
                self._show_reply(heard)

    def _show_reply(self, reply: Reply) -> None:
        """Write an answer, or what its pieces did not show of it."""
        rest = self._chat.watched.rest(reply.text) if self._chat.watched.text else None
        if rest is None:
            self._end_line()
            out.text(f"{_speaker(reply)}: {reply.text}")
        else:
            out.text(rest)
            out.say(f"({_speaker(reply)})")

    def _end_line(self) -> None:
        """Leave the line of pieces that are not gone on with."""
        if self._chat.watched.text:
            out.text(" ...")

    async def _command(self, name: str, rest: str) -> None:
        try:
            command = self._commands.get(name)
            if command is None:
                raise UsageInvalid(f"/{name} is not known; /help tells what is")
            lines = await command(rest.strip())
        except (UsageInvalid, NothingFound) as wrong:
            self.failed = True
            lines = [str(wrong)]
        if self._json:
            out.json_line({"type": "command", "command": name, "lines": lines})
        else:
            for line in lines:
                out.text(line)

    async def _help(self, _rest: str) -> Answer:
        return [f"{name:<26}{what}" for name, what in HELP]

    async def _agents(self, _rest: str) -> Answer:
        known = await agents(self._chat.post.connection, self._chat.post.tenant)
        live = await live_agents(self._chat.post.desk)
        state = {one.agent_id: "live" if one.state == "active" and one.agent_id in live else one.state for one in known}
        return [
            f"{one.agent_id:<28}{state[one.agent_id] if state[one.agent_id] != 'active' else 'no worker':<11}"
            f"{str((one.spec or {}).get('description', '')).split('. ')[0]}"
            for one in known
        ] or ["nobody is registered"]

    async def _why(self, _rest: str) -> Answer:
        last = self._chat.last
        if last is None:
            raise NothingFound("nothing was answered yet")
        if last.task_id is None:
            return [_why_no_agent(last)]
        choices = await self._choices(last.task_id)
        return [sentence for one in choices for sentence in explained(one)] or ["no agent was chosen for it: nobody fits"]

    async def _choices(self, task: str) -> list[DecisionRow]:
        """Return the choices of a task, once the read models show them."""
        waited = 0.0
        while not (found := await decisions_of(self._chat.post.connection, task)) and waited < _LAG_S:
            await asyncio.sleep(0.1)
            waited += 0.1
        return found

    async def _feedback(self, rest: str) -> Answer:
        words = {"good": ("boolean", 1.0), "bad": ("boolean", 0.0)}
        try:
            kind, value = words[rest] if rest in words else ("score", float(rest))
        except ValueError:
            raise UsageInvalid("/feedback good, /feedback bad, or a number from 0 (worst) to 1 (best)") from None
        fields: dict[str, Any] = {"task_id": self._chat.task, "rater": self._chat.user, "kind": kind, "value": value}
        await self._chat.post.client.effect(Ask(GiveFeedback(**fields)))
        return [f"feedback on {self._chat.task} is recorded"]

    async def _history(self, _rest: str) -> Answer:
        return [f"{_who(row)}: {row.text if row.text is not None else '(forgotten)'}" for row in await self._thread()]

    async def _thread(self) -> list[MessageRow]:
        """Return the thread, once the read models show what was said last, and the last answer."""
        chat, waited = self._chat, 0.0
        while True:
            try:
                rows = await known_thread(chat.post.connection, chat.post.tenant, chat.conversation_id, chat.sender)
            except NothingFound:
                rows = []
            wanted = {chat.said, chat.last.message_id if chat.last else None} - {None}
            if waited >= _LAG_S or wanted <= {row.message_id for row in rows if row.delivered_at}:
                return [row for row in rows if row.delivered_at is not None]
            await asyncio.sleep(0.1)
            waited += 0.1

    async def _save(self, rest: str) -> Answer:
        if not rest:
            raise UsageInvalid("/save FILE: say where to")
        said = [f"**{_who(row)}**: {row.text or '(forgotten)'}\n" for row in await self._thread()]
        whole = "\n".join([f"{HEAD}{self._chat.conversation_id}\n", *said])
        try:
            await asyncio.to_thread(saved, Path(rest), whole)
        except OSError as error:
            raise UsageInvalid(f"{rest} cannot be written: {error.strerror}") from error
        return [f"{len(said)} messages are in {rest}"]

    async def _file(self, rest: str) -> Answer:
        if not rest:
            raise UsageInvalid("/file PATH: say which")
        file = self._chat.attach(Path(rest))
        return [f"{file['name']} ({file['media_type']}) goes with the next turn"]

    async def _new(self, _rest: str) -> Answer:
        self._chat.begin_anew()
        return [f"conversation {self._chat.conversation_id}"]


def saved(path: Path, whole: str) -> None:
    """Write a conversation over one that was saved there before, and over nothing else; raises UsageInvalid, OSError."""
    path = path.expanduser()
    if path.exists():
        with path.open("rb") as there:
            if (begins := there.read(len(HEAD))) and begins != HEAD.encode():
                raise UsageInvalid(f"{path} is there and holds no conversation; say another name")
    path.write_text(whole, "utf-8")


def _speaker(reply: Reply) -> str:
    """Name who answered: an agent, a model, or the front by itself."""
    if reply.model is not None:
        return f"{reply.model}{' (local fallback)' if reply.fallback else ''}"
    return reply.agent or "front"


def _why_no_agent(last: Reply) -> str:
    told = {
        "talk": "It was taken for talk, so no agent was chosen.",
        "recall": "It was answered from what you told before, so no agent was chosen.",
        "note": "It was something to remember, so no agent was chosen.",
        "left": "You let a question of mine be, so no agent was chosen.",
        "clarification": "Something was missing, so no agent was chosen yet.",
    }
    answered = f" {_speaker(last)} answered." if last.model else ""
    return told.get(last.sort, "No agent was chosen.") + answered


def _who(row: MessageRow) -> str:
    sender = row.sender or ""
    return sender.removeprefix(USER) if sender.startswith(USER) else str((row.body or {}).get("agent") or sender)
