"""What chooses, wired: for whoever admits tasks, and for whoever chooses again."""

import time

from smolit.folder import choice_secret
from smolit.process.library import default_policy, library
from smolit.process.place import Place
from streams.chooser import Chooser
from streams.control import ControlReader
from streams.live import LiveAgents

EXAMPLES_GATHER_S = 0.05  # of the time until feedback has its effect


def chooser(place: Place, who: str) -> Chooser:
    """Return what chooses, in the process of this name."""
    settings, ports, kafka = place.settings, place.ports, place.endpoints.kafka
    return Chooser(
        default=default_policy(),
        secret=choice_secret(settings).get_secret_value().encode(),
        control=ControlReader(kafka, f"{who}-control", place.names),
        library=library(place, f"{who}-library", EXAMPLES_GATHER_S),
        live=LiveAgents(kafka, f"{who}-live", place.names, settings.heartbeat_s, ports.clock, time.monotonic),
    )
