"""One process of smolit: started by hand (`smolit run NAME`), or forked by the runner's nursery."""

import functools
from collections.abc import Sequence

from smolit.folder import choice_secret, llm_key
from smolit.process import compose
from smolit.process.brood import Brood
from smolit.process.endpoints import locate
from smolit.process.log import Who
from smolit.process.place import Place
from smolit.process.shell import Shell, main_of
from smolit.process.told import told_ports
from smolit.settings import Settings, load_settings


def run(settings: Settings, name: str, instance: str, until_eof: bool, pool: str = "") -> int:
    """Run one process until it is told to stop; return its exit code. `until_eof`: see `main_of`."""
    endpoints = locate(settings)
    place = Place(settings, endpoints, instance, told_ports(), pool)
    secrets = frozenset({choice_secret(settings).get_secret_value(), llm_key(settings).get_secret_value(), endpoints.postgres})
    make = functools.partial(compose.build, name, place)
    return main_of(Shell(settings, Who(name, instance), make, secrets), until_eof)


def main(arguments: Sequence[str]) -> int:
    """Be the process that the runner wants: its name, its instance, and its pool."""
    name, instance, pool = arguments
    return run(load_settings(), name, instance, until_eof=True, pool=pool)


BROOD = Brood(main, compose.load)
