"""A command of smolit with the network cut: `python -m tests.cut NOTE PORTS WORDS...` runs it with these local ports alone.

Every connection and every look-up of a name passes Python's audit hook (PEP 578); one that is not to this machine and one of
the ports is refused, and noted in the file. Postgres' own library does not pass it; it is given one address, this machine's.
"""

import os
import sys
from pathlib import Path
from typing import Any

_LOCAL = frozenset({"127.0.0.1", "::1", "localhost", None, ""})


def cut(note: Path, ports: frozenset[int]) -> None:
    """Refuse what goes out, from now on and for good."""

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "socket.connect" and not _allowed(arguments[1], ports):
            _refuse(note, f"connect {arguments[1]!r}")
        if event in ("socket.getaddrinfo", "socket.gethostbyname") and _text(arguments[0]) not in _LOCAL:
            _refuse(note, f"look up {arguments[0]!r}")
        if event == "socket.sendto" and not _allowed(arguments[1], ports):
            _refuse(note, f"send to {arguments[1]!r}")

    sys.addaudithook(hook)


def _allowed(address: Any, ports: frozenset[int]) -> bool:
    """Say whether an address is one of ours: a socket in a file, or a port of this machine."""
    if not isinstance(address, tuple):
        return True  # a Unix socket
    return _text(address[0]) in _LOCAL and address[1] in ports


def _text(name: Any) -> Any:
    return name.decode() if isinstance(name, bytes) else name


def _refuse(note: Path, what: str) -> None:
    """Write down what was tried; opening by number keeps the hook out of its own way."""
    number = os.open(note, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.write(number, f"{what}\n".encode())
    os.close(number)
    raise PermissionError(f"the network is cut: {what}")


def main() -> None:
    """Cut the network, then run the command."""
    note, ports, *words = sys.argv[1:]
    cut(Path(note), frozenset(map(int, ports.split(","))))
    from smolit.cli import app

    sys.exit(app.run(words))


if __name__ == "__main__":
    main()
