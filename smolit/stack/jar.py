"""Kafka's jars: named with their sha256 in `kafka.lock`, fetched once with jgo, checked before every start."""

import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock

from smolit.errors import JarMismatch, JarUnavailable

if TYPE_CHECKING:
    from jgo.maven import MavenContext

LOCK = Path(__file__).with_name("kafka.lock")
_DOWNLOADS = 8  # at a time; 45 small files


@dataclass(frozen=True)
class Jar:
    """One locked jar: Maven coordinates and the sha256 of its bytes."""

    group: str
    artifact: str
    version: str
    sha256: str

    @property
    def file_name(self) -> str:
        """Name of the jar in the cache."""
        return f"{self.artifact}-{self.version}.jar"


def read_lock(lock: Path = LOCK) -> tuple[Jar, ...]:
    """Return the locked jars, in the order of the file; lines are `group:artifact:version sha256`."""
    lines = [line for line in lock.read_text().splitlines() if line and not line.startswith("#")]
    return tuple(_locked_jar(line) for line in lines)


def _locked_jar(line: str) -> Jar:
    """Read one line of the lock."""
    coordinates, sha256 = line.split()
    group, artifact, version = coordinates.split(":")
    return Jar(group, artifact, version, sha256)


def kafka_version(jars: Sequence[Jar]) -> str:
    """Return the version of the broker among the jars."""
    return next(jar.version for jar in jars if jar.artifact.startswith("kafka_"))


def fetch_jars(cache: Path, repository: str, progress: Callable[[str], None]) -> Path:
    """Return the folder of Kafka's jars, each one with the locked bytes; what is missing is fetched.

    Raises JarUnavailable when a download fails and JarMismatch when it brings other bytes.
    """
    jars = read_lock()
    folder = cache / f"kafka-{kafka_version(jars)}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as wrong:
        raise JarUnavailable(f"{folder} cannot be made ({wrong.strerror}); point SMOLIT_CACHE elsewhere.") from wrong
    with FileLock(cache / "kafka.fetch"):
        missing = [jar for jar in jars if not _is_good(folder / jar.file_name, jar)]
        if missing:
            progress(f"fetching {len(missing)} jars of Kafka {kafka_version(jars)} (once, 45 MB in all)")
            _fetch(missing, folder, repository)
    return folder


def _fetch(missing: Sequence[Jar], folder: Path, repository: str) -> None:
    """Download jars beside the cache, check them, then move them in: a broken download never gets there."""
    drafts_in = tempfile.TemporaryDirectory(dir=folder)
    with drafts_in as drafts, _system_trust(), ThreadPoolExecutor(_DOWNLOADS) as pool:
        context = _maven(Path(drafts), repository)
        for done in [pool.submit(_fetch_one, context, jar, folder) for jar in missing]:
            done.result()


@contextmanager
def _system_trust() -> Iterator[None]:
    """Trust the certificates that this machine trusts, as pip does, while jgo (which brings its own list) downloads."""
    import truststore  # in the extra `local`, as jgo

    truststore.inject_into_ssl()
    try:
        yield
    finally:
        truststore.extract_from_ssl()


def _fetch_one(context: "MavenContext", jar: Jar, folder: Path) -> None:
    """Download one jar and move it into the cache if its bytes are the locked ones."""
    try:
        draft = context.project(jar.group, jar.artifact).at_version(jar.version).artifact().resolve()
    except (OSError, RuntimeError) as wrong:  # what requests and jgo raise
        name = f"{jar.group}:{jar.artifact}:{jar.version}"
        raise JarUnavailable(f"{name} could not be fetched from the Maven repository: {wrong}") from wrong
    if not _is_good(draft, jar):
        raise JarMismatch(f"{jar.file_name} was refused: its sha256 is not the one in {LOCK.name}.")
    os.replace(draft, folder / jar.file_name)


def _maven(drafts: Path, repository: str) -> "MavenContext":
    """Return jgo's way to a Maven repository, with an empty local cache."""
    # Imported here: jgo is in the extra `local`, which only those need who start a local Kafka.
    from jgo.maven import MavenContext, PythonResolver

    remotes = {"maven": repository.rstrip("/")} if repository else None
    return MavenContext(PythonResolver(), repo_cache=drafts, local_repos=[], remote_repos=remotes, timeout=60)


def _is_good(path: Path, jar: Jar) -> bool:
    """Return whether the file is there with the locked bytes."""
    return path.exists() and sha256(path) == jar.sha256


def sha256(path: Path) -> str:
    """Return the sha256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
