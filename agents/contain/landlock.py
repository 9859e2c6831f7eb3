"""Landlock: from here on this process reads beneath some folders, and does nothing else to files, ports or processes.

Source: the kernel's Documentation/userspace-api/landlock.rst; its numbers are those of include/uapi/linux/landlock.h.
"""

import ctypes
import os
import struct
from collections.abc import Sequence

from agents.contain.kernel import prctl, syscall

_CREATE, _ADD, _RESTRICT = 444, 445, 446  # the same on every architecture
_VERSION, _BENEATH = 1, 1
_READ = 1 << 2 | 1 << 3  # files and folders
_START = 1 << 0
_OF_A_FILE = 1 << 1 | 1 << 2  # writing and reading
_CONNECT_AND_BIND = 3
_PR_SET_NO_NEW_PRIVS = 38
LEAST = 3  # before it, truncating a file could not be forbidden


def version() -> int:
    """Return the version of Landlock that this kernel speaks; 0: none."""
    try:
        return syscall(_CREATE, None, ctypes.c_size_t(0), ctypes.c_uint32(_VERSION))
    except OSError:
        return 0


def lock(
    readable: Sequence[str], writable: Sequence[str] = (), devices: Sequence[str] | None = None, network: bool = False
) -> int:
    """Leave this process nothing but reading beneath these folders; return the version.

    With `devices` it may start the programs that it can read, too, use those files, and do as it likes beneath `writable`.

    Raises:
        OSError: the kernel has none, or one that is too old.
    """
    spoken = version()
    if spoken < LEAST:
        raise OSError(f"Landlock {spoken} is older than {LEAST}")
    ports = 0 if network or spoken < 4 else _CONNECT_AND_BIND
    ruleset = struct.pack("=QQQ", _everything(spoken), ports, 3 if spoken >= 6 else 0)
    used = ruleset[: 8 if spoken < 4 else 16 if spoken < 6 else 24]
    descriptor = syscall(_CREATE, used, ctypes.c_size_t(len(used)), ctypes.c_uint32(0))
    for path in readable:
        start = 0 if devices is None else _START
        _allow(descriptor, path, (_READ | start) if os.path.isdir(path) else (1 << 2 | start))
    for path in writable:
        _allow(descriptor, path, _everything(spoken))
    for path in devices or ():
        _allow(descriptor, path, _OF_A_FILE)
    prctl(_PR_SET_NO_NEW_PRIVS, 1)
    syscall(_RESTRICT, ctypes.c_int(descriptor), ctypes.c_uint32(0))
    os.close(descriptor)
    return spoken


def _everything(spoken: int) -> int:
    """Return every right over files that this version can take away."""
    return (1 << (16 if spoken >= 5 else 15)) - 1


def _allow(ruleset: int, path: str, rights: int) -> None:
    """Allow something beneath a folder, or with a file."""
    folder = os.open(path, os.O_PATH)
    rule = struct.pack("=Qi", rights, folder)
    syscall(_ADD, ctypes.c_int(ruleset), ctypes.c_int(_BENEATH), rule, ctypes.c_uint32(0))
    os.close(folder)
