"""Agent specs: what is wrong with one beyond its fields; how files are read and told of is `agents.spec_file`."""

import difflib
from collections.abc import Collection, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

import yaml

from agents.catalog import ELSEWHERE, pipeline_of
from agents.errors import PipelineUnknown
from agents.pipelines.model import Model
from agents.pipelines.steps import Steps
from agents.plain_yaml import Fault, at, line, plain, values_of
from agents.schema import faults_of
from agents.spec_file import Read, Sort, misfits
from agents.tools.catalog import NAMES
from events.agent import MOST_EXAMPLES, AgentSpec
from events.pool import fits_a_topic
from learning.policies import POLICIES


class Known(NamedTuple):
    """What specs may name; None: nobody knows, so it is not looked at."""

    tools: Collection[str] | None = None
    domains: Collection[str] | None = None


def agents_that(known: Known) -> Sort[AgentSpec]:
    """Return agents as a sort of spec, where so much is known."""
    return Sort("agent spec", AgentSpec, "id", partial(_more_faults, known=known))


def load(folder: Path) -> tuple[AgentSpec, ...]:
    """Return every spec in a folder, by file name; raises BadSpecs with every fault of every file."""
    return AGENTS.load(folder)


def read(name: str, content: bytes) -> Read[AgentSpec]:
    """Return the spec in a file's content, or everything that is wrong with it."""
    return AGENTS.read(name, content)


def _more_faults(name: str, root: yaml.MappingNode, known: Known) -> Iterator[Fault]:
    """Yield what is wrong with a spec beyond its fields."""
    yield from _empty(name, root)
    yield from wrong_settings(name, root)
    yield from _wrong_schemas(name, root)
    yield from _unknown_names(name, root, known)


def _empty(name: str, root: yaml.MappingNode) -> Iterator[Fault]:
    """Yield descriptions and skills that say nothing: agents are matched by them."""
    values = values_of(root)
    described = values.get("description")
    if isinstance(described, yaml.ScalarNode) and not described.value.strip():
        yield Fault(name, line(described), "description: say in a line what the agent is good for")
    skills = values.get("skills")
    if isinstance(skills, yaml.SequenceNode):
        names = [item.value for item in skills.value]
        if not names or len(set(map(str, names))) != len(names):
            yield Fault(name, line(skills), "skills: name at least one, and none twice")
    yield from _poor_examples(name, values)


def _poor_examples(name: str, values: Mapping[str, yaml.Node]) -> Iterator[Fault]:
    """Yield examples that say nothing, are there twice, or only repeat the description; and those that are one too many."""
    examples = values.get("examples")
    if not isinstance(examples, yaml.SequenceNode):
        return
    described = values.get("description")
    seen = {_bare(described): "it is the description"} if isinstance(described, yaml.ScalarNode) else {}
    for number, item in enumerate(examples.value):
        if number == MOST_EXAMPLES:
            yield Fault(name, line(item), f"examples: at most {MOST_EXAMPLES}, and there are {len(examples.value)}")
        if not isinstance(item, yaml.ScalarNode):
            continue
        if not item.value.strip():
            yield Fault(name, line(item), f"examples[{number}]: write a task as somebody would ask for it")
        elif _bare(item) in seen:
            yield Fault(name, line(item), f"examples[{number}]: {seen[_bare(item)]}")
        seen.setdefault(_bare(item), f"it is there twice, first on line {line(item)}")


def _bare(node: yaml.ScalarNode) -> str:
    return " ".join(str(node.value).casefold().split())


def wrong_settings(name: str, root: yaml.MappingNode) -> Iterator[Fault]:
    """Yield what the pipeline does not take."""
    values = values_of(root)
    wanted = values.get("pipeline")
    if not isinstance(wanted, yaml.ScalarNode):
        return
    try:
        pipeline = pipeline_of(wanted.value)
    except PipelineUnknown as error:
        yield Fault(name, line(wanted), f"pipeline: {error}")
        return
    settings = values.get("settings", yaml.MappingNode("", [], root.start_mark, root.end_mark))
    if isinstance(settings, yaml.MappingNode):
        yield from misfits(name, settings, pipeline.Settings, "settings.")
    if isinstance(settings, yaml.MappingNode) and pipeline is Steps:
        yield from _wrong_steps(name, settings)
    if isinstance(settings, yaml.MappingNode) and pipeline is Model:
        yield from _no_models(name, settings, "settings")
    if pipeline in ELSEWHERE:
        pool = values.get("pool", wanted)
        if pool is wanted or not isinstance(pool, yaml.ScalarNode) or not fits_a_topic(pool.value):
            yield Fault(name, line(pool), "pool: an agent that lives elsewhere names its pool in a-z, 0-9 and hyphens")


def _wrong_steps(name: str, settings: yaml.MappingNode) -> Iterator[Fault]:
    """Yield what the pipelines of the steps, and of what is tried instead, do not take."""
    for way, path in _ways(values_of(settings).get("steps"), "settings.steps"):
        wanted = values_of(way).get("do")
        if not isinstance(wanted, yaml.ScalarNode):
            continue
        try:
            pipeline = pipeline_of(wanted.value)
        except PipelineUnknown as error:
            yield Fault(name, line(wanted), f"{path}.do: {error}")
            continue
        if pipeline is Steps or pipeline in ELSEWHERE:
            yield Fault(name, line(wanted), f"{path}.do: {wanted.value!r} cannot be a step")
            continue
        given = values_of(way).get("settings", yaml.MappingNode("", [], wanted.start_mark, wanted.end_mark))
        if isinstance(given, yaml.MappingNode):
            yield from misfits(name, given, pipeline.Settings, f"{path}.settings.")
        if isinstance(given, yaml.MappingNode) and pipeline is Model:
            yield from _no_models(name, given, f"{path}.settings")


def _no_models(name: str, settings: yaml.MappingNode, path: str) -> Iterator[Fault]:
    """Yield that a step names no models to choose from, that a rule uses one that it does not name, or a policy nobody knows."""
    values = values_of(settings)
    named = {item.value for item in _names(values.get("models"))}
    if not named and "any" not in values:
        yield Fault(name, line(settings), f"{path}: name `models`, or say with `any` which of them fit")
    policy, known = values.get("policy"), [one.name for one in POLICIES]
    if isinstance(policy, yaml.ScalarNode) and policy.value not in known:
        yield Fault(name, line(policy), f"{path}.policy: there are {', '.join(known)}")
    rules = values.get("rules")
    for rule in rules.value if isinstance(rules, yaml.SequenceNode) else ():
        for item in _names(values_of(rule).get("use") if isinstance(rule, yaml.MappingNode) else None):
            if named and item.value not in named:
                yield Fault(name, line(item), f"{path}.rules: {item.value!r} is not among the models")


def _names(node: yaml.Node | None) -> Iterator[yaml.ScalarNode]:
    """Yield the names in a list; what is no name there, or no list, is told with the fields."""
    for item in node.value if isinstance(node, yaml.SequenceNode) else ():
        if isinstance(item, yaml.ScalarNode):
            yield item


def _ways(node: yaml.Node | None, path: str) -> Iterator[tuple[yaml.MappingNode, str]]:
    """Yield each step and each way that is tried instead, with its place."""
    for number, item in enumerate(node.value if isinstance(node, yaml.SequenceNode) else ()):
        if isinstance(item, yaml.MappingNode):
            yield item, f"{path}[{number}]"
            yield from _ways(values_of(item).get("otherwise"), f"{path}[{number}].otherwise")


def _wrong_schemas(name: str, root: yaml.MappingNode) -> Iterator[Fault]:
    """Yield what is wrong with the schemas of inputs and outputs."""
    for field in ("inputs", "outputs"):
        node = values_of(root).get(field)
        if isinstance(node, yaml.MappingNode):
            for wrong in faults_of(plain(node)):
                yield Fault(name, line(at(node, wrong.path)), f"{field}{wrong.path}: {wrong.what}")


def _unknown_names(name: str, root: yaml.MappingNode, known: Known) -> Iterator[Fault]:
    """Yield tools, domains, tenants and needs that are named twice, and tools and domains that nobody knows."""
    for field, there in (("tools", known.tools), ("knowledge", known.domains), ("tenants", None), ("needs", None)):
        node = values_of(root).get(field)
        seen: set[str] = set()
        for item in _names(node):
            if item.value in seen:
                yield Fault(name, line(item), f"{field}: {item.value!r} is named twice")
            elif there is not None and item.value not in there and "/" not in item.value:
                near = difflib.get_close_matches(str(item.value), there, n=1)
                hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(sorted(there)) or 'none'}"
                yield Fault(name, line(item), f"{field}: nobody knows {item.value!r}; {hint}")
            seen.add(str(item.value))


# What a house has; its domains of knowledge come and go, so they are looked at where a caller knows them.
AGENTS = agents_that(Known(tools=NAMES))
