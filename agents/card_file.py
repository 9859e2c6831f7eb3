"""Model cards: YAML files, one model each, checked as a whole; every fault is told with its file and line."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import msgspec
import yaml

from agents.catalog import ELSEWHERE
from agents.errors import BadSpecs
from agents.pipelines.model import Model
from agents.plain_yaml import Fault, Unreadable, line, parse, plain, strange_keys, strange_values, values_of
from agents.spec import SUFFIX, misfits, wrong_settings
from events.card import ModelCard

_NO_MODELS = {Model.name, *(pipeline.name for pipeline in ELSEWHERE)}  # what cannot do a model's work


class ReadCard(NamedTuple):
    """What a file holds: a card, or faults; and the line that its name is on."""

    card: ModelCard | None
    faults: tuple[Fault, ...]
    name_line: int = 1


def load(folder: Path) -> tuple[ModelCard, ...]:
    """Return every card in a folder, by file name.

    Raises:
        BadSpecs: with every fault of every file, one a line.
    """
    cards, faults = lint(folder)
    if faults:
        raise BadSpecs("\n".join(str(fault) for fault in faults))
    return cards


def lint(folder: Path) -> tuple[tuple[ModelCard, ...], tuple[Fault, ...]]:
    """Return the good cards in a folder, and every fault of the others."""
    files = sorted(folder.glob(f"*{SUFFIX}"))
    if not files:
        return (), (Fault(str(folder), 1, f"there is no model card (*{SUFFIX})"),)
    reads = {file.name: read(file.name, file.read_bytes()) for file in files}
    faults = [fault for one in reads.values() for fault in one.faults]
    return tuple(one.card for one in reads.values() if one.card), (*faults, *_twins(reads))


def read(name: str, content: bytes) -> ReadCard:
    """Return the card in a file's content, or everything that is wrong with it."""
    try:
        root = parse(name, content)
        faults = tuple(_check(name, root))
        if faults:
            return ReadCard(None, faults)
        return ReadCard(msgspec.convert(plain(root), ModelCard), (), line(values_of(root)["name"]))
    except Unreadable as error:
        return ReadCard(None, error.faults)


def _check(name: str, root: yaml.MappingNode) -> Iterator[Fault]:
    """Yield everything that is wrong with a card; one fault a line."""
    keys = list(strange_keys(name, root))
    yield from keys
    if keys:
        return
    found = [*strange_values(name, root), *misfits(name, root, ModelCard, ""), *_says_nothing(name, root)]
    found += _wrong_settings(name, root)
    said: set[int] = set()
    for fault in sorted(found, key=lambda fault: fault.line):
        if fault.line not in said or fault.what.endswith("is missing"):
            yield fault
        said.add(fault.line)


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


def _twins(reads: Mapping[str, ReadCard]) -> Iterator[Fault]:
    """Yield names that two files claim."""
    first: dict[str, str] = {}
    for name, one in reads.items():
        if one.card and first.setdefault(one.card.name, name) != name:
            yield Fault(name, one.name_line, f"name: {one.card.name!r} is also in {first[one.card.name]}")
