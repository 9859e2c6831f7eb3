"""Programs of other languages that tests run where they are installed, and what those need, fetched once into the cache."""

import hashlib
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from filelock import FileLock

from smolit.settings import load_settings

_FETCH_S = 240


def tool(name: str) -> str:
    """Return the path of a program; the test is skipped, with a word about it, where it is missing."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed here")
    return found


def npm_folder(source: Path) -> Path:
    """Return a folder with a Node project and the packages of its lock, installed once per content."""
    npm = tool("npm")
    files = sorted(path for path in source.iterdir() if path.is_file())
    folder = cache("node", files) / source.name
    with FileLock(f"{folder}.lock"):
        if not (folder / "node_modules" / ".package-lock.json").exists():
            shutil.copytree(source, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("node_modules"))
            fetched([npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], folder)
    return folder


def cache(kind: str, files: Sequence[Path]) -> Path:
    """Return a folder of the cache that belongs to the content of these files."""
    content = hashlib.sha256()
    for path in files:
        content.update(path.name.encode() + b"\0" + path.read_bytes())
    folder = load_settings().cache / "tests" / f"{kind}-{content.hexdigest()[:16]}"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def fetched(command: Sequence[str], folder: Path) -> None:
    """Run a command that may download; the test is skipped, with its last words, where nothing can be fetched."""
    done = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=_FETCH_S)
    if done.returncode:
        said = " ".join(done.stdout.split())[-300:]
        pytest.skip(f"{os.path.basename(command[0])} could not fetch what the test needs: {said}")
