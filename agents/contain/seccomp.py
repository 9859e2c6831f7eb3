"""Seccomp: a filter, written by hand, that lets through the system calls that computing takes, and no others.

No sockets, no new processes or programs, no ptrace, mounts, keys, bpf, io_uring, memory outside of the limit. Threads may
start; signals go to this process only. Whatever is refused fails with EPERM, so that Python says it as an exception.
Source: the kernel's Documentation/userspace-api/seccomp_filter.rst; numbers of include/uapi/linux/{filter,seccomp,audit}.h.
"""

import ctypes
import os
import platform
import struct

from agents.contain.kernel import prctl

_LD, JEQ, _JGE, JSET, RET = 0x20, 0x15, 0x35, 0x45, 0x06
ALLOW, REFUSE, _UNKNOWN, _KILL = 0x7FFF0000, 0x00050001, 0x00050026, 0x80000000  # EPERM, ENOSYS
_NUMBER, _MACHINE, FIRST, SECOND = 0, 4, 16, 24  # where they stand in struct seccomp_data; lower halves of arguments
_X32 = 0x40000000
_CLONE_THREAD = 0x00010000
_PR_SET_SECCOMP, _MODE_FILTER, _PR_SET_NAME = 22, 2, 15
IOCTLS = (0x5401, 0x5413, 0x541B, 0x5450, 0x5451)  # what a file or terminal is, bytes to read, close-on-exec
_FCNTLS = (0, 1, 2, 3, 4, 1030)  # duplicate, flags; no owners, no pipe sizes

MACHINES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
# name -> (x86_64, aarch64); None: the architecture has no such call.
_PLAIN: dict[str, tuple[int | None, int | None]] = {
    "read": (0, 63), "write": (1, 64), "open": (2, None), "close": (3, 57), "stat": (4, None), "fstat": (5, 80),
    "lstat": (6, None), "poll": (7, None), "lseek": (8, 62), "mmap": (9, 222), "mprotect": (10, 226), "munmap": (11, 215),
    "brk": (12, 214), "rt_sigaction": (13, 134), "rt_sigprocmask": (14, 135), "rt_sigreturn": (15, 139), "pread64": (17, 67),
    "readv": (19, 65), "writev": (20, 66), "access": (21, None), "pipe": (22, None), "select": (23, None),
    "sched_yield": (24, 124), "mremap": (25, 216), "madvise": (28, 233), "dup": (32, 23), "dup2": (33, None),
    "pause": (34, None), "nanosleep": (35, 101), "getitimer": (36, 102), "alarm": (37, None), "setitimer": (38, 103),
    "getpid": (39, 172), "exit": (60, 93), "wait4": (61, 260), "uname": (63, 160), "getdents": (78, None), "getcwd": (79, 17),
    "chdir": (80, 49), "fchdir": (81, 50), "readlink": (89, None), "umask": (95, 166), "gettimeofday": (96, 169),
    "getrlimit": (97, 163), "getrusage": (98, 165), "sysinfo": (99, 179), "times": (100, 153), "getuid": (102, 174),
    "getgid": (104, 176), "geteuid": (107, 175), "getegid": (108, 177), "getppid": (110, 173), "getpgrp": (111, None),
    "getgroups": (115, 158), "getresuid": (118, 148), "getresgid": (120, 150), "getpgid": (121, 155), "getsid": (124, 156),
    "rt_sigpending": (127, 136), "rt_sigtimedwait": (128, 137), "rt_sigsuspend": (130, 133), "sigaltstack": (131, 132),
    "statfs": (137, 43), "fstatfs": (138, 44), "getpriority": (140, 141), "gettid": (186, 178), "time": (201, None),
    "futex": (202, 98), "sched_getaffinity": (204, 123), "getdents64": (217, 61), "set_tid_address": (218, 96),
    "restart_syscall": (219, 128), "clock_gettime": (228, 113), "clock_getres": (229, 114), "clock_nanosleep": (230, 115),
    "exit_group": (231, 94), "epoll_wait": (232, None), "epoll_ctl": (233, 21), "waitid": (247, 95), "openat": (257, 56),
    "newfstatat": (262, 79), "readlinkat": (267, 78), "faccessat": (269, 48), "pselect6": (270, 72), "ppoll": (271, 73),
    "set_robust_list": (273, 99), "get_robust_list": (274, 100), "epoll_pwait": (281, 22), "eventfd2": (290, 19),
    "epoll_create1": (291, 20), "dup3": (292, 24), "pipe2": (293, 59), "preadv": (295, 69), "getcpu": (309, 168),
    "getrandom": (318, 278), "statx": (332, 291), "rseq": (334, 293), "close_range": (436, 436), "faccessat2": (439, 439),
}  # fmt: skip
CLONE, CLONE3 = {"x86_64": 56, "aarch64": 220}, 435
KILLS = {"x86_64": (62, 234), "aarch64": (129, 131)}  # kill, tgkill
IOCTL, FCNTL = {"x86_64": 16, "aarch64": 29}, {"x86_64": 72, "aarch64": 25}
PRCTL, PRLIMIT = {"x86_64": 157, "aarch64": 167}, {"x86_64": 302, "aarch64": 261}

Rule = tuple[int, int, int, int]  # code, jump if true, jump if false, operand


def program(machine: str, pid: int) -> list[Rule]:
    """Return the filter for a process of this number, as instructions of the kernel's packet filter.

    Raises:
        KeyError: the architecture is not known.
    """
    rules = [*begun(machine), *plain(machine)]
    rules += when(CLONE[machine], [(JSET, 0, 1, _CLONE_THREAD), (RET, 0, 0, ALLOW)])
    for number in KILLS[machine]:
        rules += when(number, one_of((pid,)))
    rules += when(PRLIMIT[machine], one_of((0, pid)))
    rules += when(PRCTL[machine], one_of((_PR_SET_NAME,)))
    rules += when(IOCTL[machine], one_of(IOCTLS), SECOND)
    rules += when(FCNTL[machine], one_of(_FCNTLS), SECOND)
    return [*rules, (RET, 0, 0, REFUSE)]


def lock(machine: str = "", pid: int = 0) -> None:
    """Put the filter on this process for good; it must not be able to gain privileges any more.

    Raises:
        OSError: the kernel has no seccomp.
        KeyError: the architecture is not known.
    """
    put_on(program(machine or platform.machine(), pid or os.getpid()))


def begun(machine: str) -> list[Rule]:
    """Return how every filter begins: calls of another architecture kill; raises KeyError for one that is not known."""
    rules: list[Rule] = [(_LD, 0, 0, _MACHINE), (JEQ, 1, 0, MACHINES[machine]), (RET, 0, 0, _KILL), (_LD, 0, 0, _NUMBER)]
    rules += [(_JGE, 0, 1, _X32), (RET, 0, 0, _KILL)]
    return [*rules, (JEQ, 0, 1, CLONE3), (RET, 0, 0, _UNKNOWN)]  # its flags lie in memory; the C library asks clone instead


def plain(machine: str) -> list[Rule]:
    """Return the rules for what computing takes."""
    column = list(MACHINES).index(machine)
    numbers = [pair[column] for pair in _PLAIN.values()]
    return [rule for number in numbers if number is not None for rule in ((JEQ, 0, 1, number), (RET, 0, 0, ALLOW))]


def put_on(rules: list[Rule]) -> None:
    """Put a filter on this process; raises OSError."""
    code = b"".join(struct.pack("=HBBI", *rule) for rule in rules)
    memory = ctypes.create_string_buffer(code, len(code))
    header = struct.pack("=H6xQ", len(rules), ctypes.addressof(memory))
    filtered = ctypes.create_string_buffer(header, len(header))
    prctl(_PR_SET_SECCOMP, _MODE_FILTER, ctypes.addressof(filtered))


def when(number: int, then: list[Rule], argument: int = FIRST) -> list[Rule]:
    """Return the rules for a call that is allowed for some values of an argument, and refused for all others."""
    body = [(_LD, 0, 0, argument), *then, (RET, 0, 0, REFUSE)]
    return [(JEQ, 0, len(body), number), *body]


def one_of(values: tuple[int, ...]) -> list[Rule]:
    """Return rules that allow a call when what was loaded is one of these values."""
    return [rule for value in values for rule in ((JEQ, 0, 1, value), (RET, 0, 0, ALLOW))]
