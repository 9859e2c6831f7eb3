"""Processor time and memory of processes, from the operating system: on a shared machine the one figure that can be compared."""

from collections.abc import Iterable

import psutil

from store.postgres import Connection


def used_s(processes: Iterable[psutil.Process]) -> float:
    """Return the processor seconds of processes so far, with those of their children, ended ones too."""
    return sum(_used_s(one) for one in processes)


def rss_bytes(processes: Iterable[psutil.Process]) -> int:
    """Return the memory that processes hold themselves."""
    return sum(int(one.memory_info().rss) for one in processes)


def server_of(connection: Connection) -> list[psutil.Process]:
    """Return the Postgres that a connection leads to, if it runs on this machine."""
    return parents_of(backend.pid for backend in backend_of(connection))


def parents_of(pids: Iterable[int]) -> list[psutil.Process]:
    """Return the processes that started those with these ids, as far as they run on this machine."""
    parents = [psutil.Process(pid).parent() for pid in pids if psutil.pid_exists(pid)]
    return [parent for parent in parents if parent is not None]


def listening(port: int) -> list[psutil.Process]:
    """Return the process that listens on a port of this machine, if it is ours to see."""
    sockets = [one for one in psutil.net_connections("tcp") if one.status == psutil.CONN_LISTEN and one.pid]
    return [psutil.Process(pid) for pid in sorted({one.pid or 0 for one in sockets if one.laddr and one.laddr.port == port})]


def backend_of(connection: Connection) -> list[psutil.Process]:
    """Return the one process of Postgres that serves a connection, if it runs on this machine."""
    try:
        backend = psutil.Process(connection.info.backend_pid)
        return [backend] if "postgres" in backend.name() else []
    except psutil.NoSuchProcess:
        return []


def _used_s(process: psutil.Process) -> float:
    """Return the seconds of one process and its children; one that just ended is in its parent's count by the next look."""
    try:
        times, children = process.cpu_times(), process.children()
    except psutil.NoSuchProcess:
        return 0.0
    own = times.user + times.system + times.children_user + times.children_system
    return float(own) + sum(_used_s(child) for child in children)
