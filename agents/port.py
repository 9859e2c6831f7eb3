"""Ports: what agents ask of the house, so that a pipeline knows neither Postgres nor Kafka."""

from typing import Protocol

from agents.errors import AgentFailed


class Blobs(Protocol):
    """Bytes by their sha256: files that came with a task, and what an agent leaves for others."""

    async def get(self, sha256: str) -> bytes:
        """Return what is stored under this digest.

        Raises:
            AgentFailed: nothing is.
        """
        ...

    async def put(self, content: bytes) -> str:
        """Store content, once; return its sha256."""
        ...


class NoBlobs:
    """Holds nothing: for pipelines that work without a house around them."""

    async def get(self, sha256: str) -> bytes:
        """Refuse."""
        raise AgentFailed("file_missing", f"nothing is stored under sha256 {sha256}")

    async def put(self, content: bytes) -> str:
        """Refuse."""
        raise AgentFailed("nowhere_to_store", f"{len(content)} bytes have no place here")


NO_BLOBS = NoBlobs()
