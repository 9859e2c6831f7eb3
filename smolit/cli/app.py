"""The door of the command line: builds it from the catalog, and turns errors into one sentence and an exit code."""

import logging
import os
import sys
import tempfile
import traceback
from collections.abc import Sequence

import typer

from smolit.cli.catalog import COMMANDS, NOUNS
from smolit.cli.command import Command
from smolit.cli.out import say
from smolit.errors import UsageInvalid
from smolit.settings import Settings

OK, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130


def build(commands: Sequence[Command]) -> typer.Typer:
    """Return the command line with these commands."""
    root = _group("An event-sourced backend that learns online which agent should get which task.")
    nouns = {noun: _group(told) for noun, told in NOUNS.items()}
    for noun, group in nouns.items():
        above, _, own = noun.rpartition(" ")
        (nouns[above] if above else root).add_typer(group, name=own)
    for command in commands:
        _add(nouns[command.noun] if command.noun else root, command)
    return root


def needed(arguments: Sequence[str], commands: Sequence[Command]) -> list[Command]:
    """Return the commands that what was typed can mean: the one, else those of its noun, or all that stand under none."""
    for command in commands:
        if command.words.split() == list(arguments[: len(command.words.split())]):
            return [command]
    first = arguments[0] if arguments else ""
    named = [command for command in commands if first == command.words.split()[0]]
    return named or [command for command in commands if command.noun is None]


def main() -> None:
    """Run one command and end with its exit code: 0 ok, 1 failed, 2 usage."""
    logging.lastResort = logging.NullHandler()  # what clients murmur while they try again; what comes of it is our sentence
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str], commands: Sequence[Command] = COMMANDS) -> int:
    """Run one command and return its exit code; every error is one sentence on standard error."""
    try:
        typer.main.get_command(build(needed(arguments, commands)))(arguments, prog_name="smolit")
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else OK
    except KeyboardInterrupt:
        return INTERRUPTED
    except UsageInvalid as wrong:
        say(f"Error: {wrong}")
        return USAGE
    except Exception as error:  # noqa: BLE001 the outermost edge: a person gets a sentence, the traceback goes to a file
        say(f"Error: {_sentence(error)}")
        return FAILED
    return OK


def _sentence(error: Exception) -> str:
    """Return what a person can act on; what nobody foresaw is written down whole, and where."""
    from smolit.process.fault import sentence  # the errors' homes are heavy, and most commands never fail

    return sentence(error) or f"smolit made a mistake ({type(error).__name__}); the details are in {_written_down(error)}"


def _written_down(error: Exception) -> str:
    """Write a traceback, without secrets, to a file that only this person reads, and return where it is."""
    from smolit.process.redact import redactor, secrets_of

    with tempfile.NamedTemporaryFile("w", prefix="smolit-", suffix=".log", delete=False) as file:
        whole = "".join(traceback.format_exception(error))
        file.write(
            str(redactor(secrets_of(Settings.model_construct(), os.environ, [os.environ.get("SMOLIT_POSTGRES", "")]))(whole))
        )
    return file.name


def _group(told: str) -> typer.Typer:
    """Return an empty group of commands."""
    return typer.Typer(
        help=told, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None
    )


def _add(group: typer.Typer, command: Command) -> None:
    """Add a command under its last word."""
    group.command(command.verb)(command.function())
