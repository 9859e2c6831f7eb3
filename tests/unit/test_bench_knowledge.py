"""What the processors worked for a question is told where the server process can be seen, and nowhere else."""

import os
from types import SimpleNamespace
from typing import Any

import pytest

from bench.knowledge.speed import cpu_ms


def connection(host: str) -> Any:
    """Return what tells of a server: where it is, and the process that serves; here it is this one."""
    return SimpleNamespace(info=SimpleNamespace(host=host, backend_pid=os.getpid()))


def test_work_is_counted_and_waiting_is_not() -> None:
    """Here client and server are one process, so its work counts twice."""
    began = cpu_ms(connection("127.0.0.1"))
    if began is None:
        pytest.skip("this system does not tell what a process worked")
    total = sum(number * number for number in range(300_000))
    worked = (cpu_ms(connection("127.0.0.1")) or 0.0) - began

    assert total > 0
    assert worked > 1.0


def test_a_process_of_another_machine_is_not_looked_for_here() -> None:
    """Its number may be that of somebody else's here."""
    assert cpu_ms(connection("db.example")) is None
