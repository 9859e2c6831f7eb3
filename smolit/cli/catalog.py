"""The table of contents: every command, listed once."""

from smolit.cli import run, stack, task
from smolit.cli.command import Command

NOUNS: dict[str, str] = {
    "task": "Ask for work, and see what became of it.",
}
COMMANDS: tuple[Command, ...] = (
    Command("up", stack.up),
    Command("down", stack.down),
    Command("status", stack.status),
    Command("run", run.run),
    Command("task submit", task.submit),
)
