"""What is to be trained, as the process that trains finds it in its folder: the job in JSON, the rows in safetensors.

Nothing here needs torch, so whoever orders a training can import it.
"""

import hashlib
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from training.errors import JobUnreadable

Kind = Literal["linear", "mlp", "multitask"]
KINDS: tuple[Kind, ...] = ("linear", "mlp", "multitask")
TARGETS = ("reward", "success", "duration")
JOB, TABLE, NETWORK, RESULT, CHECKPOINTS = "job.json", "table.safetensors", "network.onnx", "result.json", "checkpoints"

Vector = NDArray[np.float64]
Whole = NDArray[np.int64]


class Words(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a person may say of a training; the rest follows from the log.

    `batch` rows make one step of the optimiser, in `accumulate` parts; `patience` epochs without a better loss on the validation
    rows end it. `checkpoint_steps` 0: one checkpoint an epoch. `hidden` is the width of the starting net (`multitask`, one layer,
    one attention head, 8 numbers an agent, all of the context); one of another shape is as wide as leaves it as many numbers.
    `axes`: it looks at so many first numbers of a context, and at the bias; 0: at all. Chances and times are calibrated on what
    `folds` networks tell of the rows that they were not trained on, a stretch of time each; 0: on the validation rows alone.
    """

    kind: Kind = "multitask"
    seed: int = 0
    epochs: int = 60
    batch: int = 256
    accumulate: int = 1
    rate: float = 3e-3
    decay: float = 1e-2
    hidden: int = 24
    depth: int = 1
    heads: int = 1
    agent: int = 8
    axes: int = 0
    folds: int = 4
    patience: int = 10
    checkpoint_steps: int = 0


class Job(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One training: the words, whose rewards are told of which contexts, and the digest of the rows.

    `mean` is the mean reward of the training rows; `duration` mean and deviation of log(1 + milliseconds) there.
    """

    words: Words
    context_map: str
    width: int
    agents: tuple[str, ...]
    mean: float
    duration: tuple[float, float]
    table_sha256: str

    @property
    def digest(self) -> str:
        """Return the sha256 of all of it: checkpoints name it."""
        return hashlib.sha256(msgspec.json.encode(self, order="sorted")).hexdigest()


class Rows(NamedTuple):
    """One row per attempt: context (n, width), agent (from 1, in the order of the job), targets (n, 3), which are known, part.

    Targets are reward, success (0 or 1) and log(1 + milliseconds) in deviations; what is not known holds 0 and is masked.
    """

    contexts: Vector
    agents: Whole
    targets: Vector
    known: NDArray[np.bool_]
    validation: NDArray[np.bool_]

    @property
    def names(self) -> dict[str, "np.ndarray[tuple[int, ...], np.dtype[np.float64 | np.int64 | np.uint8]]"]:
        """Return the columns as they are stored."""
        flags = {"known": self.known.astype(np.uint8), "validation": self.validation.astype(np.uint8)}
        return {"contexts": self.contexts, "agents": self.agents, "targets": self.targets, **flags}


def pack(rows: Rows) -> bytes:
    """Return rows in their one form: the same rows give the same bytes."""
    from safetensors.numpy import save  # comes with the extra `train`, and with `local`

    stored: bytes = save({name: np.ascontiguousarray(column) for name, column in rows.names.items()})
    return stored


def write(folder: Path, job: Job, table: bytes) -> None:
    """Put a job into its folder."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    (folder / TABLE).write_bytes(table)
    (folder / JOB).write_bytes(msgspec.json.format(msgspec.json.encode(job, order="sorted"), indent=1) + b"\n")


def read(folder: Path) -> tuple[Job, Rows]:
    """Return the job of a folder and its rows; raises JobUnreadable where they are none, or do not belong together."""
    try:
        job = msgspec.json.decode((folder / JOB).read_bytes(), type=Job)
        table = (folder / TABLE).read_bytes()
    except (OSError, msgspec.DecodeError) as error:
        raise JobUnreadable(f"{folder} holds no training that can be read: {error}") from error
    if (found := hashlib.sha256(table).hexdigest()) != job.table_sha256:
        raise JobUnreadable(f"{TABLE} has sha256 {found[:12]}, and {job.table_sha256[:12]} was to be trained on")
    return job, _rows(table)


def _rows(table: bytes) -> Rows:
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        found = load(table)
        flags = {name: found[name].astype(np.bool_) for name in ("known", "validation")}
        return Rows(found["contexts"], found["agents"], found["targets"], **flags)
    except (SafetensorError, KeyError) as error:
        raise JobUnreadable(f"{TABLE} cannot be read: {error}") from error
