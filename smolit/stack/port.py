"""Loopback ports for the local servers."""

import random
import socket
from collections.abc import Iterator

HOST = "127.0.0.1"
_PROBE_S = 1.0
# Below Linux' ephemeral range (32768 and up): a client that reconnects to a dead server there
# may be given that very port as its own, connect to itself, and keep the server from coming back.
_FREE_RANGE = range(20_000, 32_000)


def is_free(port: int) -> bool:
    """Return whether a server could listen on the port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do: a port in TIME_WAIT is free
        try:
            probe.bind((HOST, port))
            probe.listen(1)
        except OSError:
            return False
        return True


def is_open(port: int) -> bool:
    """Return whether something listens on the port."""
    with socket.socket() as probe:
        probe.settimeout(_PROBE_S)
        return probe.connect_ex((HOST, port)) == 0


def choose_ports(wanted: tuple[int, ...], kept: tuple[int, ...], draw: random.Random) -> tuple[int, ...]:
    """Return one free port for each wanted one: the port kept from last time, else the wanted one, else any.

    A 0 stands for no kept port, or for no wish.
    """
    chosen: tuple[int, ...] = ()
    for wish, last in zip(wanted, kept, strict=True):
        free = (port for port in _candidates(wish, last, draw) if port not in chosen and is_free(port))
        chosen = (*chosen, next(free))
    return chosen


def _candidates(wish: int, last: int, draw: random.Random) -> Iterator[int]:
    """Yield the ports to try, in order of preference."""
    yield from (port for port in (last, wish) if port)
    while True:
        yield draw.choice(_FREE_RANGE)
