"""Whether code of strangers can be contained on this machine, and by which layers; found out by running a line of it."""

import asyncio

from agents.contain.run import run
from agents.errors import AgentFailed
from smolit.doctor.finding import Finding

_LAYERS = ("namespaces", "landlock", "seccomp")


def code() -> Finding:
    """Can code be contained? Where it cannot, agents that run code fail by name, and all else works: so it is well."""
    subject = "contained code"
    try:
        ran = asyncio.run(run("print(1)"))
    except AgentFailed as error:
        return Finding(subject, True, error.detail, "agents that run code refuse to, until these layers hold (docs/tools.md)")
    held = [f"{name} {ran.layers[name]}" if name == "landlock" else name for name in _LAYERS if ran.layers.get(name)]
    missing = [name for name in _LAYERS if not ran.layers.get(name)]
    advice = f"it would be held twice with {' and '.join(missing)}" if missing else ""
    return Finding(subject, True, f"held by {', '.join(held)}", advice)
