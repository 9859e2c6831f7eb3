"""`smolit agent key`: with which key the workers of a source elsewhere sign, and who they are."""

import base64
import os
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from agents.signature import Key
from events.conversation import Scope, key_bytes, key_name
from events.request import RegisterKey
from events.topics import DEFAULT_TENANT
from events.vouched import OPERATOR, WORKER, WORKS
from smolit.cli import out
from smolit.cli.desk import Desk, ask_for, open_desk, read
from smolit.cli.option import DryRun, Json, Tenant
from smolit.errors import UsageInvalid
from smolit.process.keys import keyring
from store import sender_key

Source = Annotated[str, typer.Argument(metavar="SOURCE", help="`ce_source` of what its workers say.")]
Public = Annotated[str, typer.Option("--public", metavar="KEY", help="Ed25519 public key, base64, of a pair made elsewhere.")]
Make = Annotated[
    Path | None, typer.Option("--make", metavar="FILE", help="Make a pair, and write its private half here (32 bytes, base64).")
]
Pools = Annotated[list[str] | None, typer.Option("--pool", metavar="POOL", help="Only for this pool; may be given again.")]


def register_key(
    source: Source,
    public: Public = "",
    make: Make = None,
    pools: Pools = None,
    tenant: Tenant = DEFAULT_TENANT,
    dry_run: DryRun = False,
) -> None:
    """Let a source of workers elsewhere sign with this key from now on; the one before counts for 30 s more."""
    if bool(public) == (make is not None):
        raise UsageInvalid("say which key: either --public KEY, or --make FILE")
    desk = open_desk()
    made = public or _made(make, dry_run)
    ask_for(
        tenant, _request(desk, tenant, source, made, tuple(pools or ())), dry_run, f"{source} signs with key {key_name(made)}"
    )


def list_keys(tenant: Tenant = DEFAULT_TENANT, as_json: Json = False) -> None:
    """List the keys of sources of workers elsewhere, those that were replaced, too."""
    found = read(open_desk(), lambda connection: sender_key.keys_like(connection, tenant, WORKER))
    told: list[dict[str, Any]] = [
        {"source": one.sender.removeprefix(WORKER), "key_id": one.key_id, "pools": one.scope.recipients,
         "public_key": one.public_key, "replaced_at": one.replaced_at}
        for one in found
    ]  # fmt: skip
    if as_json:
        out.json(told)
        return
    names = ("source", "key_id", "pools", "public_key", "replaced_at")
    out.table(names, [[", ".join(one["pools"]) if name == "pools" else one[name] for name in names] for one in told])


def _request(desk: Desk, tenant: str, source: str, public: str, pools: tuple[str, ...]) -> RegisterKey:
    """Return the request, with the operator's word for it."""
    scope, sender = Scope(kinds=(WORKS,), recipients=pools), f"{WORKER}{source}"
    proof = keyring(desk.settings).key(tenant, OPERATOR).sign(key_bytes(tenant, sender, public, scope))
    fields = {"sender": sender, "public_key": public, "scope": msgspec.to_builtins(scope), "proof": proof}
    try:
        return msgspec.convert(fields, RegisterKey)
    except msgspec.ValidationError as error:
        raise UsageInvalid(f"this cannot be a key of {source!r}: {error}") from error


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
