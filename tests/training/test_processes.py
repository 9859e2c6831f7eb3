"""The process that trains: twice the same, resumed after kills, several as one, and ended in one sentence."""

import os
import signal
import subprocess
import sys
import time
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.training.kit import folder_with, world
from training.job import CHECKPOINTS, JOB, NETWORK, RESULT, TABLE

torch = pytest.importorskip("torch", reason="torch is not installed: make install-train", exc_type=ImportError)

from training import checkpoint  # noqa: E402  # only where torch is there

ROOT = Path(__file__).parent.parent.parent
TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")


def start(folder: Path, *more: str, run: tuple[str, ...] = ()) -> "subprocess.Popen[str]":
    """Start a training."""
    command = [sys.executable, *run, "-m", "training", str(folder), *more]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, cwd=folder)


def trained(folder: Path, *more: str, run: tuple[str, ...] = ()) -> dict[str, Any]:
    """Train to the end, and return the result."""
    with start(folder, *more, run=run) as process:
        told = process.communicate(timeout=240)
    assert process.returncode == 0, told
    found: dict[str, Any] = msgspec.json.decode((folder / RESULT).read_bytes())
    return found


def weights(folder: Path) -> Any:
    """Return all weights of the newest checkpoint."""
    newest = sorted((folder / CHECKPOINTS).iterdir())[-1]
    tensors = checkpoint.read(newest, checkpoint._manifest(newest).job)[1]
    return torch.cat([tensors[name].flatten() for name in sorted(tensors) if name.startswith("net.")])


def graph(folder: Path) -> str:
    """Return the digest of the network."""
    return sha256((folder / NETWORK).read_bytes()).hexdigest()


def test_a_killed_training_is_taken_up_to_the_same_bytes(tmp_path: Path) -> None:
    """Killed three times while it writes checkpoint after checkpoint, it ends with the network of one that nobody killed."""
    rows = world(tasks=400).rows
    for name in ("whole", "killed"):
        folder_with(tmp_path / name, rows, epochs=60, patience=60, checkpoint_steps=1)
    whole = trained(tmp_path / "whole")
    there = tmp_path / "killed" / CHECKPOINTS

    for number in range(1, 4):
        before = max((int(one.name[5:]) for one in there.glob("step-*")), default=0)
        with start(tmp_path / "killed", *(["--resume"] if number > 1 else [])) as process:
            end = time.monotonic() + 120
            while max((int(one.name[5:]) for one in there.glob("step-*")), default=0) < before + 10 * number:
                assert time.monotonic() < end
                assert process.poll() is None, process.communicate()
                time.sleep(0.001)
            process.send_signal(signal.SIGKILL)
        assert not (tmp_path / "killed" / RESULT).exists()
    resumed = trained(tmp_path / "killed", "--resume")

    assert graph(tmp_path / "killed") == graph(tmp_path / "whole")
    assert resumed["curve"] == whole["curve"]
    assert (resumed["steps"], resumed["scales"]) == (whole["steps"], whole["scales"])


def test_two_processes_train_as_one(tmp_path: Path) -> None:
    """The same steps on the same order of rows: weights within 1e-6, and the same epoch is the best."""
    rows = world(tasks=553).rows
    for name in ("one", "two"):
        folder_with(tmp_path / name, rows, epochs=6, patience=6)

    one, two = trained(tmp_path / "one"), trained(tmp_path / "two", run=TORCHRUN)

    assert (one["steps"], one["best_epoch"]) == (two["steps"], two["best_epoch"])
    assert (weights(tmp_path / "one") - weights(tmp_path / "two")).abs().max() < 1e-6


def test_a_process_that_is_killed_ends_them_all_within_a_minute(tmp_path: Path) -> None:
    """No hang: the run ends with a message that says that one is gone, and can be taken up again."""
    folder_with(tmp_path, world(tasks=553).rows, epochs=5_000, patience=5_000)
    with start(tmp_path, run=TORCHRUN) as process:
        end = time.monotonic() + 120
        while not list((tmp_path / CHECKPOINTS).glob("step-*")):
            assert time.monotonic() < end
            time.sleep(0.05)
        children = _children(process.pid)
        assert len(children) >= 2
        os.kill(children[-1], signal.SIGKILL)
        killed = time.monotonic()
        _, said = process.communicate(timeout=90)

    assert time.monotonic() - killed < 60
    assert process.returncode != 0
    assert "training: a process that trains with this one ended" in said or "Signal 9 (SIGKILL)" in said
    assert list((tmp_path / CHECKPOINTS).glob("step-*"))


def _children(pid: int) -> list[int]:
    """Return the processes that torchrun started."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_what_cannot_be_trained_ends_in_one_sentence(tmp_path: Path) -> None:
    """Rows that are not those of the job, and a folder that holds none."""
    folder_with(tmp_path, world().rows)
    (tmp_path / TABLE).write_bytes((tmp_path / TABLE).read_bytes()[:-1] + b"x")
    with start(tmp_path) as process:
        said = process.communicate(timeout=120)[1]
    assert (process.returncode, said.count("\n")) == (1, 1)
    assert "training: table.safetensors has sha256" in said

    (tmp_path / JOB).write_bytes(b"{}")
    with start(tmp_path) as process:
        said = process.communicate(timeout=120)[1]
    assert (process.returncode, said.count("\n")) == (1, 1)
    assert "holds no training that can be read" in said
