"""The runner's decisions: how long to wait, who stops when, what a child inherits, who is who."""

from pathlib import Path

import psutil
from pydantic import SecretStr

from smolit.process import record
from smolit.process.lag import Lag, Position, summed
from smolit.process.record import ProcessRecord
from smolit.process.roster import EXTRAS, PROCESSES, STOP_STAGES, argv, environment, slots
from smolit.process.runner import next_delay
from smolit.settings import PREFIX, load_settings


def test_the_wait_doubles_up_to_ten_seconds() -> None:
    """A process that dies again and again is started less and less often, but never given up."""
    waits, wait = [], 0.0
    for _ in range(8):
        wait = next_delay(wait, lived_s=1.0)
        waits.append(wait)

    assert waits == [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10.0, 10.0]


def test_a_steady_life_forgives() -> None:
    """Who lived for half a minute is started again as quickly as the first time."""
    assert next_delay(10.0, lived_s=30.0) == 0.2


def test_every_process_has_its_turn_to_stop() -> None:
    """Each process is in exactly one stage, the door in the first and the read models in the last."""
    staged = [name for stage in STOP_STAGES for name in stage]

    assert sorted(staged) == sorted((*PROCESSES, *EXTRAS))
    assert (STOP_STAGES[0], STOP_STAGES[-1]) == (("intake",), ("projections",))


def test_the_workers_are_as_many_as_set() -> None:
    """Every process once, workers as often as the setting says, numbered from 1."""
    found = slots(3)

    assert [slot.identity for slot in found if slot.name == "worker"] == ["worker-1", "worker-2", "worker-3"]
    assert len(found) == len(PROCESSES) + 2


def test_a_child_is_not_fooled_by_the_folder_it_starts_in() -> None:
    """Our root packages have plain names, so the current folder must not come first among the imports."""
    assert argv(slots(1)[0])[1] == "-P"


def test_a_child_gets_the_very_same_settings(tmp_path: Path) -> None:
    """Settings given by argument reach a child through its environment; only the port is each one's own."""
    given = load_settings(
        data_dir=tmp_path,
        tenants=("a", "b"),
        workers=5,
        postgres=SecretStr("x"),
        log_file=None,
        health_port=9000,
        heartbeat_s=0.5,
    )

    made = environment(given, {"PATH": "/bin"})

    ours = {name: value for name, value in made.items() if name.startswith(PREFIX)}
    assert made["PATH"] == "/bin"
    assert ours == {
        "SMOLIT_DATA_DIR": str(tmp_path),
        "SMOLIT_TENANTS": "a,b",
        "SMOLIT_WORKERS": "5",
        "SMOLIT_POSTGRES": "x",
        "SMOLIT_HEARTBEAT_S": "0.5",
        "SMOLIT_HEALTH_PORT": "0",
    }


def test_a_process_is_known_by_its_start_time(tmp_path: Path) -> None:
    """A recorded id that belongs to somebody else by now is nobody of ours."""
    mine = record.ours("intake", "1", 80)

    found, other = record.live(mine), record.live(ProcessRecord("intake", "1", mine.pid, mine.started_at - 5))

    assert found == psutil.Process()
    assert other is None


def test_a_record_is_whole_or_not_there(tmp_path: Path) -> None:
    """What is no record reads as none, and only one's own is taken away."""
    mine = record.ours("intake", "1", 80)
    record.write(tmp_path, mine)
    (tmp_path / record.FOLDER / "relay-1.json").write_text("{half")

    assert record.read_all(tmp_path) == [mine]
    record.remove(tmp_path, ProcessRecord("intake", "1", 1, 0.0))
    assert record.read(tmp_path, "intake", "1") == mine
    record.remove(tmp_path, mine)
    assert record.read(tmp_path, "intake", "1") is None


def test_lag_is_summed_by_reader_and_topic() -> None:
    """Partitions of a topic count together; a reader ahead of an old end is not behind."""
    stand = [Position("a", "t", 0, 3), Position("a", "t", 1, 9), Position("b", "t", 0, 10)]

    assert summed(stand, {("t", 0): 10, ("t", 1): 8}) == [Lag("a", "t", 7), Lag("b", "t", 0)]
