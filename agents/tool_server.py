"""A server of foreign tools, as the operator names it: a command that is started here, or an address."""

from typing import Annotated

from msgspec import Meta, Struct


class ToolServer(Struct, frozen=True, forbid_unknown_fields=True):
    """Where tools come from that speak the Model Context Protocol: a `command` with its arguments, or a `url`.

    `env` are names of environment variables that the command is given; it gets no others of ours. Whatever a server says
    of its own tools, only those in `read_only` count as changing nothing. `values` are those of `env`, put in when the
    file is read; a file holds none.
    """

    command: tuple[str, ...] = ()
    url: str | None = None
    env: tuple[str, ...] = ()
    read_only: tuple[str, ...] = ()
    values: dict[str, str] = {}
    timeout_s: Annotated[float, Meta(gt=0, le=600)] = 30.0
