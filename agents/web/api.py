"""A declared API: operations with schemas, a key by name, and how a call is built; all of it from the agent's spec."""

import ipaddress
import json
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal
from urllib.parse import quote, urlencode

from msgspec import Meta, Struct, field

from agents.errors import AgentFailed
from agents.tools.schema import misfit, too_big
from agents.web.address import target_of

KEY_PREFIX = "AGENT_KEY_"
_PLACE = re.compile(r"\{([a-z_][a-z0-9_]*)\}")


class Key(Struct, frozen=True, forbid_unknown_fields=True):
    """Where the key is: the name of an environment variable of the worker, and the header that it goes into."""

    env: Annotated[str, Meta(pattern=rf"^{KEY_PREFIX}[A-Z0-9_]+$")]
    header: Annotated[str, Meta(pattern=r"^[A-Za-z][A-Za-z0-9-]*$")] = "authorization"
    form: str = "Bearer {key}"


class Operation(Struct, frozen=True, forbid_unknown_fields=True):
    """One thing that the service does.

    `path` may hold `{name}` of an argument. What is left goes into the query (GET) or the body. `idempotent`: the service does it
    once however often it is asked under one key; a GET changes nothing and is asked again without one.
    """

    path: Annotated[str, Meta(pattern=r"^/")]
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = "GET"
    description: str = ""
    parameters: dict[str, Any] = field(default_factory=lambda: {"type": "object", "maxProperties": 0})
    returns: dict[str, Any] = {}
    idempotent: bool = False


class Built(Struct, frozen=True):
    """A call, ready to be made; `target` names what is asked of whom, without any argument."""

    method: str
    url: str
    body: bytes | None
    target: str


def built(base: str, operation: Operation, arguments: Any) -> Built:
    """Return the call of an operation with these arguments.

    Raises:
        AgentFailed: they do not fit its schema.
    """
    wrong = too_big(arguments) or misfit(arguments, operation.parameters)
    if wrong:
        raise AgentFailed("bad_arguments", wrong)
    left = dict(arguments)
    path = _PLACE.sub(lambda found: _part(left, found[1]), operation.path)
    target = f"{operation.method} {base}{operation.path}"
    if operation.method == "GET":
        query = urlencode({name: value if isinstance(value, str) else json.dumps(value) for name, value in sorted(left.items())})
        return Built("GET", base + path + (f"?{query}" if query else ""), None, target)
    return Built(operation.method, base + path, json.dumps(left, sort_keys=True).encode(), target)


def key_of(key: Key | None, keys: Mapping[str, str], base: str, hosts: frozenset[str]) -> tuple[str, dict[str, str]]:
    """Return the key and the header that holds it; raises AgentFailed where it is missing, or would travel in the open."""
    if key is None:
        return "", {}
    if key.env not in keys:
        raise AgentFailed("key_missing", f"{key.env} is not set in the worker's environment")
    target = target_of(base, hosts)
    if target.url.scheme != "https" and not _this_machine(target.host):
        raise AgentFailed("agent_broken", f"{target.host} would get a key without encryption; its address must be https")
    return keys[key.env], {key.header: key.form.replace("{key}", keys[key.env])}


def _part(arguments: dict[str, Any], name: str) -> str:
    """Take an argument for a place in a path; it stays one part of it."""
    if name not in arguments:
        raise AgentFailed("bad_arguments", f"{name} is needed for the path")
    written = str(arguments.pop(name))
    if written in {"", ".", ".."}:
        raise AgentFailed("bad_arguments", f"{name} cannot be a part of a path")
    return quote(written, safe="")


def _this_machine(host: str) -> bool:
    """Say whether a host is the loopback address, written as such."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
