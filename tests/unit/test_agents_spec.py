"""Agent specs: what is read, and what is refused with file and line."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from agents.errors import BadSpecs
from agents.spec import AGENTS, Known, agents_that, load, read
from events.agent import AgentSpec

GOOD = b"""\
id: adder
description: adds two numbers
skills: [arithmetic]
pipeline: arithmetic
timeout_s: 2
"""


def faults(content: bytes) -> list[str]:
    """Return what is wrong with a file's content, as it is told."""
    return [str(fault) for fault in read("a.yaml", content).faults]


def test_a_good_spec_is_read() -> None:
    """A spec's fields become an `AgentSpec`; what it leaves out has its default."""
    assert read("a.yaml", GOOD).spec == AgentSpec("adder", "adds two numbers", ("arithmetic",), "arithmetic", {}, 2.0)


def test_every_fault_is_told_at_once_with_its_line() -> None:
    """Unknown, missing and ill-typed fields, of the spec and of the pipeline's settings, are told in one go."""
    content = b"""\
id: -x
descripton: adds
skills: [a, 3]
pipeline: webhook
settings:
  url: 5
  idempotnt: yes
timeout_s: 0
"""

    told = faults(content)

    assert [fault.split(":")[1] for fault in told] == ["1", "1", "2", "3", "6", "6", "7", "8"]
    assert "a.yaml:2: descripton is not a field; did you mean 'description'?" in told
    assert "a.yaml:3: skills[1]: Expected `str`, got `int`" in told
    assert "a.yaml:6: settings.idempotent is missing" in told


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"id: !!python/object/apply:os.system ['true']\n", "a.yaml:1: tags, anchors and aliases are not used in specs"),
        (b"\na: &x 1\n", "a.yaml:2: tags, anchors and aliases are not used in specs"),
        (b"a: [\n", "a.yaml:2: this is not YAML: expected the node content, but found '<stream end>'"),
        (b"a:\n  b: c: d\n", "a.yaml:2: this is not YAML: mapping values are not allowed here"),
        (b"", "a.yaml:1: a spec is a mapping of fields"),
        (b"- a\n", "a.yaml:1: a spec is a mapping of fields"),
        (b"id: a\n\xff", "a.yaml:2: this is not UTF-8"),
        (b"id: a\nid: b\n", "a.yaml:2: 'id' is there twice"),
        (b"? [a]\n: 1\n", "a.yaml:1: a field's name must be plain text"),
        (b"[" * 5_000, "a.yaml:1: it is nested more than 20 deep"),
        (b"x" * 100_001, "a.yaml:1: a spec has at most 100000 bytes"),
        (GOOD + b"settings: {since: 2020-01-01}\n", "a.yaml:6: '2020-01-01' is read as timestamp; put it in quotes"),
        (GOOD.replace(b"timeout_s: 2", b"timeout_s: .nan"), "a.yaml:5: timeout_s: Expected `float` > 0.0"),
        (GOOD.replace(b"[arithmetic]", b"[a, a]"), "a.yaml:3: skills: name at least one, and none twice"),
        (GOOD.replace(b"[arithmetic]", b"[]"), "a.yaml:3: skills: name at least one, and none twice"),
        (GOOD.replace(b"adds two numbers", b"' '"), "a.yaml:2: description: say in a line what the agent is good for"),
        (GOOD + b"examples: add 1 and 2\n", "a.yaml:6: examples: Expected `array`, got `str`"),
        (GOOD + b"examples:\n  - 1 + 1\n  - ' '\n", "a.yaml:8: examples[1]: write a task as somebody would ask for it"),
        (GOOD + b"examples:\n  - 1 + 1\n  - ''\n", "a.yaml:8: examples[1]: Expected `str` of length >= 1"),
        (
            GOOD + b"examples:\n  - 1 + 1 is\n  - 3 - 2\n  - 1 +  1 IS\n",
            "a.yaml:9: examples[2]: it is there twice, first on line 7",
        ),
        (GOOD + b"examples: [Adds two numbers]\n", "a.yaml:6: examples[0]: it is the description"),
        (GOOD + b"examples:\n  - " + b"x" * 301 + b"\n", "a.yaml:7: examples[0]: Expected `str` of length <= 300"),
        (
            GOOD + b"examples:\n" + b"".join(b"  - add %d\n" % n for n in range(17)),
            "a.yaml:23: examples: at most 16, and there are 17",
        ),
    ],
)
def test_what_is_no_plain_spec_is_refused(content: bytes, told: str) -> None:
    """YAML's tags, anchors and surprises, and fields that say nothing, are refused on their line."""
    assert told in faults(content)


def test_an_unknown_pipeline_is_named_with_those_there_are() -> None:
    """Whoever misspells a pipeline reads which ones there are."""
    (told,) = faults(GOOD.replace(b"pipeline: arithmetic", b"pipeline: arithmetics"))

    assert told.startswith("a.yaml:4: pipeline: no pipeline is called 'arithmetics'; there are answer, arithmetic, ")


def test_two_files_may_not_claim_one_id(tmp_path: Path) -> None:
    """The second file that claims an id is told so, on the line of the id; nothing is loaded."""
    (tmp_path / "a.yaml").write_bytes(GOOD)
    (tmp_path / "b.yaml").write_bytes(b"# the same\n" + GOOD)

    with pytest.raises(BadSpecs) as refused:
        load(tmp_path)

    assert str(refused.value) == "b.yaml:2: id: 'adder' is also in a.yaml"


def test_one_bad_file_does_not_hide_the_others(tmp_path: Path) -> None:
    """Linting gives the good specs and all faults of all files."""
    (tmp_path / "a.yaml").write_bytes(GOOD)
    (tmp_path / "b.yaml").write_bytes(b"id: b\n")
    (tmp_path / "c.yaml").write_bytes(b"[")

    specs, told = AGENTS.lint(tmp_path)

    assert [spec.id for spec in specs] == ["adder"]
    assert {fault.file for fault in told} == {"b.yaml", "c.yaml"}


def test_a_folder_without_specs_is_a_fault(tmp_path: Path) -> None:
    """An empty folder is a mistake, not a system without agents."""
    with pytest.raises(BadSpecs, match="there is no agent spec"):
        load(tmp_path)


STEPS = b"""\
id: reader
description: reads
skills: [reading]
pipeline: steps
outputs:
  type: object
  properties:
    total: {type: amount}
tools: [search, serch, search]
knowledge: [law]
settings:
  steps:
    - do: clean
      settings: {most_char: 5}
    - do: nobody
      check:
        - plausible_date: {field: date}
      otherwise:
        - do: webhook
          settings: {url: http://x/}
"""


def test_what_stands_deep_inside_is_told_with_its_line() -> None:
    """Schemas, settings of steps and of what is tried instead, tools and domains: each fault on its line."""
    told = [str(fault) for fault in agents_that(Known(tools=("search",), domains=())).read("a.yaml", STEPS).faults]

    assert [fault.split(":")[1] for fault in told] == ["8", "9", "10", "14", "15", "20"]
    assert "'amount'" in told[0]
    assert told[1] == "a.yaml:9: tools: nobody knows 'serch'; did you mean 'search'?"
    assert told[2] == "a.yaml:10: knowledge: nobody knows 'law'; there are none"
    assert told[3].endswith("did you mean 'most_chars'?")
    assert "settings.steps[1].do: no pipeline is called 'nobody'" in told[4]
    assert told[5] == "a.yaml:20: settings.steps[1].otherwise[0].settings.idempotent is missing"


def test_names_that_nobody_can_know_here_are_not_looked_at() -> None:
    """Without a list of tools and domains only what is named twice is told; a check of no known kind is."""
    good = STEPS.replace(b"amount", b"number").replace(b"most_char:", b"most_chars:").replace(b"do: nobody", b"do: arithmetic")
    good = good.replace(b"http://x/}", b"http://x/, idempotent: true}")

    unlooked = agents_that(Known())
    assert [str(fault) for fault in unlooked.read("a.yaml", good).faults] == ["a.yaml:9: tools: 'search' is named twice"]
    good = good.replace(b", search]", b"]")
    assert unlooked.read("a.yaml", good).faults == ()
    unknown = good.replace(b"plausible_date", b"plausible")
    assert "a.yaml:17: settings.steps[1].check[0]" in str(unlooked.read("a.yaml", unknown).faults[0])


def test_an_agent_that_lives_elsewhere_names_its_pool() -> None:
    """Nobody would ever do its work."""
    elsewhere = GOOD.replace(b"pipeline: arithmetic", b"pipeline: remote")

    assert "names its pool" in faults(elsewhere)[0]
    assert "names its pool" in faults(elsewhere + b"pool: GPU.1\n")[0]
    assert read("a.yaml", elsewhere + b"pool: gpu\n").faults == ()
    assert "settings.effects" in faults(elsewhere + b"pool: gpu\nsettings: {effects: often}\n")[0]


ODD: tuple[Any, ...] = (None, [], {}, "", -1, 1.5, True, [[]], [{}], [None], [["x"], ["x"]], {"a": [1]}, {"a": {"b": {}}})
SETTINGS = tuple({name: odd} for name in ("models", "policy", "rules", "any") for odd in ODD)
STEP = tuple({"steps": [{name: odd}]} for name in ("do", "check", "settings", "otherwise") for odd in ODD)
BASE: dict[str, Any] = {"id": "adder", "description": "adds two numbers", "skills": ["arithmetic"]}


@pytest.mark.parametrize("field", AgentSpec.__struct_fields__)
@pytest.mark.parametrize("pipeline", ["model", "steps", "remote"])
def test_whatever_stands_in_a_field_is_a_fault_with_its_line_and_no_mistake_of_ours(field: str, pipeline: str) -> None:
    """Lists in lists, mappings in lists, nothing, too much: it is told where, or it is sound."""
    for odd in (*ODD, *(SETTINGS + STEP if field == "settings" else ())):
        content = yaml.safe_dump(BASE | {"pipeline": pipeline, field: odd}, sort_keys=False).encode()

        spec, told, _ = read("a.yaml", content)

        assert (spec is None) == bool(told), odd
        assert all(1 <= fault.line <= content.count(b"\n") and "[...]" not in fault.what for fault in told), told


def test_an_entry_of_a_mapping_is_told_by_its_key() -> None:
    """Which of the prompts is none, on its own line."""
    assert faults(GOOD + b"prompts:\n  system: be short\n  task: 5\n") == ["a.yaml:8: prompts.task: Expected `str`, got `int`"]


def test_a_list_where_a_name_should_be_does_not_hide_the_rest() -> None:
    """Tools, domains, tenants and needs may hold anything at first."""
    told = faults(GOOD + b"tools:\n  - [a]\n  - nosuch\nknowledge:\n  - {a: b}\n")

    assert [fault.split(":")[1] for fault in told] == ["7", "8", "10"]
