"""What a tool was when somebody looked at it: a digest of name, description and schema. One that changed is not offered.

A server that is trusted once may describe its tools otherwise later, so that a model does what the description orders
("tool poisoning"); https://modelcontextprotocol.io/specification, security considerations of tools.
"""

from collections.abc import Mapping
from typing import Any

from agents.tools.call import digest_of


def digest_of_tool(name: str, description: str | None, schema: Any) -> str:
    """Return the digest of a tool as its server tells it, before anything of that is cut."""
    return digest_of([name, description or "", schema])


def changed(pins: Mapping[str, str], offered: Mapping[str, str]) -> dict[str, str]:
    """Return the tools of a server that are not as somebody looked at them, each with what is wrong; without pins: none."""
    if not pins:
        return {}
    new = {name: "nobody has looked at it" for name in offered if name not in pins}
    other = {name: "it is not what it was when somebody did" for name, now in offered.items() if pins.get(name, now) != now}
    return new | other
