"""Artefacts of versions: a policy's canonical state and a manifest, in a folder of their own, whole or not at all.

Layout: `<folder>/<model id>/manifest.json` and `state.bin` (see `learning.state`). Both are written beside, forced to the disk,
and renamed into place. Before a byte of a state is looked into, the manifest, the id, the size and the sha256 must be right;
what is read then is JSON and raw float64: nothing that could execute.
"""

import hashlib
import shutil
import tempfile
from pathlib import Path

import msgspec
from msgspec import Struct

from events.model import Origin
from learning.disk import put, sync
from learning.errors import ArtefactMissing, ArtefactUnusable, PolicyError
from learning.network import Networks, none_here
from learning.policies import load as load_policy
from learning.policy import Policy, digest

FORMAT = 1
MANIFEST, STATE = "manifest.json", "state.bin"
_MAX_MANIFEST = 1_000_000  # bytes: settings and figures, never a state


class Manifest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whose state lies beside it, and all that is known of how it came about."""

    tenant: str
    scope: str
    model_id: str
    origin: Origin
    format: int = FORMAT


def manifest_of(tenant: str, scope: str, origin: Origin) -> Manifest:
    """Return the manifest of a version."""
    return Manifest(tenant=tenant, scope=scope, model_id=origin.id_in(tenant, scope), origin=origin)


def write(folder: Path, manifest: Manifest, state: bytes) -> Path:
    """Put an artefact into the folder of all, in one step; one that is there and whole stays, a damaged one is replaced."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = Path(tempfile.mkdtemp(prefix=".new-", dir=folder))
    try:
        put(draft / STATE, state)
        put(draft / MANIFEST, msgspec.json.format(msgspec.json.encode(manifest, order="sorted"), indent=1) + b"\n")
        sync(draft)
        _into_place(folder, draft, manifest)
        sync(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return folder / manifest.model_id


def read(folder: Path, manifest: Manifest, networks: Networks = none_here) -> Policy:
    """Return the policy in an artefact, as the log says that it must be: `manifest` is made of the registered fact.

    A network that it chooses by is not looked for here, but where it is first needed.

    Raises:
        ArtefactMissing: there is none of this version.
        ArtefactUnusable: it is not whole, or not what was registered; the message says what is wrong with it.
    """
    here = folder / manifest.model_id
    found = _manifest(here)
    wanted, told = _identity(manifest), _identity(found)
    if wrong := next((name for name in wanted if wanted[name] != told[name]), None):
        raise ArtefactUnusable(f"artefact {here.name}: its manifest says another {wrong} than was registered")
    return _policy(here, _whole(here, manifest.origin), manifest.origin, networks)


def remove(folder: Path, model_id: str) -> bool:
    """Remove an artefact in one step, and return whether there was one."""
    with tempfile.TemporaryDirectory(prefix=".old-", dir=folder) if folder.is_dir() else tempfile.TemporaryDirectory() as aside:
        try:
            (folder / model_id).rename(Path(aside) / model_id)
        except FileNotFoundError:
            return False
    return True


def _identity(manifest: Manifest) -> dict[str, object]:
    """Return what two manifests of one version share; what was measured on the way may differ."""
    origin = manifest.origin
    names = ("policy", "policy_version", "parameters", "context_map", "width", "first", "upto", "examples")
    digests = ("data_sha256", "digest", "artefact_sha256", "artefact_bytes")
    place = {"model_id": manifest.model_id, "tenant": manifest.tenant, "scope": manifest.scope}
    return {**place, **{name: getattr(origin, name) for name in (*names, *digests)}}


def _manifest(here: Path) -> Manifest:
    """Return the manifest that lies in a folder, if it is one of its version."""
    try:
        with (here / MANIFEST).open("rb") as file:
            found = msgspec.json.decode(file.read(_MAX_MANIFEST), type=Manifest)
    except FileNotFoundError:
        if here.is_dir():
            raise ArtefactUnusable(f"artefact {here.name}: its manifest is missing") from None
        raise ArtefactMissing(f"there is no artefact {here.name} here; `smolit model restore` folds it anew") from None
    except (msgspec.DecodeError, OSError) as error:
        raise ArtefactUnusable(f"artefact {here.name}: its manifest cannot be read: {error}") from error
    if found.format != FORMAT:
        raise ArtefactUnusable(f"artefact {here.name}: it has format {found.format}; this release reads {FORMAT}")
    return found


def _whole(here: Path, origin: Origin) -> bytes:
    """Return the bytes of a state, compared with their size and digest before anybody looks into them."""
    try:
        size = (here / STATE).stat().st_size
        if size != origin.artefact_bytes:
            raise ArtefactUnusable(f"artefact {here.name}: it has {size} bytes, and {origin.artefact_bytes} were registered")
        state = (here / STATE).read_bytes()
    except OSError as error:
        raise ArtefactUnusable(f"artefact {here.name}: its state cannot be read: {error.strerror}") from error
    if (found := hashlib.sha256(state).hexdigest()) != origin.artefact_sha256:
        raise ArtefactUnusable(
            f"artefact {here.name}: its sha256 is {found[:12]}, and {origin.artefact_sha256[:12]} was registered"
        )
    return state


def _policy(here: Path, state: bytes, origin: Origin, networks: Networks) -> Policy:
    """Return the policy whose state it is, if it is the one that was registered."""
    try:
        policy = load_policy(origin.policy, state, origin.width, networks)
    except PolicyError as error:
        raise ArtefactUnusable(f"artefact {here.name}: {error}") from error
    if policy.version != origin.policy_version or dict(policy.settings) != origin.parameters:
        raise ArtefactUnusable(f"artefact {here.name}: it has other settings, or another version, than were registered")
    if (found := digest(policy)) != origin.digest:
        raise ArtefactUnusable(
            f"artefact {here.name}: its state has digest {found[:12]}, and {origin.digest[:12]} was registered"
        )
    return policy


def _into_place(folder: Path, draft: Path, manifest: Manifest) -> None:
    """Give a draft its name; where another one has it, that one stays if it is whole."""
    here = folder / manifest.model_id
    try:
        draft.rename(here)
    except OSError:  # it is there: a folder that holds something is never renamed over
        try:
            read(folder, manifest)
        except ArtefactUnusable:
            remove(folder, manifest.model_id)
            draft.rename(here)
