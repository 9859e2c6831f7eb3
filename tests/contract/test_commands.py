"""Whatever is listed in COMMANDS keeps its promises: help, JSON, dry run, exit codes, a place in the documentation."""

from pathlib import Path

import pytest

from smolit.cli.app import USAGE, run
from smolit.cli.catalog import COMMANDS, NOUNS
from tests.cli_docs import documented, parsers, reference

# Every command stands in exactly one of these, so a new one has to say what it is.
READS = {
    "status", "doctor", "task show", "task output", "task list", "task watch", "task similar",
    "agent list", "agent show", "agent rewards",
    "card list", "card show", "card scores",
    "llm status", "agent house-key", "agent keys", "approval list", "approval show",
    "agent subtasks",
    "policy show",
    "plan list", "plan show", "plan verify",
    "policy explain", "policy verify", "policy replay", "policy due", "policy calibrations", "plot reliability",
    "experiment list",
    "experiment show", "events tail", "events trace",
    "events catalog", "events export", "plot learning", "plot agents", "plot cost", "projection list", "projection verify",
    "projection lag", "dlq list", "dlq inspect", "model list", "model show", "model compare", "model lineage", "model history",
    "model served-at", "policy searches", "tool list", "tool show",
    "knowledge search", "knowledge show", "knowledge stats", "knowledge provenance",
    "agent diff", "agent history", "agent workers", "agent who", "conversation list", "conversation show", "memory show",
}  # fmt: skip
CHANGES = {
    "down", "task cancel", "task forget", "feedback give", "feedback revise", "agent register", "agent pause", "agent resume",
    "agent retire", "card register", "card retire", "policy set", "policy calibrate", "policy retrain",
    "experiment start", "experiment stop", "projection rebuild", "projection drop",
    "dlq replay", "dlq purge", "restore", "model register", "model validate", "model promote", "model rollback", "model prune",
    "model track", "policy search", "llm cache",
    "knowledge add", "knowledge remove", "knowledge domains", "knowledge reindex",
    "memory add", "memory forget", "agent key", "agent revoke-key", "approval grant", "approval deny", "tool pin",
}  # fmt: skip
OTHERS = {
    "up", "prepare", "run", "backup", "demo", "chaos", "task submit", "agent lint", "events schema export", "bench path",
    "card lint", "bench projections", "bench growth", "bench start", "bench selection", "bench choice", "model restore",
    "bench search", "bench signals", "bench levels", "tool call", "llm ask",
    "mcp serve", "blob put", "agent watch", "agent new", "bench agents",
    "plan lint",
    "chat", "conversation send", "conversation rotate", "bench chat",
    "bench knowledge",
}  # fmt: skip

WORDS = [command.words for command in COMMANDS]


def options_of(words: str) -> set[str]:
    """Return the options of a command as one types them."""
    return {option for one in parsers()[words].params if one.param_type_name == "option" for option in one.opts}


@pytest.mark.parametrize("words", WORDS)
def test_help_is_one_sentence(words: str) -> None:
    """Each command says what it does in one sentence."""
    told = " ".join(parsers()[words].help.split())

    assert told.endswith(".")
    assert ". " not in told


@pytest.mark.parametrize("words", WORDS)
def test_every_option_is_explained(words: str) -> None:
    """Each option and argument says what it is for."""
    assert [one.name for one in parsers()[words].params if not one.help] == []


@pytest.mark.parametrize("words", WORDS)
def test_each_command_is_a_read_a_change_or_something_else(words: str) -> None:
    """A read has --json, a change has --dry-run, and a new command has to say which it is."""
    assert (words in READS) + (words in CHANGES) + (words in OTHERS) == 1
    assert words not in READS or "--json" in options_of(words)
    assert words not in CHANGES or "--dry-run" in options_of(words)


@pytest.mark.parametrize("words", WORDS)
def test_what_cannot_be_meant_ends_with_two(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    """An option that does not exist is a mistake in what was typed: exit code 2, nothing on standard output."""
    code = run([*words.split(), "--no-such-option"])

    said = capsys.readouterr()
    assert code == USAGE
    assert said.out == ""
    assert "--no-such-option" in said.err


def made_up(words: str) -> list[str]:
    """Return what a command cannot do without: `7` is a number, and a name that nothing has."""
    needed = [one for one in parsers()[words].params if one.required]
    return [typed for one in needed for typed in ([one.opts[0], "7"] if one.param_type_name == "option" else ["7"])]


@pytest.mark.parametrize("words", sorted(READS | CHANGES))
def test_without_a_system_there_is_one_sentence(
    words: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing runs and what is named does not exist: no command tells a mistake of its own, and a failure is one line."""
    for name in ("SMOLIT_KAFKA", "SMOLIT_POSTGRES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SMOLIT_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)

    code = run([*words.split(), *made_up(words)])

    said = capsys.readouterr().err
    assert code in (0, 1, USAGE)
    assert "made a mistake" not in said
    assert code != 1 or [line.startswith("Error: ") for line in said.splitlines()] == [True]


@pytest.mark.parametrize("words", WORDS)
def test_help_ends_with_zero(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Asking for help is no failure."""
    assert run([*words.split(), "--help"]) == 0
    assert words in capsys.readouterr().out


def test_commands_are_listed_once_and_under_a_noun_that_is_explained() -> None:
    """No two commands share their words, and no noun is without a word about it."""
    assert len(set(WORDS)) == len(WORDS)
    assert {command.noun for command in COMMANDS} - {None} == set(NOUNS)


def test_the_documentation_has_every_command_as_it_is() -> None:
    """The reference in docs/cli.md is the one that the commands give; `python -m tests.cli_docs` writes it anew."""
    assert documented() == reference()
