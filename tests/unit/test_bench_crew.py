"""A run in which a process ends is over at once, and says which process ended and how."""

import asyncio
import sys
import time
from pathlib import Path

import pytest

from bench.path import crew
from bench.path.bare import _heard
from bench.path.crew import running, while_alive
from smolit.errors import CheckFailed
from smolit.process.roster import Slot
from smolit.process.start import how_ended
from smolit.settings import load_settings

LASTS, FAILS = "import time; time.sleep(60)", "import sys; sys.exit(3)"
AT_ONCE_S = 50.0


def scripted(monkeypatch: pytest.MonkeyPatch, failing: str) -> None:
    """Let all processes but one only sleep."""

    def argv(slot: Slot, _notes: Path, _recorded: Path | None) -> list[str]:
        return [sys.executable, "-S", "-c", FAILS if slot.name == failing else LASTS]

    monkeypatch.setattr(crew, "_argv", argv)


def test_a_process_that_dies_at_the_start_ends_the_run_at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nobody waits for the start timeout; the others are stopped."""
    scripted(monkeypatch, "relay")
    settings, began = load_settings(data_dir=tmp_path, workers=1, start_timeout_s=200.0), time.monotonic()

    with (
        pytest.raises(CheckFailed, match=r"relay-1 ended with 3 in the middle of the run"),
        running(settings, tmp_path / "notes", None, lambda _said: None),
    ):
        pytest.fail("the processes are not ready")

    assert time.monotonic() - began < AT_ONCE_S


async def test_work_is_broken_off_once_a_process_was_killed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Answers that cannot come are not waited for, and the work can clean up."""
    scripted(monkeypatch, "none")
    monkeypatch.setattr(crew, "wait_ready", lambda *_: [])
    cleaned, settings, began = [], load_settings(data_dir=tmp_path, workers=1), time.monotonic()

    async def work() -> None:
        try:
            await asyncio.sleep(200.0)
        finally:
            cleaned.append("up")

    with running(settings, tmp_path / "notes", None, lambda _said: None) as children:
        asyncio.get_running_loop().call_later(0.5, children[Slot("dispatch", "1")].kill)
        with pytest.raises(CheckFailed, match=r"dispatch-1 was killed by SIGKILL"):
            await while_alive(children, work())

    assert cleaned == ["up"]
    assert time.monotonic() - began < AT_ONCE_S


async def test_what_the_work_returns_or_raises_comes_out_as_it_is() -> None:
    """While all live, nothing is added."""

    async def fails() -> None:
        raise ValueError("its own")

    assert await while_alive({}, asyncio.sleep(0, "done")) == "done"
    with pytest.raises(ValueError, match="its own"):
        await while_alive({}, fails())


async def test_a_process_of_the_floor_that_dies_is_named() -> None:
    """An empty line is an end, and the end has a code."""
    part = await asyncio.create_subprocess_exec(sys.executable, "-S", "-c", FAILS, stdout=asyncio.subprocess.PIPE)

    with pytest.raises(CheckFailed, match=r"worker-2 of the floor ended with 3 before it was ready"):
        await _heard(Slot("worker", "2"), part, "ready")


@pytest.mark.parametrize(("code", "said"), [(0, "ended with 0"), (-9, "was killed by SIGKILL"), (None, "went with its nursery")])
def test_an_end_is_told_in_words(code: int | None, said: str) -> None:
    """A number alone tells nobody what happened."""
    assert how_ended(code) == said
