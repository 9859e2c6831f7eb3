"""The runner and the shell, as real processes: restarts, identities, signals, the death of the runner."""

import json
import os
import signal
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from smolit.process.runner import read_runner
from smolit.process.start import FORKS
from tests.runner_home import PROCESSES, Home, gone, until
from tests.said import PATIENCE_S


@pytest.fixture
def home(tmp_path: Path, request: pytest.FixtureRequest) -> Home:
    """A place of its own for each test; processes are started as on this platform, or as the test says."""
    made = Home(tmp_path)
    made.environment["RUNNER_KIT_START"] = getattr(request, "param", "fork" if FORKS else "exec")
    return made


either_way = pytest.mark.parametrize("home", ["fork", "exec"] if FORKS else ["exec"], indirect=True)


@either_way
def test_a_killed_process_is_started_again_and_it_is_said(home: Home) -> None:
    """kill -9 of a process: the runner says so in one line and starts it again under the same identity."""
    with home.started("runner") as runner:
        before = home.all_ready()["worker-1"]
        assert before.pid is not None
        os.kill(before.pid, signal.SIGKILL)
        until(lambda: (now := home.standings()["worker-1"]).ready and now.pid != before.pid)
        after = home.standings()["worker-1"]
        runner.send_signal(signal.SIGTERM)
        _, said = runner.communicate(timeout=PATIENCE_S)

    assert after.restarts == 1
    assert [
        line for line in said.splitlines() if "worker-1 was killed by SIGKILL" in line and "starting it again in 0.2 s" in line
    ]


@either_way
def test_processes_stop_in_order(home: Home) -> None:
    """SIGTERM ends the runner with 0, the door first and those who write things down last."""
    with home.started("runner") as runner:
        home.all_ready()
        runner.send_signal(signal.SIGTERM)
        runner.communicate(timeout=PATIENCE_S)

    order = home.diary.read_text().split()
    assert runner.returncode == 0
    assert sorted(order) == ["dispatch", "ingest", "intake", "learning", "llm", "projections", "relay", "selection", "worker"]
    assert [order[0], order[1], *order[-3:]] == ["intake", "selection", "learning", "relay", "projections"]
    assert read_runner(home.data_dir) is None


@either_way
def test_children_die_with_the_runner(home: Home) -> None:
    """kill -9 of the runner: its pipes close, every process ends, and the next runner starts them anew."""
    with home.started("runner") as runner:
        children = [one.pid for one in home.all_ready().values() if one.pid]
        runner.kill()
        until(lambda: all(gone(pid) for pid in children))

    with home.started("runner") as again:
        ready = home.all_ready()
        again.send_signal(signal.SIGTERM)
        again.communicate(timeout=PATIENCE_S)

    assert len(children) == PROCESSES
    assert not {one.pid for one in ready.values()} & set(children)


def test_an_old_process_is_killed_before_its_identity_is_used_again(home: Home) -> None:
    """A stopped (SIGSTOP) owner of an identity would wake up as a zombie, so it is killed first."""
    with home.started("alone", "relay", "1") as old:
        until(lambda: home.standings().get("relay-1") is not None and home.standings()["relay-1"].ready)
        os.kill(old.pid, signal.SIGSTOP)
        with home.started("runner") as runner:
            ready = home.all_ready()
            runner.send_signal(signal.SIGTERM)
            _, said = runner.communicate(timeout=PATIENCE_S)

        assert old.wait(PATIENCE_S) == -signal.SIGKILL
        assert ready["relay-1"].pid != old.pid
        assert f"killed {old.pid}, which still was relay-1" in said


def test_a_process_that_does_not_stop_is_killed(home: Home) -> None:
    """Who does not end in time is killed, and the others still stop in order."""
    with home.started("runner", RUNNER_KIT_FAULT="deaf:dispatch", SMOLIT_STOP_TIMEOUT_S="1") as runner:
        home.all_ready()
        runner.send_signal(signal.SIGTERM)
        _, said = runner.communicate(timeout=PATIENCE_S)

    assert runner.returncode == 0
    assert "dispatch-1 did not stop within 1 s and is killed" in said
    assert home.diary.read_text().split()[-1] == "projections"


def test_a_second_runner_is_refused(home: Home) -> None:
    """One data folder has one runner; another one ends with 1 and one sentence."""
    with home.started("runner") as first:
        until(lambda: read_runner(home.data_dir) is not None)
        with home.started("runner") as second:
            _, said = second.communicate(timeout=PATIENCE_S)
        assert first.poll() is None

    assert second.returncode == 1
    assert "runs already" in said
    assert "Traceback" not in said


@either_way
def test_a_second_signal_ends_at_once(home: Home) -> None:
    """Who presses Ctrl-C twice does not wait for anything."""
    with home.started("runner", RUNNER_KIT_FAULT="deaf:intake", SMOLIT_STOP_TIMEOUT_S="600") as runner:
        children = [one.pid for one in home.all_ready().values() if one.pid]
        runner.send_signal(signal.SIGINT)
        until(lambda: not pending(runner.pid, signal.SIGINT))  # two of one kind that are pending together are one
        runner.send_signal(signal.SIGINT)
        runner.communicate(timeout=PATIENCE_S)
        until(lambda: all(gone(pid) for pid in children))

    assert runner.returncode == 130


def pending(pid: int, number: signal.Signals) -> bool:
    """Say whether a process has not taken a signal yet."""
    status = Path(f"/proc/{pid}/status").read_text()
    masks = [int(line.split()[1], 16) for line in status.splitlines() if line.startswith(("SigPnd:", "ShdPnd:"))]
    return any(mask >> (number - 1) & 1 for mask in masks)


@pytest.mark.parametrize("fault", ["named", "group"])
def test_a_named_error_is_one_clear_line(home: Home, fault: str) -> None:
    """A process that cannot go on says why in one line and ends with 1; several parts with one reason say it once."""
    with home.started("alone", "relay", "1", RUNNER_KIT_FAULT=fault) as process:
        _, said = process.communicate(timeout=PATIENCE_S)

    lines = [json.loads(line) for line in said.splitlines()]
    assert process.returncode == 1
    assert [line["event"] for line in lines] == ["started", "stopped"]
    assert lines[-1]["detail"].startswith("topic x is missing")
    assert lines[-1]["detail"].count("topic x") == 1
    assert lines[-1]["component"] == "relay"
    assert "exception" not in lines[-1]


def test_an_unforeseen_error_leaves_its_traceback_in_the_log(home: Home) -> None:
    """What nobody foresaw ends with 1, too, and its traceback is in the structured line."""
    with home.started("alone", "relay", "1", RUNNER_KIT_FAULT="unforeseen") as process:
        _, said = process.communicate(timeout=PATIENCE_S)

    last = json.loads(said.splitlines()[-1])
    assert process.returncode == 1
    assert "ZeroDivisionError: nobody thought of this" in last["exception"]


def test_an_identity_is_held_alone(home: Home) -> None:
    """A second process of one name and instance is refused; it would be taken for the first."""
    with home.started("alone", "worker", "7"):
        until(lambda: "worker-7" in home.standings())
        with home.started("alone", "worker", "7") as second:
            _, said = second.communicate(timeout=PATIENCE_S)

    assert second.returncode == 1
    assert "worker-7 runs already" in said


def test_health_ready_and_metrics_answer_on_loopback(home: Home) -> None:
    """Each process answers on the port that it wrote down; names and labels are ours and bounded."""
    with home.started("alone", "worker", "3"):
        until(lambda: home.standings().get("worker-3") is not None and home.standings()["worker-3"].ready)
        address = f"http://127.0.0.1:{home.standings()['worker-3'].port}"
        health = json.load(urllib.request.urlopen(f"{address}/health"))
        metrics = urllib.request.urlopen(f"{address}/metrics").read().decode()
        with pytest.raises(urllib.error.HTTPError) as missing:
            urllib.request.urlopen(f"{address}/tables")

    missing.value.close()
    assert (health["process"], health["instance"]) == ("worker", "3")
    assert 'smolit_outcomes_total{outcome="idled",process="worker"} 3.0' in metrics
    assert 'smolit_log_lines_total{fate="dropped",process="worker"} 0.0' in metrics
    ours = {line.split("{")[0].split()[0] for line in metrics.splitlines() if line.startswith("smolit_")}
    assert all(name.endswith(("_total", "_seconds")) for name in ours)
