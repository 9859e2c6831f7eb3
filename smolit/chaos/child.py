"""One process of the harness: the product's own, built through the composition root with watched ports.

A nursery forks it, with the arguments `NAME --instance I --plan FILE`; the settings come from the environment, as always.
"""

import argparse
import functools
import signal
from collections.abc import Sequence
from pathlib import Path

from smolit.chaos.bomb import Bomb
from smolit.chaos.bug import BUGS
from smolit.chaos.plan import NOTES, read_plan
from smolit.chaos.watched import watched_ports
from smolit.process import compose
from smolit.process.brood import Brood
from smolit.process.endpoints import locate
from smolit.process.log import Who
from smolit.process.place import Place
from smolit.process.ports import Ports
from smolit.process.shell import Shell, main_of
from smolit.settings import load_settings


def main(arguments: Sequence[str]) -> int:
    """Run one process until it is told to stop, or its fuse says so; return its exit code."""
    parser = argparse.ArgumentParser(prog="smolit.chaos.child", description=__doc__)
    parser.add_argument("name")
    parser.add_argument("--instance", default="1")
    parser.add_argument("--plan", type=Path, required=True)
    asked = parser.parse_args(arguments)
    settings = load_settings()
    ports = _ports(asked.name, asked.instance, asked.plan)
    place = Place(settings, locate(settings), asked.instance, ports)
    make = functools.partial(compose.build, asked.name, place)
    return main_of(Shell(settings, Who(asked.name, asked.instance), make), until_eof=True)


def _ports(name: str, instance: str, plan: Path) -> Ports:
    """Return watched ports, with the bug that the plan plants; from here on SIGUSR1 means: look at the plan again."""
    bomb = Bomb(plan, plan.with_name(NOTES), name, instance)
    bomb.arm()
    signal.signal(signal.SIGUSR1, lambda *_: bomb.arm())
    ports, bug = watched_ports(bomb), read_plan(plan).bug
    return BUGS[bug].bend(ports) if bug else ports


BROOD = Brood(main, compose.load, spared=(signal.SIGUSR1,))
