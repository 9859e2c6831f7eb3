"""Model cards: what is wrong with one beyond its fields; how files are read and told of is `agents.spec_file`."""

from collections.abc import Iterator
from pathlib import Path

import yaml

from agents.catalog import ELSEWHERE
from agents.pipelines.model import Model
from agents.plain_yaml import Fault, line, values_of
from agents.spec import wrong_settings
from agents.spec_file import Sort
from events.card import ModelCard

_NO_MODELS = {Model.name, *(pipeline.name for pipeline in ELSEWHERE)}  # what cannot do a model's work


def load(folder: Path) -> tuple[ModelCard, ...]:
    """Return every card in a folder, by file name; raises BadSpecs with every fault of every file."""
    return CARDS.load(folder)


def _more_faults(name: str, root: yaml.MappingNode) -> Iterator[Fault]:
    """Yield what is wrong with a card beyond its fields."""
    yield from _says_nothing(name, root)
    yield from _wrong_settings(name, root)


def _says_nothing(name: str, root: yaml.MappingNode) -> Iterator[Fault]:
    """Yield descriptions that are blank, and lists that name nothing or something twice."""
    values = values_of(root)
    described = values.get("description")
    if isinstance(described, yaml.ScalarNode) and not described.value.strip():
        yield Fault(name, line(described), "description: say in a line what the model is good for")
    for field, least in (("subtasks", 1), ("domains", 0)):
        node = values.get(field)
        if isinstance(node, yaml.SequenceNode):
            names = [str(item.value) for item in node.value]
            if len(names) < least or len(set(names)) != len(names):
                yield Fault(name, line(node), f"{field}: name {'at least one, and ' if least else ''}none twice")


def _wrong_settings(name: str, root: yaml.MappingNode) -> Iterator[Fault]:
    """Yield a pipeline that cannot do a model's work, or what it does not take."""
    wanted = values_of(root).get("pipeline")
    if isinstance(wanted, yaml.ScalarNode) and wanted.value in _NO_MODELS:
        yield Fault(name, line(wanted), f"pipeline: {wanted.value!r} cannot do a model's work")
    else:
        yield from wrong_settings(name, root)


CARDS = Sort("model card", ModelCard, "name", _more_faults)
