"""Planted bugs: what the harness must be able to catch, each put into one process by wrapping its ports.

The product has no branch that knows of them.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import NamedTuple

from smolit.chaos import buggy
from smolit.chaos.plan import Fuse
from smolit.chaos.script import MAIL, SHARES, TEAM
from smolit.process.ports import Ports


class Bug(NamedTuple):
    """One planted bug: the process that has it, how its ports are bent, and the kill that brings it out.

    `shares` are the kinds of tasks that flow meanwhile.
    """

    name: str
    says: str
    process: str
    bend: Callable[[Ports], Ports]
    victim: str
    fuse: Fuse
    shares: Mapping[str, int] = SHARES


def _acked_early(ports: Ports) -> Ports:
    return replace(ports, processor=lambda processor: buggy.AcksFirst(ports.processor(processor)))


def _ledger_forgotten(ports: Ports) -> Ports:
    return replace(ports, connect=buggy.forgetful(ports.connect))


def _blind(ports: Ports) -> Ports:
    return replace(ports, fold=buggy.BlindFold, connect=buggy.without_inbox(ports.connect))


def _position_first(ports: Ports) -> Ports:
    return replace(ports, fold=buggy.HastyFold)


def _dropped(ports: Ports) -> Ports:
    return replace(ports, reader=buggy.Dropping)


def _now(ports: Ports) -> Ports:
    return replace(ports, reader=buggy.Restamping)


def _folded_twice(ports: Ports) -> Ports:
    return replace(ports, reader=buggy.Doubling)


def _swapped(ports: Ports) -> Ports:
    return replace(ports, publisher=buggy.bent(ports.publisher, buggy.swapped))


def _repeated(ports: Ports) -> Ports:
    return replace(ports, publisher=buggy.bent(ports.publisher, buggy.repeated))


def _asked_again(ports: Ports) -> Ports:
    return replace(ports, connect=buggy.asking_again(ports.connect))


def _marked_early(ports: Ports) -> Ports:
    return replace(ports, publisher=buggy.belated(ports.publisher))


_TURN, _MARK = Fuse("commit.after"), Fuse("mark.after")
_LIST = (
    Bug(
        "ack_before_commit",
        "intake acknowledges a request before its facts are in the log",
        "intake",
        _acked_early,
        "intake",
        Fuse("claim.before"),
    ),
    Bug(
        "effect_outside_ledger",
        "a worker's ledger is lost with the worker",
        "worker",
        _ledger_forgotten,
        "worker",
        Fuse("call.after"),
        MappingProxyType({MAIL: 1}),
    ),
    Bug(
        "blind_offset",
        "the projections move their position without looking, and have no inbox",
        "projections",
        _blind,
        "relay",
        Fuse("mark.before"),
    ),
    Bug(
        "position_before_rows",
        "dispatch commits its position before its rows",
        "dispatch",
        _position_first,
        "dispatch",
        Fuse("commit.before"),
    ),
    Bug("dropped_event", "the projections lose one record in fifty", "projections", _dropped, "projections", _TURN),
    Bug("swapped_events", "the relay publishes two records of one key the wrong way round", "relay", _swapped, "relay", _MARK),
    Bug("repeated_event", "the relay publishes the end of an attempt again under a new id", "relay", _repeated, "relay", _MARK),
    Bug(
        "now_in_projection",
        "the projections end a task by their own clock",
        "projections",
        _now,
        "projections",
        _TURN,
    ),
    Bug("example_folded_twice", "intake learns an example twice", "intake", _folded_twice, "intake", Fuse("ack.after")),
    Bug(
        "marked_before_ack",
        "the relay marks rows before the broker has acknowledged them",
        "relay",
        _marked_early,
        "relay",
        Fuse("mark.after"),
    ),
    Bug(
        "step_started_twice",
        "a supervisor that starts again asks anew for what it had asked for, under new ids",
        "dispatch",
        _asked_again,
        "dispatch",
        Fuse("plan.after"),
        MappingProxyType({TEAM: 1}),
    ),
)
BUGS: Mapping[str, Bug] = MappingProxyType({bug.name: bug for bug in _LIST})
