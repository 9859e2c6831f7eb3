"""Files that come with a request: checked, stored once, and named by what facts refer to them by."""

import hashlib
from collections.abc import Mapping, Sequence

from events.media import HEAD_BYTES, misfit
from events.request import GivenFile
from events.task import FileRef
from events.text import quoted
from store import blob
from store.blob import Brought
from store.postgres import Connection
from streams.admission import Refused


async def take_in(connection: Connection, tenant: str, files: Sequence[GivenFile], limit_bytes: int) -> tuple[FileRef, ...]:
    """Store what a request holds, look up what it names, and return both as facts hold them.

    Raises:
        Refused: a file is too large, not what it is said to be, or not there; nothing is stored then.
    """
    named = [file.sha256 for file in files if file.sha256 is not None and file.content is None]
    there = await blob.brought(connection, tenant, named, HEAD_BYTES) if named else {}
    refs = refs_of(files, there, limit_bytes)
    for file in files:
        if file.content is not None:
            await blob.bring(connection, tenant, file.content)
    return refs


def refs_of(files: Sequence[GivenFile], there: Mapping[str, Brought], limit_bytes: int) -> tuple[FileRef, ...]:
    """Return files as facts hold them; `there` are those in the blob store, by sha256.

    Raises:
        Refused: one is too large, not what it is said to be, or not there, or two have one name; the message names the field.
    """
    names = [file.name for file in files]
    if twin := next((number for number, name in enumerate(names) if name in names[:number]), None):
        raise Refused("file_twice", f"files[{twin}].name: two files are called {quoted(names[twin])}")
    return tuple(_ref(f"files[{number}]", file, there, limit_bytes) for number, file in enumerate(files))


def _ref(field: str, file: GivenFile, there: Mapping[str, Brought], limit_bytes: int) -> FileRef:
    """Return one file as facts hold it."""
    sha256, found = _found(field, file, there)
    if found.size > limit_bytes:
        raise Refused("file_too_large", f"{field}: {quoted(file.name)} has {found.size} bytes; {limit_bytes} are allowed")
    if why := misfit(file.media_type, found.head):
        raise Refused("file_not_what_it_says", f"{field}.media_type: {quoted(file.name)} {why}")
    return FileRef(file.name, file.media_type, sha256, found.size)


def _found(field: str, file: GivenFile, there: Mapping[str, Brought]) -> tuple[str, Brought]:
    """Return a file's digest, its size and its first bytes."""
    if file.content is not None:
        digest = hashlib.sha256(file.content).hexdigest()
        if file.sha256 not in (None, digest):
            raise Refused("file_damaged", f"{field}.sha256: the content's digest is {digest}")
        return digest, Brought(len(file.content), file.content[:HEAD_BYTES])
    if file.sha256 is None:
        raise Refused("file_missing", f"{field}.content: {quoted(file.name)} has neither content nor a sha256")
    if file.sha256 not in there:
        raise Refused("file_missing", f"{field}.sha256: the tenant brought no such file; `smolit blob put` stores one")
    return file.sha256, there[file.sha256]
