"""Structured lines: what is in them, what never is, and that they wait for nobody."""

import io
import json
import logging
import os
import warnings
from pathlib import Path

import pytest
from pydantic import SecretStr

from smolit.process import log
from smolit.process.log import Who
from smolit.process.redact import BLOT, redactor, secrets_of
from smolit.process.sink import Sink
from smolit.settings import load_settings

WHO = Who("intake", "1")


def lines_of(path: Path) -> list[dict[str, object]]:
    """Return the lines of a log."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_line_says_when_who_and_about_what(tmp_path: Path) -> None:
    """Every line carries time, level, component and instance beside its own fields."""
    settings = load_settings(log_file=tmp_path / "log", log_format="json")

    with log.started(settings, WHO):
        log.bind(task_id="t1").info("handled", correlation_id="t1")

    (line,) = lines_of(tmp_path / "log")
    assert {name: line[name] for name in ("event", "level", "component", "instance", "task_id", "correlation_id")} == {
        "event": "handled",
        "level": "info",
        "component": "intake",
        "instance": "1",
        "task_id": "t1",
        "correlation_id": "t1",
    }
    assert str(line["time"]).endswith("Z")


def test_what_is_less_severe_than_asked_for_is_not_written(tmp_path: Path) -> None:
    """The level in the settings is the least that is written."""
    settings = load_settings(log_file=tmp_path / "log", log_format="json", log_level="warning")

    with log.started(settings, WHO):
        log.bind().info("small talk")
        log.bind().warning("listen")

    assert [line["event"] for line in lines_of(tmp_path / "log")] == ["listen"]


def test_libraries_and_warnings_come_the_same_way(tmp_path: Path) -> None:
    """Records of libraries are lines from warnings upwards, with their traceback, and Python's warnings, too."""
    settings = load_settings(log_file=tmp_path / "log", log_format="json")

    with log.started(settings, WHO):
        logging.getLogger("aiokafka.consumer").info("joining")
        try:
            raise ZeroDivisionError("by nobody")
        except ZeroDivisionError:
            logging.getLogger("mode").exception("crashed in %s", "a service")
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.warn("old ways", DeprecationWarning, stacklevel=1)

    first, second = lines_of(tmp_path / "log")
    assert (first["event"], first["logger"], first["level"]) == ("crashed in a service", "mode", "error")
    assert "ZeroDivisionError: by nobody" in str(first["exception"])
    assert "old ways" in str(second["event"])


def test_nothing_is_logged_after_the_end(tmp_path: Path) -> None:
    """The handler on the root logger goes away again: importing and ending leave nothing behind."""
    before = list(logging.getLogger().handlers)

    with log.started(load_settings(log_file=tmp_path / "log"), WHO):
        during = list(logging.getLogger().handlers)

    assert len(during) == len(before) + 1
    assert logging.getLogger().handlers == before


def test_secrets_are_blotted_out_wherever_they_turn_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret by value appears in no message, field, nested value, name or traceback."""
    monkeypatch.setenv("SOME_API_KEY", "canary-1234")
    settings = load_settings(
        log_file=tmp_path / "log",
        log_format="json",
        postgres=SecretStr("postgresql://me:p%40ss-word@host/db"),
        choice_secret="hush-hush",
    )

    with log.started(settings, WHO, frozenset({"from-a-file"})):
        logger = log.bind(canary="x canary-1234 y", nested={"canary-1234": ["hush-hush", ("p@ss-word",)]})
        try:
            raise ValueError("password p%40ss-word refused, from-a-file")
        except ValueError:
            logger.exception("hush-hush", thing=Path("/canary-1234"))

    text = (tmp_path / "log").read_text()
    assert [secret for secret in ("canary-1234", "hush-hush", "p@ss-word", "p%40ss-word", "from-a-file") if secret in text] == []
    assert text.count(BLOT) >= 7


def test_secrets_are_found_by_name_and_by_setting() -> None:
    """Environment variables named like a secret count, whatever their case; others and very short values do not."""
    settings = load_settings(postgres=SecretStr("host=x password='geheim1' user=me"))
    environ = {"OPENAI_API_KEY": "sk-1234", "my_token": "tok-1", "HOME": "/home/me", "EMPTY_SECRET": "", "DB_PASSWORD": "abc"}

    found = secrets_of(settings, environ)

    assert {"sk-1234", "tok-1", "geheim1"} <= found
    assert not found & {"/home/me", "", "abc"}


def test_redacting_keeps_what_is_no_secret() -> None:
    """Numbers, truth values and texts without a secret stay as they are."""
    value = {"count": 3, "share": 0.5, "yes": True, "none": None, "text": "hello", "list": [1, "two"]}

    assert redactor({"geheim"})(value) == value
    assert redactor(())(value) is value


def test_the_longer_of_two_secrets_is_hidden_whole() -> None:
    """A secret that contains another one leaves no remainder."""
    assert redactor({"abcd", "abcdefgh"})("say abcdefgh") == f"say {BLOT}"


def test_about_reads_headers_alone() -> None:
    """Task and correlation id come from key and headers; a request without the extension stands for itself."""
    headers = (("ce_type", b"smolit.task.ended.v1"), ("ce_id", b"e1"), ("ce_correlationid", b"c1"))

    assert log.about("smolit.tasks.v1", b"t1", headers) == {
        "type": "smolit.task.ended.v1",
        "task_id": "t1",
        "correlation_id": "c1",
        "event_id": "e1",
    }
    assert log.about("smolit.requests.v1", b"any", (("CE_ID", b"r1"),)) == {
        "type": "",
        "task_id": "",
        "correlation_id": "r1",
        "event_id": "r1",
    }


def test_a_full_queue_drops_and_counts(tmp_path: Path) -> None:
    """With a sink that nobody reads, lines beyond the queue are dropped and counted, and nobody waits."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    sink = Sink(fifo, capacity=10)

    for number in range(100):
        sink.put(f"line {number}")

    assert sink.dropped >= 100 - 10 - 1  # one may be in the thread's hands
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)  # lets the thread go on, and end
    sink.close(10.0)
    os.close(reader)


def test_what_was_dropped_is_said_once_the_sink_takes_lines_again(tmp_path: Path) -> None:
    """A folder that comes late gets later lines, after a word on how many are missing."""
    path = tmp_path / "later" / "log"
    sink = Sink(path)
    sink.put("lost")
    while not sink.dropped:
        pass
    path.parent.mkdir()

    sink.put("kept")
    sink.close(10.0)

    first, second = path.read_text().splitlines()
    assert (json.loads(first)["dropped_so_far"], second) == (1, "kept")
    assert (sink.dropped, sink.written) == (1, 1)


def test_lone_surrogates_are_written_escaped(tmp_path: Path) -> None:
    """A text that is no Unicode cannot stop the log."""
    sink = Sink(tmp_path / "log")

    sink.put("bad \ud800 text")
    sink.close(10.0)

    assert (tmp_path / "log").read_text() == "bad \\ud800 text\n"


def test_lines_for_people_are_one_line_each(tmp_path: Path) -> None:
    """The console form keeps a line break inside a value from starting a line of its own."""
    with log.started(load_settings(log_file=tmp_path / "log", log_format="console"), WHO):
        log.bind().info("handled", detail="one\ntwo")

    assert len((tmp_path / "log").read_text().splitlines()) == 1
    assert io.StringIO((tmp_path / "log").read_text()).readline().count("handled") == 1
