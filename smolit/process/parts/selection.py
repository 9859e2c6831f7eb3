"""Selection, wired."""

import time

from smolit.folder import choice_secret
from smolit.process.brain import BrainProcess, brain
from smolit.process.library import default_policy, library
from smolit.process.place import Place
from smolit.process.runnable import Runnable
from streams.control import ControlReader
from streams.live import LiveAgents
from streams.selection import Selection

EXAMPLES_GATHER_S = 0.05  # of the time until feedback has its effect


def build(place: Place) -> Runnable:
    """Return the process."""
    settings, ports, kafka = place.settings, place.ports, place.endpoints.kafka
    processor = Selection(
        names=place.names,
        default=default_policy(),
        secret=choice_secret(settings).get_secret_value().encode(),
        clock=ports.clock,
        connect=place.connect("smolit-selection"),
        publisher=ports.publisher(kafka, "selection"),
        control=ControlReader(kafka, "selection-control", place.names),
        library=library(place, "selection-library", EXAMPLES_GATHER_S),
        live=LiveAgents(kafka, "selection-live", place.names, settings.heartbeat_s, ports.clock, time.monotonic),
    )
    return BrainProcess(processor, brain(place, processor))
