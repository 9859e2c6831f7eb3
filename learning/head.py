"""Heads: small linear classifiers on the sentence encoder's vectors, kept as tensors with a manifest that names their digest.

A head gives each label a chance by softmax of a linear map, with a temperature fitted on vectors that it was not trained on
(Guo et al., "On Calibration of Modern Neural Networks", 2017). Below `least` it says that it is unsure.

Layout: `<folder>/<name>.json` and `<name>.safetensors`. Nothing that is read could execute.
"""

from collections.abc import Mapping
from pathlib import Path

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from learning.encoding import file_sha256
from learning.errors import ArtefactMissing, ArtefactUnusable

FOLDER = Path(__file__).parent / "artefacts" / "heads"
WEIGHTS, BIAS = "weights", "bias"
_MAX_MANIFEST = 100_000  # bytes

Vector = NDArray[np.float32]


class Manifest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a head is, what it was trained on and how; `sha256` is of its tensors' file."""

    name: str
    version: int
    encoder: str
    labels: tuple[str, ...]
    temperature: float
    least: float
    sha256: str
    data_sha256: str
    rows: int
    seed: int
    regularisation: float
    libraries: dict[str, str]


class Head(Struct, frozen=True):
    """A classifier of texts by their vectors: `weights` has one row for each label."""

    manifest: Manifest
    weights: NDArray[np.float32]
    bias: NDArray[np.float32]

    @property
    def model(self) -> str:
        """Return what judges, with its version and the encoder that it is for."""
        return f"{self.manifest.name}/{self.manifest.version}+{self.manifest.encoder}"

    def chances(self, vector: Vector) -> dict[str, float]:
        """Return the chance of each label, calibrated; they sum to one. `vector` is float32 of shape (width,)."""
        return dict(zip(self.manifest.labels, softmax(logits(self, vector) / self.manifest.temperature), strict=True))

    def choice(self, chances: Mapping[str, float]) -> str | None:
        """Return the likeliest label; None: it is not sure enough of any."""
        best = max(self.manifest.labels, key=lambda label: chances[label])
        return best if chances[best] >= self.manifest.least else None


def logits(head: Head, vector: Vector) -> NDArray[np.float64]:
    """Return the linear map of a vector, one number for each label."""
    return head.weights.astype(np.float64) @ vector.astype(np.float64) + head.bias.astype(np.float64)


def softmax(numbers: NDArray[np.float64]) -> list[float]:
    """Return chances that sum to one."""
    grown = np.exp(numbers - numbers.max())
    return [float(one) for one in grown / grown.sum()]


def load(name: str, folder: Path = FOLDER) -> Head:
    """Open a head.

    Raises:
        ArtefactMissing: there is none of this name.
        ArtefactUnusable: its files are not the ones that were written.
    """
    from safetensors.numpy import load_file

    tensors, manifest = folder / f"{name}.safetensors", _manifest(folder / f"{name}.json")
    if not tensors.is_file():
        raise ArtefactMissing(f"head {name}: {tensors.name} is missing")
    if file_sha256(tensors) != manifest.sha256:
        raise ArtefactUnusable(f"head {name}: {tensors.name} is not the file that its manifest names")
    arrays = load_file(tensors)
    head = Head(manifest, arrays[WEIGHTS], arrays[BIAS])
    if head.weights.shape[:1] != (len(manifest.labels),) or head.bias.shape != (len(manifest.labels),):
        raise ArtefactUnusable(f"head {name}: its tensors have another shape than its manifest says")
    return head


def save(head: Head, folder: Path = FOLDER) -> Head:
    """Write a head, and return it with the digest of its tensors."""
    from safetensors.numpy import save_file

    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{head.manifest.name}.safetensors"
    save_file({WEIGHTS: np.ascontiguousarray(head.weights), BIAS: np.ascontiguousarray(head.bias)}, path)
    manifest = msgspec.structs.replace(head.manifest, sha256=file_sha256(path))
    text = msgspec.json.format(msgspec.json.encode(manifest, order="sorted"), indent=1) + b"\n"
    (folder / f"{head.manifest.name}.json").write_bytes(text)
    return msgspec.structs.replace(head, manifest=manifest)


def _manifest(path: Path) -> Manifest:
    try:
        with path.open("rb") as file:
            return msgspec.json.decode(file.read(_MAX_MANIFEST), type=Manifest)
    except FileNotFoundError as error:
        raise ArtefactMissing(f"there is no head {path.stem!r}") from error
    except msgspec.DecodeError as error:
        raise ArtefactUnusable(f"head {path.stem}: its manifest cannot be read: {error}") from error
