"""A server of foreign tools, as the operator names it: a command that is started here, or an address."""

from typing import Annotated

from msgspec import Meta, Struct


class ToolServer(Struct, frozen=True, forbid_unknown_fields=True):
    """Where tools come from that speak the Model Context Protocol: a `command` with its arguments, or a `url`.

    `env` are names of environment variables that the command is given; it gets no others of ours. Whatever a server says
    of its own tools, only those in `read_only` count as changing nothing. `values` are those of `env`, put in when the
    file is read; a file holds none.

    A command runs contained (`agents/contain/plan.py`) unless `contain` is false: it sees its own installation, the system's
    libraries and `folders` (read-only), writes to `writes`, and has no network unless `network` says so. Each of its
    processes has `memory_mb` of data and `cpu_s` of processor time; it may say `output_mb` in all.

    `pins` are digests of tools, as somebody looked at them (`smolit tool pin`): with any, only tools that are still so are
    offered.
    """

    command: tuple[str, ...] = ()
    url: str | None = None
    env: tuple[str, ...] = ()
    read_only: tuple[str, ...] = ()
    values: dict[str, str] = {}
    folders: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    network: bool = False
    contain: bool = True
    memory_mb: Annotated[int, Meta(ge=16, le=65_536)] = 512
    cpu_s: Annotated[int, Meta(ge=1, le=86_400)] = 60
    processes: Annotated[int, Meta(ge=1, le=1_000)] = 32
    files_mb: Annotated[int, Meta(ge=1, le=4_096)] = 64
    output_mb: Annotated[int, Meta(ge=1, le=1_024)] = 16
    pins: dict[str, str] = {}
    timeout_s: Annotated[float, Meta(gt=0, le=600)] = 30.0
