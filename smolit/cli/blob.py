"""`smolit blob`: files that are larger than a request may hold, stored so that requests can name them."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from events.topics import DEFAULT_TENANT
from smolit.cli import attach, out
from smolit.cli.desk import Desk, open_desk
from smolit.cli.option import Json, Tenant
from smolit.errors import UsageInvalid
from store import blob


def put(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="File to store.")],
    tenant: Tenant = DEFAULT_TENANT,
    as_json: Json = False,
) -> None:
    """Store a file and print its sha256, which requests of its tenant may name (`task submit --stored NAME=SHA256`)."""
    desk = open_desk()
    if tenant not in desk.settings.tenants:
        raise UsageInvalid(f"there is no tenant {tenant!r}; there are {', '.join(desk.settings.tenants)} (SMOLIT_TENANTS)")
    content = attach.content_of(path)
    if len(content) > desk.settings.file_limit_bytes:
        raise UsageInvalid(
            f"{path} has {len(content)} bytes, and {desk.settings.file_limit_bytes} are allowed (SMOLIT_FILE_LIMIT_BYTES)"
        )
    sha256 = asyncio.run(_bring(desk, tenant, content))
    if as_json:
        out.json({"name": path.name, "sha256": sha256, "size": len(content)})
    else:
        out.line(sha256)


async def _bring(desk: Desk, tenant: str, content: bytes) -> str:
    async with desk.reading() as connection, connection.transaction():
        return await blob.bring(connection, tenant, content)
