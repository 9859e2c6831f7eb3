"""Remote: the agent lives elsewhere, in any language, and hears of its attempts through its pool (docs/agents-remote.md).

Nothing runs here: the bridge (`handlers/bridge.py`) gives its attempts away and takes the answers.
"""

from typing import Any, ClassVar, Literal

from msgspec import Struct

from agents.errors import AgentFailed
from agents.pipeline import Effects, Result, Timer, Toolbox, Work
from events.field import Ident

Does = Literal["nothing", "keyed", "once"]


class RemoteSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """Who may do its work, and what that changes in the world.

    `sources`: CloudEvents sources, of the agent's own tenant, that may announce themselves; empty: each of them.
    `effects`: `nothing`, or it is done under the key in the command (`keyed`: done again, it changes nothing more), or
    it takes no key (`once`: it is begun at most once, and a person decides what became of it if its worker dies).
    """

    sources: tuple[Ident, ...] = ()
    effects: Does = "keyed"


class Remote:
    """Stands for an agent that lives elsewhere."""

    name: ClassVar[str] = "remote"
    Settings: ClassVar[type[Struct]] = RemoteSettings

    def __init__(self, _settings: RemoteSettings, _toolbox: Toolbox) -> None:
        pass

    async def run(self, _work: Work, _effects: Effects, _timer: Timer) -> Result:
        """Refuse.

        Raises:
            AgentFailed: always; an attempt of such an agent is no work for a worker of the house.
        """
        return _refused()


def settings_of(settings: dict[str, Any]) -> RemoteSettings:
    """Return the settings of a remote agent; those that were never checked are the strictest."""
    import msgspec

    try:
        return msgspec.convert(settings, RemoteSettings)
    except msgspec.ValidationError:
        return RemoteSettings(sources=("",), effects="once")


def _refused() -> Result:
    raise AgentFailed("agent_elsewhere", "this agent lives elsewhere; only its pool can do its work")
