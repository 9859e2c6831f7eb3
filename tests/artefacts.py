"""Artefacts for tests of backups."""

import hashlib
from pathlib import Path

from learning.artefact import Manifest, manifest_of, write
from learning.policies import create
from learning.policy import digest
from tests.builders import origin


def artefact(models: Path, number: int) -> Manifest:
    """Write an artefact, and return its manifest."""
    policy = create("ridge_igw", 4, {"gain": float(number)})
    state = policy.dump()
    told = {"parameters": dict(policy.settings), "width": 4, "digest": digest(policy)}
    made = {"artefact_sha256": hashlib.sha256(state).hexdigest(), "artefact_bytes": len(state)}
    manifest = manifest_of("default", "default", origin(number, **told, **made))
    write(models, manifest, state)
    return manifest
