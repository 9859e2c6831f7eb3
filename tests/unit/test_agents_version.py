"""Versions of agents: what differs, what happened, and which files become new ones."""

from pathlib import Path

import pytest

from agents.catalog import ELSEWHERE, PIPELINES
from agents.difference import differences
from agents.scaffold import scaffold
from agents.spec import read
from smolit.agent.history import history, picked, versions
from smolit.agent.watch import Changed, Folders, revisions
from smolit.errors import NothingFound
from streams.change import spec_digest
from tests.builders import TENANT, agent_revised, paused, registered, spec

SHIPPED = Path("/shipped")
SPEC = "id: a\ndescription: d\nskills: [s]\npipeline: arithmetic\n"


def test_what_differs_is_told_by_its_deepest_place() -> None:
    """Fields, settings deep inside, and lists of another length as a whole; 1 is not true."""
    before = spec("a", settings={"steps": [{"do": "clean"}, {"do": "x", "n": 1}]}, skills=("s",))
    after = spec("a", settings={"steps": [{"do": "clean"}, {"do": "y", "n": True}]}, skills=("s", "t"), version="2")

    told = {one.field: (one.before, one.after) for one in differences(before, after)}

    assert told == {
        "skills": (["s"], ["s", "t"]),
        "settings.steps[1].do": ("x", "y"),
        "settings.steps[1].n": (1, True),
        "version": (None, "2"),
    }
    assert differences(before, before) == []


def test_examples_that_differ_are_told() -> None:
    """One that changed by its place, another number of them as a whole."""
    before, after, more = (spec("a", examples=texts) for texts in (("x", "y"), ("x", "z"), ("x", "y", "z")))

    assert [(one.field, one.before, one.after) for one in differences(before, after)] == [("examples[1]", "y", "z")]
    assert [(one.field, one.after) for one in differences(before, more)] == [("examples", ["x", "y", "z"])]


def test_history_numbers_versions_and_names_what_changed() -> None:
    """Every registration and revision is a version; a pause stands between them; other agents and tenants are passed over."""
    first, second = spec("a"), spec("a", description="better", version="two")
    events = [
        registered("a", spec=first, digest="aaaa1111"),
        registered("b", spec=spec("b")),
        registered("a", spec=spec("a", description="theirs"), tenant="other"),
        paused("a", reason="tired"),
        agent_revised("a", spec=second, digest="aaaa2222"),
    ]

    told = history(events, TENANT, "a")

    assert [(one.number, one.what, one.digest) for one in told] == [
        (1, "registered", "aaaa1111"), (None, "paused", None), (2, "revised", "aaaa2222"),
    ]  # fmt: skip
    assert [change.field for change in told[2].changed] == ["description", "version"]
    assert told[1].reason == "tired"
    known = versions(events, TENANT, "a")
    assert [picked(known, at).number for at in ("1", "two", "aaaa", "aaaa1")] == [1, 2, 2, 1]
    with pytest.raises(NothingFound, match=r"there are 1 \(aaaa1111\), 2 \(aaaa2222\)"):
        picked(known, "nine")


def changed(content: str = SPEC, folder: Path = Path("/mine"), first: bool = False, written: int = 1) -> Changed:
    """Return a file that changed."""
    found = read("a.yaml", content.encode())
    return Changed(folder / "a.yaml", (written, len(content)), found.spec, found.faults, first)


def asked(one: Changed, in_force: dict[str, str], *known: str) -> list[str]:
    """Return the request ids that a change asks under."""
    return [str(ask.request_id) for ask in revisions([one], TENANT, in_force, SHIPPED, lambda _agent: known)]


def test_a_file_that_was_written_becomes_a_version() -> None:
    """Unless its content is in force, or its agent has retired; written back to what it was before, it is a version again."""
    found = changed().spec
    assert found
    digest = spec_digest(found)

    assert len(asked(changed(), {"a": "another"}, digest)) == 1
    assert len(asked(changed(), {})) == 1
    assert asked(changed(), {"a": digest}) == []
    assert asked(changed(), {"a": ""}) == []
    assert asked(changed(SPEC + "timeout_s: x\n"), {"a": "another"}) == []
    assert asked(changed(written=1), {"a": "x"}) != asked(changed(written=2), {"a": "x"})
    assert asked(changed(), {"a": "x"}) == asked(changed(), {"a": "x"})


def test_a_start_undoes_nothing() -> None:
    """At the first look only what was never in force is new; what comes with smolit is registered by `smolit up`."""
    found = changed().spec
    assert found
    digest = spec_digest(found)

    assert asked(changed(first=True), {"a": "by hand"}, digest) == []
    assert len(asked(changed(first=True), {"a": "by hand"}, "older")) == 1
    assert len(asked(changed(first=True), {})) == 1
    assert asked(changed(first=True, folder=SHIPPED), {}) == []


def test_a_look_finds_what_was_written_since_the_last(tmp_path: Path) -> None:
    """All at first, then nothing, then what changed, with its faults and lines; what goes away is no change."""
    folders = Folders((tmp_path, tmp_path / "missing"))
    path = tmp_path / "a.yaml"
    path.write_text(SPEC)
    first, nothing = folders.look(), folders.look()
    path.write_text(SPEC + "nonsense: 1\n")
    (tmp_path / "b.yaml").write_text(SPEC.replace("id: a", "id: b"))
    third = folders.look()
    path.unlink()

    assert [(one.path, one.first, one.spec is not None) for one in first] == [(path, True, True)]
    assert nothing == []
    assert [(one.path.name, one.first, [fault.line for fault in one.faults]) for one in third] == [
        ("a.yaml", False, [5]), ("b.yaml", False, []),
    ]  # fmt: skip
    assert folders.look() == []


@pytest.mark.parametrize("pipeline", [cls.name for cls in (*PIPELINES, *ELSEWHERE)])
def test_a_scaffold_is_sound_for_every_pipeline(pipeline: str) -> None:
    """What `agent new` writes passes lint as it stands, and says how to try it."""
    made = scaffold("newcomer", pipeline)
    found = read("newcomer.yaml", made.content.encode())

    assert found.faults == ()
    assert found.spec
    assert (found.spec.id, found.spec.pipeline) == ("newcomer", pipeline)
    assert len(found.spec.examples) == 1
    assert "--agent newcomer" in made.task
