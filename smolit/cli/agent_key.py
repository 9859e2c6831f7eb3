"""`smolit agent key`: with which keys workers elsewhere sign, who they are, and with which one the house signs commands."""

import base64
import os
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from agents.signature import Key
from events.conversation import Scope, key_bytes, key_name, revoke_bytes
from events.request import RegisterKey, RevokeKey
from events.topics import DEFAULT_TENANT
from events.vouched import HOUSE, OPERATOR, WORKER, WORKS
from smolit.cli import out
from smolit.cli.desk import Desk, ask_for, open_desk, read
from smolit.cli.option import DryRun, Json, Tenant
from smolit.cli.task_change import Reason
from smolit.errors import UsageInvalid
from smolit.process.keys import keyring
from smolit.settings import load_settings
from store import sender_key
from store.sender_key import KeyRow

Who = Annotated[
    str,
    typer.Argument(
        metavar="SOURCE#WORKER", help="Worker, as `ce_source` and `worker` of what it says; SOURCE alone: all that have no key."
    ),
]
KeyName = Annotated[str, typer.Argument(metavar="KEY_ID", help="Id of the key, as in `smolit agent keys`.")]
Public = Annotated[str, typer.Option("--public", metavar="KEY", help="Ed25519 public key, base64, of a pair made elsewhere.")]
Make = Annotated[
    Path | None, typer.Option("--make", metavar="FILE", help="Make a pair, and write its private half here (32 bytes, base64).")
]
Pools = Annotated[list[str] | None, typer.Option("--pool", metavar="POOL", help="Only for this pool; may be given again.")]


def register_key(
    who: Who,
    public: Public = "",
    make: Make = None,
    pools: Pools = None,
    tenant: Tenant = DEFAULT_TENANT,
    dry_run: DryRun = False,
) -> None:
    """Let a worker elsewhere sign with this key from now on, beside those that it has; `revoke-key` ends the old one."""
    if bool(public) == (make is not None):
        raise UsageInvalid("say which key: either --public KEY, or --make FILE")
    desk = open_desk()
    made = public or _made(make, dry_run)
    said = f"{who} signs with key {key_name(made)}; its commands are signed by {keyring(desk.settings).key(tenant, HOUSE).public}"
    ask_for(tenant, _registration(desk, tenant, who, made, tuple(pools or ())), dry_run, said)


def revoke_key(who: Who, key_id: KeyName, reason: Reason = "", tenant: Tenant = DEFAULT_TENANT, dry_run: DryRun = False) -> None:
    """Let a key of a worker elsewhere count no more, from now on; other keys are as they were."""
    desk, sender = open_desk(), f"{WORKER}{who}"
    proof = keyring(desk.settings).key(tenant, OPERATOR).sign(revoke_bytes(tenant, sender, key_id))
    fields = {"sender": sender, "key_id": key_id, "reason": reason, "proof": proof}
    try:
        request = msgspec.convert(fields, RevokeKey)
    except msgspec.ValidationError as error:
        raise UsageInvalid(f"this cannot be a key of {who!r}: {error}") from error
    ask_for(tenant, request, dry_run, f"key {key_id} of {who} counts no more")


def house_key(tenant: Tenant = DEFAULT_TENANT, as_json: Json = False) -> None:
    """Show the public key that commands to workers elsewhere are signed with: give it to those who run them."""
    key = keyring(load_settings()).key(tenant, HOUSE)
    if as_json:
        out.json({"tenant": tenant, "key_id": key.name, "public_key": key.public})
    else:
        out.line(key.public)


def list_keys(tenant: Tenant = DEFAULT_TENANT, as_json: Json = False) -> None:
    """List the keys of workers elsewhere with their last use, those that were revoked, too."""
    found = [_told(one) for one in read(open_desk(), lambda connection: sender_key.keys_like(connection, tenant, WORKER))]
    if as_json:
        out.json(found)
        return
    names = ("who", "key_id", "pools", "registered_at", "used_at", "revoked_at", "public_key")
    out.table(names, [[", ".join(one["pools"]) if name == "pools" else one[name] for name in names] for one in found])


def _told(row: KeyRow) -> dict[str, Any]:
    """Return a key as people see it."""
    source, _, worker = row.sender.removeprefix(WORKER).partition("#")
    times = {"registered_at": row.registered_at, "used_at": row.used_at, "revoked_at": row.replaced_at}
    named = {"who": row.sender.removeprefix(WORKER), "source": source, "worker": worker or None}
    return {**named, "key_id": row.key_id, "pools": row.scope.recipients, "public_key": row.public_key, **times}


def _registration(desk: Desk, tenant: str, who: str, public: str, pools: tuple[str, ...]) -> RegisterKey:
    """Return the request, with the operator's word for it."""
    scope, sender = Scope(kinds=(WORKS,), recipients=pools), f"{WORKER}{who}"
    proof = keyring(desk.settings).key(tenant, OPERATOR).sign(key_bytes(tenant, sender, public, scope))
    fields = {"sender": sender, "public_key": public, "scope": msgspec.to_builtins(scope), "proof": proof}
    try:
        return msgspec.convert(fields, RegisterKey)
    except msgspec.ValidationError as error:
        raise UsageInvalid(f"this cannot be a key of {who!r}: {error}") from error


def _made(path: Path | None, dry_run: bool) -> str:
    """Return the public half of a new pair; the private one is in a file of ours alone, that was not there before."""
    assert path is not None
    key = Key(OPERATOR, os.urandom(32))
    if not dry_run:
        try:
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(base64.b64encode(key.seed).decode() + "\n")
        except OSError as error:
            raise UsageInvalid(f"{path} cannot be written: {error.strerror}; name a file that is not there yet") from error
    return key.public
