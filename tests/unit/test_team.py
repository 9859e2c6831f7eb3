"""Plans, purely: what is refused, what comes next, that every sound plan ends, and how results become one answer."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.team.advance import Moved, advance
from agents.team.check import cycle, faults
from agents.team.fitting import TooMany, instantiated
from agents.team.reference import ReferenceMissing, filled
from agents.team.report import merged
from agents.team.shape import FOLDER, load, read
from agents.team.standing import Brief, Heard, Standing, heard
from events.answer import RequestRefused
from events.plan import SUPERVISOR, Plan, PlanLimits, PlanStep
from events.task import AgentChosen, AttemptEnded, FileRef, TaskEnded
from tests.builders import chosen

NOW = datetime(2026, 5, 1, tzinfo=UTC)


def plan(*steps: PlanStep, **more: Any) -> Plan:
    """Return a plan of these steps."""
    return Plan("test", steps, **more)


def step(name: str, text: str = "do it", **more: Any) -> PlanStep:
    """Return a step."""
    return PlanStep(name, "work", text, **more)


def fresh(made: Plan) -> Standing:
    """Return a plan that nothing has been heard of."""
    brief = Brief("default", "the task", 1, "supervisor", "default", 5, "one two", {"n": 3}, (), NOW + timedelta(hours=1))
    return Standing(brief, made, "test", "because", 1, "the task", NOW)


def chosen_by(task: str, agent: str) -> AgentChosen:
    """Return the choice of an agent for a part."""
    fact = chosen(agent, task).fact
    assert isinstance(fact, AgentChosen)
    return fact


def told(task: str, agent: str = "ann", output: Any = "done", cost: int | None = None, good: bool = True) -> list[Heard]:
    """Return what a part's task tells when it is done, or has failed."""
    end = AttemptEnded(
        tenant="default",
        task_id=task,
        attempt=1,
        agent=agent,
        scope="default",
        outcome="completed" if good else "failed",
        worker="w",
        epoch=1,
        duration_us=10,
        steps=(),
        output=output if good else None,
        cost_microusd=cost,
    )
    over = TaskEnded(
        tenant="default",
        task_id=task,
        scope="default",
        outcome="completed" if good else "failed",
        attempts=1,
        agent=agent if good else None,
        reason=None if good else "attempts_exhausted",
    )
    return [chosen_by(task, agent), end, over]


def drive(made: Plan, answer: Callable[[str, int], Mapping[str, Any]], order: Callable[[int], int] = lambda _: 0) -> Standing:
    """Play a plan to its end: each open part is answered, one at a time, in the order that `order` picks."""
    moved = advance(fresh(made), {})
    outputs: dict[str, Any] = {}
    while moved.standing.outcome is None:
        waiting = [(name, part) for name, parts in moved.standing.parts.items() for part in parts if part.outcome is None]
        assert waiting, "nobody is asked, and it is not over: a deadlock"
        name, part = waiting[order(len(waiting))]
        says = dict(answer(name, part.ask))
        standing = moved.standing
        for fact in told(part.task_id, **says):
            standing = heard(standing, part.task_id, fact)
            if not isinstance(fact, TaskEnded):
                moved = advance(standing, outputs)
                standing = moved.standing
        if says.get("good", True):
            outputs[part.task_id] = says.get("output", "done")
        moved = advance(standing, outputs)
    return moved.standing


@st.composite
def dags(draw: st.DrawFn) -> Plan:
    """Any plan without circles: each step needs some of those before it, by reference or by `after`, in any order of writing."""
    count = draw(st.integers(1, 8))
    steps = []
    for number in range(count):
        before = draw(st.lists(st.integers(0, number - 1), unique=True, max_size=3)) if number else []
        refers = [one for one in before if draw(st.booleans())]
        text = " ".join(["work", *(f"${{s{one}.output}}" for one in refers)])
        after = tuple(f"s{one}" for one in before if one not in refers)
        steps.append(step(f"s{number}", text, after=after, ask=draw(st.integers(1, 3)), needed=draw(st.booleans())))
    return Plan(
        "any", tuple(draw(st.permutations(steps))), limits=PlanLimits(parts=200, microusd=draw(st.none() | st.integers(0, 9)))
    )


@settings(max_examples=200, deadline=None)
@given(made=dags(), bad=st.sets(st.integers(0, 40)), picks=st.randoms(use_true_random=False))
def test_every_sound_plan_ends_whatever_fails_and_in_whatever_order(made: Plan, bad: set[int], picks: Any) -> None:
    """No deadlock; steps begin after what they need; whatever the outcome says is so."""
    assert faults(made) == ()
    tries = iter(range(1000))

    over = drive(made, lambda _name, _ask: {"good": next(tries) not in bad, "cost": 1}, lambda count: picks.randrange(count))

    assert set(over.ended) == {one.id for one in made.steps}
    ends = {name: end.outcome for name, end in over.ended.items()}
    complete = list(ends.values()).count("completed")
    assert (over.outcome == "completed") == (complete == len(ends))
    assert (over.outcome == "failed") == (complete == 0 or any(one.needed and ends[one.id] != "completed" for one in made.steps))
    if made.limits.microusd is None:
        assert sum(len(parts) for parts in over.parts.values()) <= sum(one.ask for one in made.steps)


@settings(max_examples=100, deadline=None)
@given(made=dags(), first=st.randoms(use_true_random=False), second=st.randoms(use_true_random=False))
def test_the_order_in_which_parts_end_changes_nothing(made: Plan, first: Any, second: Any) -> None:
    """The same answers in another order give the same ends, the same parts and the same report."""
    made = msgspec.structs.replace(made, limits=PlanLimits(parts=200))

    def answer(name: str, ask: int) -> dict[str, Any]:
        return {"agent": f"{name}-{ask}", "output": f"{name} says {ask}", "good": (len(name) + ask) % 3 > 0}

    one, other = (drive(made, answer, lambda count, by=by: by.randrange(count)) for by in (first, second))  # type: ignore[misc]

    assert {name: end.outcome for name, end in one.ended.items()} == {name: end.outcome for name, end in other.ended.items()}
    assert {name: [part.task_id for part in parts] for name, parts in one.parts.items()} == {
        name: [part.task_id for part in parts] for name, parts in other.parts.items()
    }


@settings(max_examples=100, deadline=None)
@given(made=dags(), data=st.data())
def test_a_circle_is_found_with_its_path(made: Plan, data: st.DataObject) -> None:
    """Whatever the plan: where steps are bent into a ring, the path goes once around and each waits for the next."""
    ring = data.draw(st.lists(st.sampled_from([one.id for one in made.steps]), min_size=1, max_size=4, unique=True))
    waits = {name: ring[(place + 1) % len(ring)] for place, name in enumerate(ring)}
    bent = tuple(
        msgspec.structs.replace(one, after=tuple({*one.after, waits[one.id]})) if one.id in waits else one for one in made.steps
    )
    bad = msgspec.structs.replace(made, steps=bent)

    path = cycle(bad)

    assert path[0] == path[-1]
    assert len(path) > 1
    assert " -> ".join(path) in str(faults(bad)[0])


def test_parts_that_need_nothing_are_asked_for_at_once_and_twice_heard_is_once() -> None:
    """Side by side; a repeat of anything changes nothing, and asking again asks for nothing."""
    moved = advance(fresh(plan(step("a"), step("b"), step("c", "${a.output} ${b.output}"))), {})

    assert [one.fact.step for one in moved.starts] == ["a", "b"]
    assert advance(moved.standing, {}) == Moved(moved.standing, (), ())
    part = moved.standing.parts["a"][0].task_id
    once = moved.standing
    for fact in told(part, output="x", cost=5):
        once = heard(once, part, fact)
    twice = once
    for fact in told(part, agent="bob", output="y", cost=7):
        twice = heard(twice, part, fact)
    assert twice == once


def test_several_agents_are_asked_one_after_the_other_so_that_they_differ() -> None:
    """The second is asked when the first is known, and told whom to avoid; if nobody else is there, that is all."""
    moved = advance(fresh(plan(step("a", ask=3))), {})
    first = moved.standing.parts["a"][0].task_id
    moved = advance(heard(moved.standing, first, chosen_by(first, "ann")), {})

    assert [one.fact.avoid for one in moved.starts] == [("ann",)]
    second = moved.standing.parts["a"][1].task_id
    nobody = TaskEnded(tenant="default", task_id=second, scope="default", outcome="failed", attempts=0, reason="no_agent_fits")
    moved = advance(heard(moved.standing, second, nobody), {})
    assert moved.starts == ()
    standing = moved.standing
    for fact in told(first):
        standing = heard(standing, first, fact)
    assert advance(standing, {first: "done"}).standing.outcome == "completed"


def test_a_request_that_was_refused_ends_its_step() -> None:
    """Intake's refusal is an end like any other, with its reason."""
    moved = advance(fresh(plan(step("a"))), {})
    part = moved.standing.parts["a"][0].task_id
    refused = RequestRefused(
        tenant="default",
        request_key="k",
        request_id="r",
        requested_by=SUPERVISOR,
        reason="unknown_agent",
        detail="agent: there is no agent 'x'",
        origin="t/0/0",
    )

    over = advance(heard(moved.standing, part, refused), {}).standing

    assert (over.outcome, over.ended["a"].reason) == ("failed", "unknown_agent")


def test_no_step_begins_when_the_money_is_spent() -> None:
    """The limit is looked at before each step; what is under way ends, the rest is skipped and said so."""
    made = plan(step("a"), step("b", "${a.output}"), limits=PlanLimits(microusd=5))

    over = drive(made, lambda _name, _ask: {"cost": 5})

    assert over.ended["b"].reason == "budget"
    assert over.outcome == "partial"


def test_what_a_reference_names_keeps_its_type_and_a_missing_one_is_told() -> None:
    """Alone it is the value, within a text it is text; a path that leads nowhere says where it stops."""
    known = {"a": {"output": {"rows": [{"n": 3}], "name": "x"}}}

    assert filled({"n": "${a.output.rows[0].n}", "s": "n=${a.output.rows[0].n}"}, known) == {"n": 3, "s": "n=3"}
    assert filled("${a.output.rows}", known) == [{"n": 3}]
    for bad, where in (("${a.output.rows[1]}", "[1]"), ("${a.output.rows.n}", "no n"), ("${b.output}", "not known")):
        with pytest.raises(ReferenceMissing, match=where.replace("[", r"\[")):
            filled(bad, known)


def test_text_that_an_agent_gave_is_never_read_as_a_reference() -> None:
    """What another step said stands where it is put, whatever it looks like: one pass, no second reading."""
    known = {"a": {"output": "${task.text}"}, "task": {"text": "secret"}}

    assert filled("look: ${a.output}", known) == "look: ${task.text}"


@pytest.mark.parametrize(
    ("made", "what"),
    [
        (plan(step("a"), step("a")), "two steps have this id"),
        (plan(step("task")), "stands for the task itself"),
        (plan(step("a", "${b.output}")), "there is no step 'b'"),
        (plan(step("a", after=("z",))), "there is no step 'z'"),
        (plan(step("a", "${a}")), "after 'a' comes .output"),
        (plan(step("a", "${Task.text}")), "is no reference"),
        (plan(step("a", ask=3), limits=PlanLimits(parts=2)), "3 parts, and its limit is 2"),
        (plan(step("a", agent="x", ask=2)), "names one agent and asks several"),
        (plan(step("a", "${a.output}")), "a -> a"),
    ],
)
def test_what_is_wrong_with_a_plan_is_told(made: Plan, what: str) -> None:
    """In words that say what to change."""
    assert what in "\n".join(map(str, faults(made)))


def test_skills_that_nobody_has_are_refused_where_they_are_known() -> None:
    """A step that names its agent needs no skill."""
    assert "no agent has the skill 'work'; there are sums" in str(faults(plan(step("a")), {"sums"})[0])
    assert faults(plan(step("a", agent="ann")), {"sums"}) == ()


def test_the_shapes_of_the_house_are_sound() -> None:
    """Every file is read, and none has a fault."""
    files = sorted(FOLDER.glob("*.yaml"))

    assert [str(fault) for file in files for fault in read(file.name, file.read_bytes()).faults] == []
    assert len(load()) == len(files) >= 5


def test_several_inputs_get_the_steps_of_every_shape_that_fits_side_by_side() -> None:
    """A scan, a table and a review: one plan, a copy of the steps for each file, references set right, and sound."""
    files = [
        FileRef("a.png", "image/png", "aa", 1),
        FileRef("b.csv", "text/csv", "bb", 1),
        FileRef("c.pdf", "application/pdf", "cc", 1),
    ]

    made, names = instantiated(load(), files, {"review": "good", "question": "why?"}, "Look at this.")

    assert made is not None
    assert [one.split("/")[0] for one in names] == ["document", "question", "review", "table"]
    by = {one.id: one for one in made.steps}
    assert by["document_1_read"].files == ("${task.files[0]}",)
    assert by["document_3_entities"].text == "${document_3_read.output.text}"
    assert by["table_2_table"].files == ("${task.files[1]}",)
    assert faults(made) == ()
    assert instantiated(load(), [], {}, "") == (None, ())


def scan(name: str) -> FileRef:
    """Return a file that is a scan."""
    return FileRef(name, "image/png", "aa", 1)


def test_words_choose_a_shape_that_stands_instead_of_another_and_compares_all_copies() -> None:
    """Two scans are read side by side, and what was found in both is compared; one scan, or no such words: as ever."""
    files = [scan("invoice.png"), scan("order.png")]

    made, names = instantiated(load(), files, {}, "Does the invoice match the order?")
    plain, others = instantiated(load(), files, {}, "Read this.")
    one, single = instantiated(load(), files[:1], {}, "Does the invoice match the order?")

    assert made is not None
    assert plain is not None
    assert one is not None
    assert (names, others, single) == (("compare/1",), ("document/1",), ("document/1",))
    last = made.steps[-1]
    assert last.kind == "compare"
    assert last.input == {
        "items": ["${compare_1_entities.output.entities}", "${compare_2_entities.output.entities}"],
        "names": ["${task.files[0].name}", "${task.files[1].name}"],
    }
    assert faults(made) == faults(plain) == faults(one) == ()


def test_a_shape_for_entries_has_a_copy_of_each_and_one_step_over_all() -> None:
    """References are set right by place; texts of all are joined; too many are refused, and what is no list is not meant."""
    made, _ = instantiated(load(), [], {"reviews": ["good", "bad", "so so"]}, "")

    assert made is not None
    assert [(one.kind, one.text) for one in made.steps] == [
        *(("sentiment", f"${{task.input.reviews[{at}]}}") for at in range(3)),
        ("summary", "\n\n".join(f"${{task.input.reviews[{at}]}}" for at in range(3))),
    ]
    assert faults(made) == ()
    assert instantiated(load(), [], {"reviews": "good"}, "") == (None, ())
    with pytest.raises(TooMany, match="21 of what the shape 'reviews' is for; 20 at most"):
        instantiated(load(), [], {"reviews": ["x"] * 21}, "")


HEAD = "name: x\ndescription: d\nsteps:\n"
TWO = "  - id: a\n    kind: k\n    text: {}\n  - id: b\n    kind: k\n    text: {}\n"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (HEAD + TWO.format("t", "${c.output}"), "x.yaml:7: step b"),
        (HEAD + TWO.format("${b.output}", "${a.output}"), "a -> b -> a"),
        ("name: x\ndescription: d\nsteps:\n  - id: A\n    kind: k\n    text: t\n", "x.yaml:4"),
        ("name: x\ndescription: d\nsteps: []\n", "x.yaml:3"),
        ("name: x\ndescription: d\nstep: []\n", "x.yaml:1"),
        ("name: x\ndescription: d\nsteps:\n  - {id: a, kind: k, text: '${file.name}'}\n", "after 'file' comes .output"),
        (HEAD + TWO.format("t", "t") + "then:\n  - {id: c, kind: k, text: '${all.d.output}'}\n", "x.yaml:11: step c"),
        (HEAD + TWO.format("t", "t") + "then:\n  - {id: a, kind: k, text: t}\n", "two steps have this id"),
        ("- x\n", "x.yaml:1"),
    ],
)  # fmt: skip
def test_a_fault_in_a_shape_is_told_with_file_and_line(content: str, said: str) -> None:
    """As compilers do."""
    shape, found = read("x.yaml", content.encode())

    assert shape is None
    assert said in "\n".join(map(str, found))


def test_a_report_names_who_did_what_what_is_missing_and_what_is_open() -> None:
    """The same standing gives the same bytes; the three merge rules."""
    made = plan(step("far", ask=2, title="How far"), step("bad"), step("near"))

    def answer(name: str, ask: int) -> dict[str, Any]:
        far = {"agent": f"a{ask}", "output": {"answer": f"It is {ask}0 km."}, "cost": 3}
        return far if name == "far" else {"good": name == "near"}

    over = drive(made, answer)
    outputs = {part.task_id: part.output for parts in over.parts.values() for part in parts}
    whole = merged(over, outputs)

    assert (whole["outcome"], whole["missing"], whole["open"], whole["cost_microusd"]) == ("partial", ["bad"], ["far"], 6)
    assert "**Open**" in whole["report"]
    assert '- a1: {"answer":"It is 10 km."}' in whole["report"]
    assert all(part.task_id in whole["report"] for parts in over.parts.values() for part in parts)
    assert merged(over, outputs) == whole
    for rule, wanted in (("fields", {"near": "done"}), ("step", "done")):
        again = merged(msgspec.structs.replace(over, plan=msgspec.structs.replace(made, merge=rule)), outputs)
        assert again["answer"] == wanted or again["answer"].items() >= wanted.items()


@pytest.mark.parametrize(
    ("output", "line"),
    [
        ({"entities": [{"label": "ORG", "text": "Acme"}], "counts": {"ORG": 1}}, "| ORG | Acme |"),
        ({"columns": ["month", "sum"], "rows": [["May", 3], ["June", 4]]}, "| June | 4 |"),
        ({"rows": [{"n": 1}]}, "| n |"),
        ({"entities": [{"kind": "date", "text": "May 3", "start": 0, "end": 5}]}, "| date | May 3 |"),
        ({"label": "positive"}, "- label: positive"),
        ({"label": "positive", "confidence": 0.94, "chances": {"positive": 0.94}}, "**positive** (94% sure)"),
        ({"answer": "40", "citations": [{"document": "map", "chunk": 3}]}, '> {"chunk":3,"document":"map"}'),
        (
            {"answer": "4", "citations": [{"quote": "It is 4.", "title": "Map", "version": 2, "chunk": 3, "domain": "d"}]},
            '> "It is 4." (Map, version 2, passage 3)',
        ),
        (["a | b"], "- a \\| b"),
        (3, "3"),
        ({"forecast": [{"step": 1, "value": 17262.247264522626}], "back_test": {"x": 1}}, "| 1 | 17262.25 |"),
    ],
)
def test_outputs_of_any_form_are_shown(output: Any, line: str) -> None:
    """Lists of objects and rows as tables, the rest as lines; nothing breaks the table that it stands in."""
    over = drive(plan(step("a")), lambda _name, _ask: {"output": output})

    report = merged(over, {part.task_id: part.output for part in over.parts["a"]})["report"]

    assert line in report.splitlines()


def test_a_report_begins_with_what_was_asked_and_what_came_of_it_and_ends_with_who_and_why() -> None:
    """What nothing was made of comes first; then what that was made of; a single candidate was the only one who can."""
    over = drive(
        plan(step("read", title="Text"), step("sum", title="Summary", text="${read.output}")),
        lambda name, _ask: {"output": f"of {name}"},
    )

    told = merged(over, {part.task_id: part.output for parts in over.parts.values() for part in parts})["report"].splitlines()

    assert told[2].startswith("> ")
    assert told[4] == "All 2 steps were done."
    assert told[5].startswith("It took ")
    order = [line for line in told if line.startswith("#")]
    assert order[1:] == ["## Summary [2]", "# What that was made of", "## Text [1]", "## Who did what, and why"]
    assert told[-2].startswith("1. Text: ")
    assert told[-1].startswith("2. Summary: ")


def test_the_folder_of_shapes_lies_where_the_code_looks() -> None:
    """Beside the agents."""
    assert Path("agents/plans").resolve() == FOLDER
