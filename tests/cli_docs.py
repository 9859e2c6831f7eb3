"""The command reference in docs/cli.md, made from the commands themselves: `python -m tests.cli_docs` writes it anew."""

import re
from collections.abc import Iterator
from functools import reduce
from pathlib import Path
from typing import Any

import typer

from smolit.cli.app import build
from smolit.cli.catalog import COMMANDS, NOUNS
from smolit.cli.command import Command

DOCS = Path(__file__).resolve().parents[1] / "docs" / "cli.md"
_MARK = "<!-- made by `python -m tests.cli_docs` -->"


def parsers() -> dict[str, Any]:
    """Return the parser of each command by its words."""
    root: Any = typer.main.get_command(build(COMMANDS))
    return {command.words: _parser(root, command) for command in COMMANDS}


def reference() -> str:
    """Return the reference of every command as Markdown, by noun."""
    found = parsers()
    parts = ["### Without a noun\n"]
    parts += [_entry(words, parser) for words, parser in found.items() if " " not in words]
    for noun, told in NOUNS.items():
        parts.append(f"### {noun}\n\n{told}\n")
        parts += [_entry(command.words, found[command.words]) for command in COMMANDS if command.noun == noun]
    return "\n".join(parts).rstrip() + "\n"


def documented() -> str:
    """Return the reference as it stands in the documentation."""
    return DOCS.read_text(encoding="utf-8").partition(_MARK)[2].lstrip("\n")


def _parser(root: Any, command: Command) -> Any:
    """Return one command's parser."""
    return reduce(lambda group, word: group.commands[word], command.words.split(), root)


def _entry(words: str, parser: Any) -> str:
    """Return what the reference says of one command."""
    arguments = " ".join(str(one.metavar or one.name.upper()) for one in parser.params if one.param_type_name == "argument")
    title = f"`smolit {words}{' ' + arguments if arguments else ''}`: {_plain(parser.help)}"
    lines = [f"- `{', '.join((*one.opts, *one.secondary_opts))}`: {one.help}" for one in _options(parser)]
    return "\n".join([title, "", *lines, ""] if lines else [title, ""])


def _options(parser: Any) -> Iterator[Any]:
    """Yield the options that people may use."""
    for one in parser.params:
        if one.param_type_name == "option" and not one.hidden and one.name != "help":
            yield one


def _plain(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()


def main() -> None:
    """Put the current reference into the documentation."""
    before = DOCS.read_text(encoding="utf-8").partition(_MARK)[0]
    DOCS.write_text(f"{before}{_MARK}\n\n{reference()}", encoding="utf-8")


if __name__ == "__main__":
    main()
