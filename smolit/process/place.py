"""Where a process stands: what every builder is given."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from events.topics import Names
from smolit.process.ports import Ports
from smolit.settings import Settings
from smolit.stack.local import Endpoints
from store.postgres import Connection


@dataclass(frozen=True)
class Place:
    """Where a process stands: settings, addresses, its instance, its pool, and what it touches the world with."""

    settings: Settings
    endpoints: Endpoints
    instance: str
    ports: Ports
    pool: str = ""

    @property
    def names(self) -> Names:
        """Return the names of topics."""
        return Names(self.settings.topic_prefix)

    def connect(self, application: str) -> Callable[[], Awaitable[Connection]]:
        """Return what opens a connection under the application's name."""
        return lambda: self.ports.connect(self.endpoints.postgres, application)
