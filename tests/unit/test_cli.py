"""The command line without a stack: what can be typed, what is refused, and in which words."""

import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import pytest

from bus.errors import KafkaUnreachable
from events.request import OtherAnswer
from smolit.cli import app
from smolit.cli.batch import batch
from smolit.cli.catalog import COMMANDS
from smolit.cli.experiment import variants
from smolit.cli.option import moment, task_named
from smolit.cli.out import cell
from smolit.cli.task_change import compared, judgement
from smolit.errors import UsageInvalid

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.fixture
def lone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A data folder in which nothing was ever started."""
    for name in ("SMOLIT_KAFKA", "SMOLIT_POSTGRES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SMOLIT_DATA_DIR", str(tmp_path / "data"))
    return tmp_path / "data"


@pytest.mark.parametrize(
    ("text", "sign", "wanted"),
    [
        ("30s", 1, NOW + timedelta(seconds=30)),
        ("1.5h", -1, NOW - timedelta(minutes=90)),
        ("7d", -1, NOW - timedelta(days=7)),
        ("2026-02-01T00:00:00Z", 1, datetime(2026, 2, 1, tzinfo=UTC)),
        ("2026-02-01", -1, datetime(2026, 2, 1, tzinfo=UTC)),
    ],
)
def test_times_are_moments_or_spans(text: str, sign: int, wanted: datetime) -> None:
    """A span counts from now, forwards or backwards; a moment without a zone is UTC."""
    assert moment(text, NOW, sign) == wanted


@pytest.mark.parametrize("text", ["", "soon", "5", "s", "99999999999d", "2026-13-01"])
def test_what_is_no_time_is_refused(text: str) -> None:
    """What cannot be read is a mistake in what was typed, never a guess."""
    with pytest.raises(UsageInvalid, match="neither a time"):
        moment(text, NOW, 1)


def test_a_task_id_looks_like_one() -> None:
    """Only ids that smolit gives are ids."""
    assert task_named("0b0f1a2e-0000-5000-8000-000000000001") == "0b0f1a2e-0000-5000-8000-000000000001"
    with pytest.raises(UsageInvalid, match="no task id"):
        task_named("0B0F1A2E-0000-5000-8000-000000000001")


def test_a_batch_is_read_line_by_line(tmp_path: Path) -> None:
    """Each line is a submission with all its fields, and a request id if it has one; empty lines are passed over."""
    path = tmp_path / "batch.jsonl"
    path.write_text('{"text": "one", "priority": 9, "request_id": "r1"}\n\n{"text": "two", "input": {"a": 1}}\n')

    first, second = batch(path)

    assert (first.request.text, first.request.priority, first.request_id) == ("one", 9, "r1")
    assert (second.request.text, second.request.input, second.request_id) == ("two", {"a": 1}, None)


@pytest.mark.parametrize(
    "line", ["nonsense", '{"text": ""}', '{"kind": "x"}', '{"text": "x", "txet": 1}', '{"text": "x", "priority": 10}']
)
def test_a_bad_line_is_named(line: str, tmp_path: Path) -> None:
    """A line that is no submission is named by its number, and nothing is sent."""
    path = tmp_path / "batch.jsonl"
    path.write_text('{"text": "good"}\n' + line + "\n")

    with pytest.raises(UsageInvalid, match="line 2"):
        batch(path)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """A batch that cannot be read is said to be so."""
    with pytest.raises(UsageInvalid, match="cannot be read"):
        batch(tmp_path / "none.jsonl")


def test_a_judgement_says_one_thing() -> None:
    """Yes or no, a score, a correction or a comment; a comment may go with each of them."""
    assert judgement(True, None, "fine", None) == {"kind": "boolean", "value": 1.0, "comment": "fine", "correction": None}
    assert judgement(None, 0.0, None, None)["kind"] == "score"
    assert judgement(None, None, "hm", "42") == {"kind": "correction", "comment": "hm", "correction": "42"}
    assert judgement(None, None, "hm", None) == {"kind": "comment", "comment": "hm"}
    told = judgement(None, None, "hm", None, compared(None, OTHER, None))
    assert told == {
        "kind": "comparison",
        "value": 0.0,
        "comment": "hm",
        "correction": None,
        "against": OtherAnswer(task_id=OTHER),
    }
    with pytest.raises(UsageInvalid):
        judgement(True, 1.0, None, None)
    with pytest.raises(UsageInvalid):
        judgement(None, None, None, None)
    with pytest.raises(UsageInvalid):
        judgement(True, None, None, None, compared(OTHER, None, None))


OTHER = "0b0f1a2e-0000-5000-8000-000000000002"


def test_another_answer_is_named_by_task_and_attempt() -> None:
    """A task, a task with an attempt, or an attempt of the same task; anything else cannot be meant."""
    assert compared(None, None, None) is None
    assert compared(OTHER, None, None) == (1.0, OtherAnswer(task_id=OTHER))
    assert compared(None, None, f"{OTHER}/2") == (0.5, OtherAnswer(task_id=OTHER, attempt=2))
    assert compared(None, "3", None) == (0.0, OtherAnswer(attempt=3))
    unmeant = [(OTHER, OTHER, None), *((text, None, None) for text in ("0", "x", f"{OTHER}/x", f"{OTHER}/1001"))]
    for wrong in unmeant:
        with pytest.raises(UsageInvalid):
            compared(*wrong)


def test_variants_are_typed_as_name_policy_and_weight() -> None:
    """A variant has a policy, a weight (1 unless told) and parameters that are given beside it."""
    first, second = variants(["a=uniform:3", "b=ridge_igw"], ['b={"gain": 5}'])

    assert (first.name, first.policy, first.weight, first.parameters) == ("a", "uniform", 3.0, {})
    assert (second.name, second.policy, second.weight, second.parameters) == ("b", "ridge_igw", 1.0, {"gain": 5})


@pytest.mark.parametrize(
    ("arms", "parameters"),
    [
        (["a=uniform"], []),
        (["a", "b=uniform"], []),
        (["a=x:y", "b=x"], []),
        (["a=x", "b=x"], ["c={}"]),
        (["a=x", "b=x"], ["a=[]"]),
    ],
)
def test_variants_that_cannot_be_read_are_refused(arms: list[str], parameters: list[str]) -> None:
    """Too few, without a policy, with a weight that is no number, parameters of nobody or of no object."""
    with pytest.raises(UsageInvalid):
        variants(arms, parameters)


def test_cells_carry_no_control_characters() -> None:
    """A text from outside cannot move the cursor, colour the screen or break a table."""
    assert cell("red \x1b[31m\nnew line \u202e") == "red \\x1b[31m\\nnew line \\u202e"
    assert cell(None) == ""
    assert cell(True) == "yes"
    assert cell({"a": [1, 2]}) == '{"a":[1,2]}'


def test_no_command_needs_the_stack_to_say_that_it_is_not_there(lone: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a stack a read fails with one sentence that says what to do."""
    code = app.run(["task", "list"])

    said = capsys.readouterr()
    assert (code, said.out) == (1, "")
    assert said.err == "Error: There is no local Kafka yet; start it with `smolit up`.\n"
    assert not lone.exists()


def test_status_without_a_stack_shows_that_nothing_runs(lone: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Looking is never a failure, and it makes no folder."""
    code = app.run(["status"])

    said = capsys.readouterr()
    assert code == 0
    assert "kafka" in said.out
    assert "no process runs" in said.err
    assert not lone.exists()


def test_doctor_without_a_stack_says_what_to_do(lone: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is not well ends with 1, and each finding says what to do about it."""
    code = app.run(["doctor"])

    said = capsys.readouterr()
    assert code == 1
    assert "`smolit up` starts it" in said.out
    assert said.err.startswith("Error: not well: kafka, postgres")


def test_what_clients_murmur_is_not_shown(lone: Path) -> None:
    """Whoever asks a Kafka that is away gets our sentence, and not the client's beside it."""
    away = {"SMOLIT_DATA_DIR": str(lone), "SMOLIT_KAFKA": "127.0.0.1:1", "SMOLIT_POSTGRES": "postgresql://x@127.0.0.1:1/x"}
    command = (sys.executable, "-m", "smolit", "doctor")
    asked = subprocess.run(command, env=os.environ | away, capture_output=True, text=True, check=False)

    assert asked.returncode == 1
    assert asked.stderr == "Error: not well: kafka, postgres\n"


def test_wiping_beside_a_foreign_server_is_refused(
    lone: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where a server is somebody else's, nothing is deleted."""
    monkeypatch.setenv("SMOLIT_KAFKA", "kafka.example:9092")
    lone.mkdir()
    (lone / "precious").write_text("data")

    code = app.run(["down", "--wipe"])

    assert code == 1
    assert "SMOLIT_KAFKA names a server that is not ours" in capsys.readouterr().err
    assert (lone / "precious").exists()


def test_a_misspelled_setting_is_one_sentence(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A setting that sets nothing is named, with what was probably meant."""
    monkeypatch.setenv("SMOLIT_WORKRES", "3")

    code = app.run(["status"])

    assert code == 1
    assert capsys.readouterr().err == "Error: SMOLIT_WORKRES is not a setting of smolit; did you mean SMOLIT_WORKERS?\n"


def test_an_unknown_process_is_a_mistake_in_what_was_typed(lone: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`smolit run` names the processes there are."""
    code = app.run(["run", "intak"])

    assert code == 2
    assert "there are intake, selection" in capsys.readouterr().err


class Failing(NamedTuple):
    """A command that fails with an error."""

    error: Exception
    words: str = "fail"
    noun: None = None
    verb: str = "fail"

    def function(self) -> Callable[[], None]:
        """Return what raises it."""

        def fail() -> None:
            """Fail."""
            raise self.error

        return fail


def test_a_named_error_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    """What an error says reaches the person on one line, without a traceback."""
    code = app.run(["fail"], [Failing(KafkaUnreachable("no Kafka answers\nat x"))])

    assert (code, capsys.readouterr().err) == (1, "Error: no Kafka answers at x\n")


def test_an_unforeseen_error_goes_to_a_file_without_secrets(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """A mistake of ours is one sentence, too; its traceback lies in a file, and no secret in it."""
    monkeypatch.setenv("CANARY_TOKEN", "canary-4711")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    code = app.run(["fail"], [Failing(RuntimeError("lost canary-4711"))])

    said = capsys.readouterr().err
    written = next(tmp_path.glob("smolit-*.log"))
    assert code == 1
    assert said == f"Error: smolit made a mistake (RuntimeError); the details are in {written}\n"
    assert "RuntimeError: lost [hidden]" in written.read_text()
    assert "Traceback" in written.read_text()


def test_only_the_modules_of_what_was_typed_are_imported() -> None:
    """A command needs itself alone, a noun its commands; help and mistakes need those without a noun."""
    assert {command.noun for command in app.needed(["policy"], COMMANDS)} == {"policy"}
    assert [command.words for command in app.needed(["policy", "show", "x"], COMMANDS)] == ["policy show"]
    assert [command.words for command in app.needed(["status"], COMMANDS)] == ["status"]
    assert {command.noun for command in app.needed(["--help"], COMMANDS)} == {None}


@pytest.mark.parametrize(
    ("words", "option"),
    [
        (["tool", "call", "calculator", "--arguments"], "--arguments"),
        (["llm", "ask", "hello", "--schema"], "--schema"),
        (["task", "submit", "2 + 2", "--input"], "--input"),
        (["policy", "set", "uniform", "--reason", "why", "--parameters"], "--parameters"),
    ],
)
@pytest.mark.parametrize("typed", ["[1]", "{", "1"])
def test_what_must_be_an_object_is_refused_by_the_name_of_its_option(
    words: list[str], option: str, typed: str, lone: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before anything is opened: no stack runs here."""
    assert app.run([*words, typed]) == app.USAGE
    assert f"{option} must be a JSON object" in capsys.readouterr().err
