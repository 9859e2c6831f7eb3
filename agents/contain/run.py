"""Runs code in a contained process: `agents/contain/jail.py` locks itself in, this side sets the limits and reads."""

import asyncio
import base64
import json
import os
import re
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

from msgspec import Struct

from agents.contain.exits import UNCONTAINED
from agents.errors import AgentFailed

MOST_CODE = 200_000
_MOST_FILES = 50
_PROJECT = Path(__file__).resolve().parents[2]
_START = "import sys; sys.path.insert(0, sys.argv[2]); from agents.contain.jail import main; main(int(sys.argv[1]))"
_FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}")

Outcome = Literal["ok", "failed", "timed_out", "killed", "too_much_output"]


class Limits(Struct, frozen=True):
    """What a program may use: processor and wall seconds, memory in MiB, bytes of output (of each stream and the result)."""

    cpu_s: int = 5
    wall_s: int = 10
    memory_mb: int = 256
    output_bytes: int = 64_000
    files_mb: int = 16


LIMITS = Limits()


class Ran(Struct, frozen=True):
    """How a program ended: what it wrote, its variable `result`, its exit code, and the layers that held it."""

    outcome: Outcome
    exit: int
    stdout: str
    stderr: str
    result: Any
    layers: dict[str, Any]


async def run(code: str, files: Mapping[str, bytes] | None = None, limits: Limits = LIMITS, without: Sequence[str] = ()) -> Ran:
    """Run Python code where it reaches nothing but its files under `/in`; `without` leaves layers off, for tests.

    Raises:
        AgentFailed: the layers that are needed do not hold here, or the code or a file is not taken.
    """
    told = _told(code, files or {}, limits, without)
    reading, writing = os.pipe()
    try:
        process = await asyncio.create_subprocess_exec(
            *_command(writing), stdin=PIPE, stdout=PIPE, stderr=PIPE, env={}, cwd="/", pass_fds=(writing,), start_new_session=True
        )
    except BaseException:
        os.close(reading)
        raise
    finally:
        os.close(writing)
    try:
        return await _followed(process, told, reading, limits)
    finally:
        _kill(process)
        await process.wait()


def _told(code: str, files: Mapping[str, bytes], limits: Limits, without: Sequence[str]) -> bytes:
    """Return what the process is told."""
    if len(code) > MOST_CODE or "\x00" in code:
        raise AgentFailed("bad_code", f"code has at most {MOST_CODE} characters, and no NUL")
    strange = [name for name in files if not _FILE_NAME.fullmatch(name)]
    if strange or len(files) > _MOST_FILES or sum(map(len, files.values())) > limits.files_mb << 20:
        raise AgentFailed("bad_files", f"at most {_MOST_FILES} files with plain names, {limits.files_mb} MiB together")
    held = {name: base64.b64encode(content).decode() for name, content in files.items()}
    named = {"cpu_s": limits.cpu_s, "wall_s": limits.wall_s, "memory_mb": limits.memory_mb, "files_mb": limits.files_mb + 1}
    clean = code.encode("utf-8", "replace").decode()
    return json.dumps({"code": clean, "files": held, "without": list(without), **named}).encode()


def _command(report: int) -> list[str]:
    """Return the command: an interpreter that reads no environment, no user site and no site packages."""
    return [sys.executable, "-I", "-S", "-B", "-X", "utf8", "-c", _START, str(report), str(_PROJECT)]


async def _followed(process: Process, told: bytes, report: int, limits: Limits) -> Ran:
    """Feed a process and read what it says until it ends, or does too much of something."""
    assert process.stdout is not None
    assert process.stderr is not None
    most = limits.output_bytes
    said = asyncio.gather(
        _all(process.stdout, most, process),
        _all(process.stderr, most, process),
        _piped(report, most, process),
        _feed(process, told),
    )
    try:
        async with asyncio.timeout(limits.wall_s):
            out, err, reported, _ = await said
            code = await process.wait()
    except TimeoutError:
        return Ran("timed_out", -signal.SIGKILL, "", f"it ran longer than {limits.wall_s} s", None, {})
    layers, result = _reported(reported)
    if code == UNCONTAINED or not layers:
        raise AgentFailed("uncontained", _why(layers, reported, err))
    outcome = "too_much_output" if max(len(out), len(err), len(reported)) > most else _outcome(code)
    return Ran(outcome, code, _text(out, most), _text(err, most), result, layers)


def _outcome(code: int) -> Outcome:
    """Say how a program ended by its exit code; 128 and more: by a signal."""
    if code == 0:
        return "ok"
    return "killed" if code < 0 or code > 128 else "failed"


def _reported(content: bytes) -> tuple[dict[str, Any], Any]:
    """Return the layers that hold, and the result; the first line was written before any code ran."""
    first, _, rest = content.partition(b"\n")
    try:
        layers: dict[str, Any] = json.loads(first)["layers"]
    except (ValueError, KeyError, TypeError):
        return {}, None
    try:
        return layers, json.loads(rest)["result"] if rest else None
    except (ValueError, KeyError, TypeError, RecursionError):
        return layers, None


def _why(layers: Mapping[str, Any], reported: bytes, err: bytes) -> str:
    """Say why code was not run."""
    if not layers:
        return f"code cannot be contained on this machine, so it was not run: {_text(err[-300:], 300).strip()}"
    try:
        refused = json.loads(reported.partition(b"\n")[0])["refused"]
    except (ValueError, KeyError):
        refused = {}
    missing = "; ".join(f"{name}: {why}" for name, why in sorted(refused.items()))
    return f"code cannot be contained on this machine, so it was not run ({missing})"


async def _feed(process: Process, told: bytes) -> None:
    """Hand a process what it is to run."""
    assert process.stdin is not None
    with suppress(ConnectionError):
        process.stdin.write(told)
        await process.stdin.drain()
    process.stdin.close()


async def _piped(report: int, most: int, process: Process) -> bytes:
    """Return what comes through a pipe."""
    stream = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(stream), os.fdopen(report, "rb")
    )
    try:
        return await _all(stream, most, process)
    finally:
        transport.close()


async def _all(stream: asyncio.StreamReader, most: int, process: Process) -> bytes:
    """Return what a stream brings; a process that writes more than `most` bytes is killed, and the rest let go."""
    content = bytearray()
    while chunk := await stream.read(65_536):  # to its end, also of one that was killed: only then is its pipe closed
        if len(content) <= most:
            content += chunk
            if len(content) > most:
                _kill(process)
    return bytes(content)


def _kill(process: Process) -> None:
    """Kill a process with all that it started: the first one's end takes the namespace with it."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _text(content: bytes, most: int) -> str:
    """Return output as text, cut to a size."""
    return content[:most].decode("utf-8", "replace")
