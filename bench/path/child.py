"""One process of the run: the product's own, built through the composition root with the ports of `smolit run`, noted.

`python -m bench.path.child NAME --instance I --notes FOLDER [--recorded FILE]`; the settings come from the environment.
"""

import argparse
import functools
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.path.note import Notebook, noted_ports
from bench.path.recorded import Recorded
from smolit.folder import choice_secret
from smolit.process import compose
from smolit.process.endpoints import locate
from smolit.process.log import Who
from smolit.process.place import Place
from smolit.process.shell import Shell, main_of
from smolit.settings import load_settings


def main(arguments: Sequence[str]) -> int:
    """Run one process until it is told to stop, and return its exit code."""
    parser = argparse.ArgumentParser(prog="bench.path.child", description=__doc__)
    parser.add_argument("name")
    parser.add_argument("--instance", default="1")
    parser.add_argument("--notes", type=Path, required=True)
    parser.add_argument("--recorded", type=Path)
    asked = parser.parse_args(arguments)
    settings = load_settings()
    endpoints = locate(settings)
    recorded = functools.partial(Recorded.load, asked.recorded) if asked.recorded else None
    ports = noted_ports(Notebook(asked.notes, asked.name, asked.instance), recorded)
    make = functools.partial(compose.build, asked.name, Place(settings, endpoints, asked.instance, ports))
    secrets = frozenset({choice_secret(settings).get_secret_value(), endpoints.postgres})
    return main_of(Shell(settings, Who(asked.name, asked.instance), make, secrets), until_eof=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
