"""Processor time: of each process that takes part, and of the machine that they share with others."""

import os
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress

import psutil
from msgspec import Struct

CORES = 2


class Used(Struct, frozen=True):
    """Processor seconds up to one moment: by process, and of all that ran on our cores."""

    at: float
    by: dict[str, float]
    machine: float

    @property
    def total(self) -> float:
        """Return the seconds of all processes that take part."""
        return sum(self.by.values())


class Spent(Struct, frozen=True):
    """Processor seconds between two moments; `others_cores` is how many cores others kept busy meanwhile, on average."""

    seconds: float
    by: dict[str, float]
    others_cores: float

    @property
    def total(self) -> float:
        """Return the seconds of all processes that take part."""
        return sum(self.by.values())


def pin() -> list[int]:
    """Keep this process, and all that it will start, on two cores, and return which; where no system call does that, on all."""
    if not hasattr(os, "sched_setaffinity"):
        return list(range(psutil.cpu_count() or 1))
    mine = sorted(os.sched_getaffinity(0))[:CORES]
    os.sched_setaffinity(0, mine)
    return mine


def used(pids: Mapping[str, Sequence[int]], cores: Sequence[int]) -> Used:
    """Return what was used up to now by groups of processes, their children included, those that have ended as well."""
    by = {name: sum(_seconds(pid) for pid in group) for name, group in pids.items()}
    return Used(time.monotonic(), by, _machine(cores))


def spent(before: Used, after: Used) -> Spent:
    """Return what was used between two moments."""
    seconds = after.at - before.at
    by = {name: after.by[name] - before.by[name] for name in after.by}
    return Spent(seconds, by, max(0.0, (after.machine - before.machine - sum(by.values())) / seconds))


def thread_seconds(pid: int, thread: int) -> float:
    """Return what one thread used up to now; 0 where the system does not tell."""
    found = [one for one in psutil.Process(pid).threads() if one.id == thread]
    return sum(one.user_time + one.system_time for one in found)


def _seconds(pid: int) -> float:
    """Return the processor seconds of a process and of all that it has started, and waited for."""
    first = psutil.Process(pid)
    return sum(_own(one) for one in (first, *_children(first)))


def _children(first: psutil.Process) -> list[psutil.Process]:
    """Return all that a process has started; not of ourselves, whose children stand in lines of their own."""
    return [] if first.pid == os.getpid() else first.children(recursive=True)


def _own(process: psutil.Process) -> float:
    """Return what a process used, and those of its children that have ended (Postgres starts one per connection)."""
    with suppress(psutil.NoSuchProcess):
        times = process.cpu_times()
        ended = 0.0 if process.pid == os.getpid() else times.children_user + times.children_system
        return float(times.user + times.system + ended)
    return 0.0


def _machine(cores: Sequence[int]) -> float:
    """Return the seconds for which our cores did anything."""
    each = psutil.cpu_times(percpu=True)
    return sum(_busy(each[core]) for core in cores if core < len(each))


def _busy(times: object) -> float:
    """Return all but idle time; systems differ in what they count."""
    names = ("user", "nice", "system", "irq", "softirq", "steal")
    return float(sum(getattr(times, name, 0.0) for name in names))
