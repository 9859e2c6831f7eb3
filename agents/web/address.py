"""Which addresses may be called: pure rules over what a URL says and what its name resolves to.

A host has to be on the operator's list (`*`: any public one). An address that is not public (this machine, a private
network, a cloud's metadata) has to be on the list itself, so that no name can lead there.
"""

import ipaddress
import re
from collections.abc import Collection
from typing import Any

import httpx
from msgspec import Struct

from agents.errors import AgentFailed

ANY = "*"
MOST_CHARS = 2_000
_PLAIN = re.compile(r"[\x21-\x7e]+")
_NUMERIC = re.compile(r"(?:0x[0-9a-f]*|\d+)", re.IGNORECASE)  # as the last label, it makes a name an address for some
_PORTS = {"http": 80, "https": 443}
# Public by number, and yet inside: Azure's wire server, and what carries another address in itself.
_INSIDE = tuple(
    ipaddress.ip_network(one) for one in ("168.63.129.16/32", "64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32", "::/96")
)

Resolved = tuple[str, ...]


class Target(Struct, frozen=True):
    """Where a request goes: the URL as it was given, and the host and port that have to be looked up."""

    url: Any
    host: str
    port: int


def target_of(address: str, hosts: Collection[str]) -> Target:
    """Return where an address leads, if its host is on the list.

    Raises:
        AgentFailed: it is no plain http(s) address, or its host is not on the list.
    """
    if len(address) > MOST_CHARS or not _PLAIN.fullmatch(address) or "\\" in address:
        raise AgentFailed("bad_address", f"an address has at most {MOST_CHARS} plain characters, without spaces")
    try:
        url = httpx.URL(address)
    except (httpx.InvalidURL, ValueError) as error:
        raise AgentFailed("bad_address", "this is no address") from error
    authority = address.partition("://")[2].split("/")[0].split("?")[0].split("#")[0]
    if url.scheme not in _PORTS or url.userinfo or "@" in authority or not url.host or "%" in authority:
        raise AgentFailed("bad_address", "an address is http or https, with a plain host and without a user")
    port = url.port or _PORTS[url.scheme]
    host = url.host.lower()
    _plain_host(host)
    if not _listed(host, port, hosts) and not (ANY in hosts and port in _PORTS.values()):
        raise AgentFailed("host_not_allowed", f"{host[:200]} is not on the list of hosts that agents may call")
    return Target(url, host, port)


def pinned(target: Target, resolved: Resolved, hosts: Collection[str]) -> Resolved:
    """Return the addresses that may be connected to: all that the name resolved to, or none.

    Raises:
        AgentFailed: one of them is not public, and not on the list itself.
    """
    for address in resolved:
        if inside(address) and not _listed(address, target.port, hosts):
            raise AgentFailed("address_not_allowed", f"{target.host[:200]} leads to {address}, which is not public")
    if not resolved:
        raise AgentFailed("host_unknown", f"{target.host[:200]} has no address")
    return resolved


def inside(address: str) -> bool:
    """Say whether an IP address is anything but a public one."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return True
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        return True
    return not found.is_global or found.is_multicast or any(found in one for one in _INSIDE if one.version == found.version)


def _plain_host(host: str) -> None:
    """Refuse a host that some read as another: numbers that are no plain address, a final dot."""
    if ":" in host:
        return  # an IPv6 address; its numbers are looked at as such
    last = host.rpartition(".")[2]
    if not last or _NUMERIC.fullmatch(last):
        try:
            ipaddress.IPv4Address(host)
        except ValueError as error:
            raise AgentFailed("bad_address", f"{host[:200]} is no plain host") from error


def _listed(host: str, port: int, hosts: Collection[str]) -> bool:
    """Say whether the operator named this host, with or without its port."""
    bracketed = f"[{host}]" if ":" in host else host
    return bool({host, bracketed, f"{bracketed}:{port}"} & {*hosts})
