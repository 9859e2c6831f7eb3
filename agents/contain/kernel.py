"""System calls that Python has no name for, and what the jail does with them: namespaces, mounts, privileges."""

import contextlib
import ctypes
import os
import platform
from collections.abc import Sequence

CLONE_NEWNS, CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC = 0x00020000, 0x02000000, 0x04000000, 0x08000000
CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = 0x10000000, 0x20000000, 0x40000000
SPACES = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP
NOBODY = 65_534

_MS_RDONLY, _MS_NOSUID, _MS_NODEV, _MS_REMOUNT, _MS_BIND, _MS_REC, _MS_PRIVATE = 1, 2, 4, 32, 4096, 16384, 1 << 18
_MS_RELATIME, _ST_RELATIME, _ST_SAME = 1 << 21, 4096, 1 | 2 | 4 | 8 | 1024 | 2048  # the same numbers in both families
_MNT_DETACH = 2
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS = 1, 4, 24, 38
_SIGKILL = 9
_CAPABILITY_VERSION = 0x20080522
_CAPABILITIES = 64

_libc = ctypes.CDLL(None, use_errno=True)
_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
_CAPSET = {"x86_64": 126, "aarch64": 91}


def syscall(number: int, *arguments: object) -> int:
    """Do a system call; raises OSError."""
    result: int = _libc.syscall(ctypes.c_long(number), *arguments)
    if result < 0:
        raise _failed(f"system call {number}")
    return result


def prctl(option: int, *arguments: int) -> None:
    """Set an attribute of this process; raises OSError."""
    padded = [*arguments, 0, 0, 0, 0][:4]
    if _libc.prctl(option, *(ctypes.c_ulong(one) for one in padded)) != 0:
        raise _failed(f"prctl {option}")


def enter_spaces(network: bool = False) -> None:
    """Move into namespaces of our own: mounts, processes, network, queues, names; as root at once, else in a user namespace.

    `network`: stay in the one of the machine.

    Raises:
        OSError: this is not allowed here.
    """
    spaces = SPACES & ~CLONE_NEWNET if network else SPACES
    if os.geteuid() == 0 and _libc.unshare(spaces) == 0:
        return
    user, group = os.geteuid(), os.getegid()
    if _libc.unshare(spaces | CLONE_NEWUSER) != 0:
        raise _failed("unshare")
    _write("/proc/self/setgroups", "deny")
    _write("/proc/self/uid_map", f"{NOBODY} {user} 1")
    _write("/proc/self/gid_map", f"{NOBODY} {group} 1")


def make_root(shown: Sequence[str], given: dict[str, bytes], size_mb: int) -> None:
    """Make a root of its own for this process: folders as they are, read-only, and the given files under `/in`; no more.

    `shown` are folders, or links, of the machine. Raises OSError.
    """
    _build(shown, (), (), size_mb, 0)
    os.mkdir("in")
    for name, content in given.items():
        with open(f"in/{name}", "xb") as file:
            file.write(content)
    _move_in("/in")


def make_guest_root(shown: Sequence[str], writes: Sequence[str], devices: Sequence[str], size_mb: int) -> None:
    """Make a root of its own for a program: what is shown read-only, `writes` as they are, devices, and an empty `/tmp`.

    Raises OSError.
    """
    _build(shown, writes, devices, 1, size_mb)
    _move_in("/tmp")  # noqa: S108 its own


def _build(shown: Sequence[str], writes: Sequence[str], devices: Sequence[str], size_mb: int, home_mb: int) -> None:
    """Begin a root in memory, with folders and files of the machine in it, and room in `/tmp`; the working folder is there."""
    _mount(None, "/", None, _MS_REC | _MS_PRIVATE)
    wanted = [*shown, *writes, *devices]
    held = {path: os.open(path, os.O_PATH) for path in wanted if not os.path.islink(path)}
    flags = {path: os.statvfs(path).f_flag for path in held}
    links = {path: os.readlink(path) for path in shown if os.path.islink(path)}
    _mount("tmpfs", "/tmp", "tmpfs", _MS_NOSUID | _MS_NODEV, f"size={size_mb}m,mode=755")  # noqa: S108 where does not matter
    os.chdir("/tmp")  # noqa: S108
    if home_mb:  # before what is shown, which may lie in it
        os.mkdir("tmp")
        _mount("tmpfs", "tmp", "tmpfs", _MS_NOSUID | _MS_NODEV, f"size={home_mb}m,mode=1777")
    for path, descriptor in held.items():
        extra = 0 if path in writes else _MS_RDONLY
        _show(descriptor, f".{path}", flags[path], extra if path in devices else extra | _MS_NODEV)
    for path, target in links.items():
        os.makedirs(os.path.dirname(f".{path}"), exist_ok=True)
        os.symlink(target, f".{path}")


def _move_in(home: str) -> None:
    """Make the working folder the root, read-only, and let go of the one before."""
    syscall(_PIVOT_ROOT[platform.machine()], b".", b".")
    if _libc.umount2(b".", _MNT_DETACH) != 0:
        raise _failed("umount")
    os.chdir(home)
    _mount(None, "/", None, _MS_REMOUNT | _MS_BIND | _MS_RDONLY | _MS_NOSUID | _MS_NODEV)


def drop_privileges(user: int = NOBODY) -> None:
    """Become a user, nobody by default, without a single capability, and never gain any again; raises OSError."""
    for capability in range(_CAPABILITIES):
        with contextlib.suppress(OSError):  # beyond the last one, or not ours to drop
            prctl(_PR_CAPBSET_DROP, capability)
    if os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0)
    syscall(_CAPSET[platform.machine()], header, (ctypes.c_uint32 * 6)())
    prctl(_PR_SET_NO_NEW_PRIVS, 1)
    prctl(_PR_SET_DUMPABLE, 0)


def die_with_parent() -> None:
    """Be killed when the process that started this one ends; raises OSError."""
    prctl(_PR_SET_PDEATHSIG, _SIGKILL)


def _show(descriptor: int, place: str, flags: int, limits: int) -> None:
    """Mount a folder or a file with limits, such as read-only; in a user namespace what was locked has to be said again."""
    if os.path.isdir(f"/proc/self/fd/{descriptor}"):
        os.makedirs(place, exist_ok=True)
    else:
        os.makedirs(os.path.dirname(place), exist_ok=True)
        os.close(os.open(place, os.O_CREAT | os.O_WRONLY, 0o444))
    _mount(f"/proc/self/fd/{descriptor}", place, None, _MS_BIND | _MS_REC)
    os.close(descriptor)
    kept = (flags & _ST_SAME) | (_MS_RELATIME if flags & _ST_RELATIME else 0)
    _mount(None, place, None, _MS_REMOUNT | _MS_BIND | _MS_NOSUID | limits | kept)


def _mount(source: str | None, target: str, kind: str | None, flags: int, options: str | None = None) -> None:
    """Mount; raises OSError."""
    names = [None if one is None else one.encode() for one in (source, target, kind)]
    told = None if options is None else options.encode()
    if _libc.mount(*names, ctypes.c_ulong(flags), told) != 0:
        raise _failed(f"mount {target}")


def _write(path: str, content: str) -> None:
    """Write to a file of the kernel; raises OSError."""
    descriptor = os.open(path, os.O_WRONLY)
    try:
        os.write(descriptor, content.encode())
    finally:
        os.close(descriptor)


def _failed(what: str) -> OSError:
    """Return the error of the last call."""
    number = ctypes.get_errno()
    return OSError(number, f"{what}: {os.strerror(number)}")
