"""Selection, wired."""

from smolit.process.brain import BrainProcess, brain
from smolit.process.chooser import chooser
from smolit.process.place import Place
from smolit.process.runnable import Runnable
from streams.selection import Selection


def build(place: Place) -> Runnable:
    """Return the process."""
    processor = Selection(
        names=place.names,
        clock=place.ports.clock,
        connect=place.connect("smolit-selection"),
        publisher=place.ports.publisher(place.endpoints.kafka, "selection"),
        chooser=chooser(place, "selection"),
    )
    return BrainProcess(processor, brain(place, processor))
