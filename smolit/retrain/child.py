"""The process that trains: started, listened to, and told of in one sentence if it fails."""

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import msgspec
from msgspec import Struct

from smolit.errors import TrainingFailed, TrainingLibraryMissing
from training.job import NETWORK, RESULT, Job, write

_TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node")


class Epoch(Struct, frozen=True):
    """One line of what it says: mean losses of an epoch."""

    number: int
    training: float
    validation: float
    rate: float


class Result(Struct, frozen=True, kw_only=True):
    """What came of it, as the process wrote it."""

    epochs: int
    best_epoch: int
    validation: float
    steps: int
    numbers: int
    parity: float
    curve: tuple[Epoch, ...]
    torch: str
    seconds: float


class Trained(NamedTuple):
    """A network, and how it was trained."""

    graph: bytes
    result: Result


def train(
    folder: Path, job: Job, table: bytes, *, processes: int = 1, resume: bool = False, told: Callable[[Epoch], None]
) -> Trained:
    """Train a job in its folder, with one process or several that train as one; `told` hears of each epoch.

    Raises:
        TrainingLibraryMissing: torch is not installed.
        TrainingFailed: it could not be trained, and why.
    """
    many = (*_TORCHRUN, str(processes)) if processes > 1 else ()
    (found,) = _trained([folder], [job], table, [sys.executable, *many, "-m", "training"], told, resume)
    return found


def train_each(folder: Path, jobs: Sequence[Job], table: bytes) -> list[Trained]:
    """Train several jobs on the same rows, one after the other in one process, which loads torch once; raises as `train`."""
    folders = [folder / str(number) for number in range(len(jobs))]
    return _trained(folders, jobs, table, [sys.executable, "-m", "training"], lambda _epoch: None, False)


def _trained(
    folders: Sequence[Path],
    jobs: Sequence[Job],
    table: bytes,
    process: Sequence[str],
    told: Callable[[Epoch], None],
    resume: bool,
) -> list[Trained]:
    """Start a process that trains the jobs, each in its folder; the first folder hears what goes wrong."""
    require_library()
    for folder, job in zip(folders, jobs, strict=True):
        write(folder, job, table)
        (folder / RESULT).unlink(missing_ok=True)
    command = [*process, *map(str, folders), *(["--resume"] if resume else [])]
    with (folders[0] / "errors.log").open("w+b") as errors:
        # Safe path: no folder that a person happens to stand in decides what `training` is.
        environment = {**os.environ, "PYTHONSAFEPATH": "1", "OMP_NUM_THREADS": "1"}
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, env=environment) as running:
            _listen(running, told)
        if running.returncode != 0 or not all((folder / RESULT).exists() for folder in folders):
            raise TrainingFailed(_why(folders[0], errors.name, running.returncode))
    return [
        Trained((folder / NETWORK).read_bytes(), msgspec.json.decode((folder / RESULT).read_bytes(), type=Result))
        for folder in folders
    ]


def require_library() -> None:
    """Raise TrainingLibraryMissing where torch is not installed."""
    if find_spec("torch") is None or find_spec("onnxscript") is None:
        raise TrainingLibraryMissing("training needs torch, which is not installed; `make install-train` installs it")


def _listen(process: "subprocess.Popen[bytes]", told: Callable[[Epoch], None]) -> None:
    """Hear what the process says until it ends; whoever stops listening ends it."""
    assert process.stdout is not None
    try:
        for line in process.stdout:
            if line.startswith(b"{"):
                told(msgspec.json.decode(line, type=Epoch))
    except BaseException:
        process.terminate()
        raise


def _why(folder: Path, log: str, code: int) -> str:
    """Return why a training failed: its own sentence where it has one, else how it ended."""
    lines = Path(log).read_text(errors="replace").splitlines()
    own = [line.partition("training: ")[2] for line in lines if "training: " in line]
    ended = f"a process that trains was killed by signal {-code}" if code < 0 else f"the process that trains ended with {code}"
    told = own[0] if own else ended
    return f"{told}; {folder} holds its words and checkpoints, and --resume goes on from the last"
