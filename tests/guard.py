"""Stop and wipe a test run's local stack when the run ends, however it ends: its end of our pipe is closed then."""

import sys
from pathlib import Path

from smolit.settings import load_settings
from smolit.stack import local


def main() -> None:
    """Wait for the end of the pipe, then clear away."""
    settings = load_settings(data_dir=Path(sys.argv[1]))
    sys.stdin.read()
    local.down(settings, wipe=True)


if __name__ == "__main__":
    main()
