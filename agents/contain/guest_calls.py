"""Seccomp for programs of others: what computing takes, processes, programs and files of their own, and talk among themselves.

Other than the list for code (`seccomp.py`) it lets them start programs and write where they may. Sockets are local ones, and
those of the internet where the plan says so. No namespaces, mounts, ptrace, keys, bpf, io_uring, modules or clocks.
"""

from agents.contain.seccomp import (
    ALLOW,
    CLONE,
    FCNTL,
    IOCTL,
    IOCTLS,
    JEQ,
    JSET,
    KILLS,
    MACHINES,
    PRCTL,
    PRLIMIT,
    REFUSE,
    RET,
    SECOND,
    Rule,
    begun,
    one_of,
    plain,
    put_on,
    when,
)

_UNIX, _INTERNET, _INTERNET_6, _NETLINK = 1, 2, 10, 16
_NEW_SPACES = 0x7E020080  # every CLONE_NEW flag
_SOCKET = {"x86_64": 41, "aarch64": 198}
_SOCKETPAIR = {"x86_64": 53, "aarch64": 199}
_MORE_IOCTLS = (0x5421, 0x541A, 0x5414, 0x540F, 0x5410)  # not to wait, sizes and groups of terminals
_FCNTLS = (0, 1, 2, 3, 4, 5, 6, 7, 36, 37, 38, 1030, 1031, 1032)  # duplicates, flags, locks, sizes of pipes
_PRCTLS = (1, 2, 3, 4, 15, 16, 38, 39)  # death of the parent, dumps, names, no new privileges
_MORE: dict[str, tuple[int | None, int | None]] = {
    "execve": (59, 221), "execveat": (322, 281), "fork": (57, None), "vfork": (58, None), "arch_prctl": (158, None),
    "bind": (49, 200), "connect": (42, 203), "accept": (43, 202), "accept4": (288, 242), "listen": (50, 201),
    "getsockname": (51, 204), "getpeername": (52, 205), "sendto": (44, 206), "recvfrom": (45, 207), "sendmsg": (46, 211),
    "recvmsg": (47, 212), "shutdown": (48, 210), "setsockopt": (54, 208), "getsockopt": (55, 209), "sendmmsg": (307, 269),
    "recvmmsg": (299, 243), "epoll_create": (213, None), "epoll_pwait2": (441, 441), "eventfd": (284, None),
    "timerfd_create": (283, 85), "timerfd_settime": (286, 86), "timerfd_gettime": (287, 87), "signalfd4": (289, 74),
    "inotify_init1": (294, 26), "inotify_add_watch": (254, 27), "inotify_rm_watch": (255, 28), "ftruncate": (77, 46),
    "truncate": (76, 45), "fsync": (74, 82), "fdatasync": (75, 83), "flock": (73, 32), "rename": (82, None),
    "renameat": (264, 38), "renameat2": (316, 276), "mkdir": (83, None), "mkdirat": (258, 34), "rmdir": (84, None),
    "unlink": (87, None), "unlinkat": (263, 35), "link": (86, None), "linkat": (265, 37), "symlink": (88, None),
    "symlinkat": (266, 36), "chmod": (90, None), "fchmod": (91, 52), "fchmodat": (268, 53), "utimensat": (280, 88),
    "pwrite64": (18, 68), "pwritev": (296, 70), "sendfile": (40, 71), "copy_file_range": (326, 285), "fallocate": (285, 47),
    "fadvise64": (221, 223), "setpgid": (109, 154), "setsid": (112, 157), "membarrier": (324, 283), "mincore": (27, 232),
    "sched_setaffinity": (203, 122), "sched_getparam": (143, 121), "sched_getscheduler": (145, 120), "setrlimit": (160, 164),
    "creat": (85, None), "tkill": (200, 130), "capget": (125, 90),
}  # fmt: skip


def program(machine: str, network: bool) -> list[Rule]:
    """Return the filter, as instructions of the kernel's packet filter; raises KeyError for an unknown architecture."""
    column = list(MACHINES).index(machine)
    numbers = [pair[column] for pair in _MORE.values()]
    families = (_UNIX, _INTERNET, _INTERNET_6, _NETLINK) if network else (_UNIX,)
    rules = [*begun(machine), *plain(machine)]
    for number in (*numbers, *KILLS[machine], PRLIMIT[machine]):  # of processes there are only its own to name
        rules += [] if number is None else [(JEQ, 0, 1, number), (RET, 0, 0, ALLOW)]
    rules += when(CLONE[machine], [(JSET, 1, 0, _NEW_SPACES), (RET, 0, 0, ALLOW)])
    rules += when(_SOCKET[machine], one_of(families))
    rules += when(_SOCKETPAIR[machine], one_of((_UNIX,)))
    rules += when(PRCTL[machine], one_of(_PRCTLS))
    rules += when(IOCTL[machine], one_of((*IOCTLS, *_MORE_IOCTLS)), SECOND)
    rules += when(FCNTL[machine], one_of(_FCNTLS), SECOND)
    return [*rules, (RET, 0, 0, REFUSE)]


def lock(machine: str, network: bool) -> None:
    """Put the filter on this process for good, and on all that it starts; raises OSError or KeyError."""
    put_on(program(machine, network))
