"""From requests to facts: what becomes of each, and why some become none."""

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from events.agent import AgentPaused, AgentRegistered, AgentResumed, AgentRetired, AgentRevised
from events.calibration import CalibrationEnded, CalibrationStarted, CopyOf, Planned
from events.control import Control, evolve
from events.event import Envelope, Event, Fact
from events.experiment import ExperimentConcluded, ExperimentStarted, Variant
from events.model import ModelPromoted, ModelRegistered, ModelRejected, ModelRolledBack, ModelValidated, PolicySet
from events.request import (
    CancelTask,
    ChangeAgent,
    EndCalibration,
    ForgetTask,
    GiveFeedback,
    GivenFile,
    JudgeModel,
    OtherAnswer,
    PromoteModel,
    RegisterAgent,
    RegisterModel,
    Request,
    ReviseFeedback,
    RollBackModel,
    SetPolicy,
    StartCalibration,
    StartExperiment,
    StopExperiment,
    SubmitTask,
)
from events.task import (
    Against,
    Assignment,
    CancelRequested,
    FeedbackGiven,
    FeedbackRevised,
    RewardTerms,
    Sentiment,
    TaskAdmitted,
    TaskForgotten,
    TaskSubmitted,
)
from learning.statistics import uniformity
from streams.admission import Asked, Reading, Refused, Rules, admit_task, facts_about_task, wants_sentiment
from streams.change import control_fact
from tests.builders import (
    SCOPE,
    START,
    TASK,
    TENANT,
    calibration_ended,
    calibration_started,
    concluded,
    copy_of,
    experiment_started,
    features,
    model_id,
    model_judged,
    model_promoted,
    model_registered,
    moment,
    origin,
    policy_set,
    registered,
    retired,
    spec,
)

OTHER = "0b0f1a2e-0000-5000-8000-000000000002"
REGISTERED = model_registered(1)
CHAMPIONS = tuple(make(number) for number in (1, 2) for make in (model_registered, model_judged, model_promoted))
TERMS = RewardTerms("balance/1", 0.0, 0.0, 1_000, 1_000_000)
RULES = Rules(
    task_deadline_s=60, max_attempts=3, blob_threshold_bytes=100, reply_topics={"ours"}, admins={TENANT}, reward={TENANT: TERMS}
)


def asked(request: Request, request_id: str = "r1", tenant: str = TENANT) -> Asked:
    """Return a request in its envelope."""
    envelope = Envelope(id=request_id, source="shop", subject="", time=START, correlation_id=request_id, causation_id=request_id)
    return Asked(tenant, envelope, request)


def admitted(request: SubmitTask, control: Control | None = None, request_id: str = "r1") -> tuple[TaskSubmitted, TaskAdmitted]:
    """Admit a task at the start of the tests' time."""
    reading = Reading("en", features())
    return admit_task(asked(request, request_id), request, reading, control or Control(), {"agents": 3}, RULES, START)


def in_force(*events: Event[Fact]) -> Control:
    """Return what is in force after these facts."""
    control = Control()
    for event in events:
        control = evolve(control, event.fact)
    return control


def changed(request: Request, control: Control | None = None, tenant: str = TENANT) -> Fact:
    """Return the fact of a request that changes what is in force."""
    return control_fact(asked(request, tenant=tenant), control or Control(), RULES, lambda _: features())


def test_a_submission_becomes_two_facts() -> None:
    """What was asked and what was read of it, under one task id, with the operator's defaults filled in."""
    submitted, read = admitted(SubmitTask(text="2+2", kind="arithmetic"))

    assert submitted.task_id == read.task_id
    assert submitted.deadline == moment(60)
    assert (submitted.max_attempts, read.context.max_attempts) == (3, 3)
    assert read.context.seen == {"agents": 3}


def test_what_a_task_brings_goes_with_it() -> None:
    """Names of its input and kinds of its files, sorted; too many or too long ones are not carried along."""
    bare = admitted(SubmitTask(text="a"))[1]
    sheet = GivenFile(name="a.csv", media_type="text/csv", content=b"a")
    full = admitted(SubmitTask(text="a", input={"unit": 1, "csv": "x"}, files=(sheet,)))[1]
    many = admitted(SubmitTask(text="a", input={f"n{number}": 1 for number in range(65)}))[1]
    long = admitted(SubmitTask(text="a", input={"n" * 101: 1}))[1]

    assert [one.context.brings for one in (bare, full, many, long)] == [(), ("csv", "file:text/csv", "unit"), None, None]


def test_one_request_is_one_task() -> None:
    """The task id follows from tenant, source and request id alone."""
    first, _ = admitted(SubmitTask(text="a"))
    again, _ = admitted(SubmitTask(text="b"))
    other, _ = admitted(SubmitTask(text="a"), request_id="r2")

    assert first.task_id == again.task_id
    assert first.task_id != other.task_id


def test_a_long_text_is_referred_to() -> None:
    """Above the threshold the fact holds the hash, below it the text."""
    long, _ = admitted(SubmitTask(text="x" * 101))
    short, _ = admitted(SubmitTask(text="x" * 100))

    assert (long.text, long.text_chars) == (None, 101)
    assert short.text == "x" * 100


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"deadline": START - timedelta(seconds=1)}, "deadline_passed"),
        ({"reply_to": "somewhere"}, "reply_to_not_allowed"),
    ],
)
def test_what_cannot_be_kept_is_refused(fields: dict[str, Any], reason: str) -> None:
    """A deadline in the past and an unknown answer topic are refused by name."""
    with pytest.raises(Refused) as refused:
        admitted(SubmitTask(text="a", **fields))

    assert refused.value.reason == reason


def test_the_reward_is_fixed_with_the_task() -> None:
    """A task that says nothing has the tenant's terms, and what it does say takes their place, one by one."""
    _, usual = admitted(SubmitTask(text="a"))
    _, dear = admitted(SubmitTask(text="a", costs=0.3))
    _, both = admitted(SubmitTask(text="a", costs=0.3, latency=0.7))

    assert usual.context.reward == TERMS
    assert dear.context.reward == replace(TERMS, cost_weight=0.3)
    assert both.context.reward == replace(TERMS, cost_weight=0.3, latency_weight=0.7)


@pytest.mark.parametrize(
    ("fields", "named"), [({"costs": 0.6}, "costs"), ({"latency": 1.0}, "latency"), ({"costs": 1.0, "latency": 1.0}, "costs")]
)
def test_weights_that_leave_less_than_nothing_are_refused(fields: dict[str, float], named: str) -> None:
    """What a task asks for beside the tenant's own weights is refused, with the field that is too much."""
    rules = replace(RULES, reward={TENANT: replace(TERMS, cost_weight=0.25, latency_weight=0.5)})
    request = SubmitTask(text="a", **fields)

    with pytest.raises(Refused, match=f"^{named}: ") as refused:
        admit_task(asked(request), request, Reading("en", features()), Control(), {}, rules, START)

    assert refused.value.reason == "reward_weights"


def test_variants_are_sticky_and_even() -> None:
    """One unit always gets one variant; over many units the shares are as weighted (chi-squared)."""
    control = in_force(experiment_started("exp", variants=(Variant("a", "uniform"), Variant("b", "ridge_igw"))))

    def variant_of(number: int) -> str:
        _, read = admitted(SubmitTask(text="a", unit=f"unit-{number}"), control, request_id=f"r{number}")
        assert isinstance(read.context.assignment, Assignment)
        return read.context.assignment.variant

    drawn = [variant_of(number) for number in range(2000)]

    assert drawn[:50] == [variant_of(number) for number in range(50)]
    assert uniformity([drawn.count("a"), drawn.count("b")]) > 0.001


@pytest.mark.parametrize("ending", [concluded("exp"), policy_set("uniform")], ids=["concluded", "a policy set by hand"])
def test_nobody_is_assigned_any_more(ending: Event[Fact]) -> None:
    """After an experiment's end, or under a policy set by hand, tasks carry no variant."""
    _, read = admitted(SubmitTask(text="a"), in_force(experiment_started("exp"), ending))

    assert read.context.assignment is None


def about_task(request: CancelTask | ForgetTask | GiveFeedback | ReviseFeedback) -> Fact:
    """Return the fact of a request about a task."""
    return facts_about_task(asked(request), request)


def test_feedback_cancellation_and_forgetting_become_facts() -> None:
    """What somebody thinks of a task, and the wish to stop or to forget it, are facts about that task."""
    given = about_task(GiveFeedback(task_id=TASK, rater="ann", value=1.0))
    revised = about_task(ReviseFeedback(task_id=TASK, rater="ann", revision=2, value=0.5))
    cancelled = about_task(CancelTask(task_id=TASK))
    forgotten = about_task(ForgetTask(task_id=TASK, reason="private"))

    assert isinstance(given, FeedbackGiven)
    assert isinstance(revised, FeedbackRevised)
    assert revised.revision == 2
    assert isinstance(cancelled, CancelRequested)
    assert isinstance(forgotten, TaskForgotten)
    assert (forgotten.task_id, forgotten.reason) == (TASK, "private")


UNUSABLE: list[tuple[str, dict[str, Any]]] = [
    ("value", {"kind": "score"}),
    ("value", {"kind": "boolean", "value": 0.5}),
    ("value", {"kind": "comparison", "value": 0.25, "against": OtherAnswer(task_id=OTHER)}),
    ("value", {"kind": "comparison", "against": OtherAnswer(task_id=OTHER)}),
    ("correction", {"kind": "correction"}),
    ("correction", {"kind": "correction", "correction": "", "comment": "no"}),
    ("comment", {"kind": "comment", "correction": "42"}),
    ("against", {"kind": "comparison", "value": 1.0}),
    ("against", {"kind": "score", "value": 1.0, "against": OtherAnswer(task_id=OTHER)}),
    ("against", {"kind": "comparison", "value": 1.0, "against": OtherAnswer(task_id=TASK)}),
    ("against", {"kind": "comparison", "value": 1.0, "against": OtherAnswer(attempt=1)}),
    ("against", {"kind": "comparison", "value": 1.0, "attempt": 1, "against": OtherAnswer(attempt=1)}),
]


@pytest.mark.parametrize(("field", "said"), UNUSABLE)
def test_feedback_that_says_nothing_usable_is_refused(field: str, said: dict[str, Any]) -> None:
    """What its kind needs and does not have, or has and may not, is refused by the field, given or revised."""
    for request in (
        GiveFeedback(task_id=TASK, rater="ann", **said),
        ReviseFeedback(task_id=TASK, rater="ann", revision=1, **said),
    ):
        with pytest.raises(Refused, match=f"^{field}: ") as refused:
            about_task(request)

        assert refused.value.reason == "feedback_unusable"


@pytest.mark.parametrize(
    ("other", "attempt", "against"),
    [
        (OtherAnswer(task_id=OTHER), None, Against(OTHER, None)),
        (OtherAnswer(task_id=OTHER, attempt=2), None, Against(OTHER, 2)),
        (OtherAnswer(attempt=1), 2, Against(TASK, 1)),
    ],
)
def test_a_comparison_names_the_other_answer(other: OtherAnswer, attempt: int | None, against: Against) -> None:
    """Whichever way it was named, the fact says which task's answer it was."""
    fact = about_task(GiveFeedback(task_id=TASK, rater="ann", kind="comparison", value=0.5, attempt=attempt, against=other))

    assert isinstance(fact, FeedbackGiven)
    assert (fact.kind, fact.value, fact.against) == ("comparison", 0.5, against)


def test_what_was_read_out_of_a_comment_is_kept() -> None:
    """The fact holds the number and what made it, so that a replay asks no model; only comments without a value are read."""
    request = GiveFeedback(task_id=TASK, rater="ann", kind="comment", comment="fine")
    felt = Sentiment("vaderSentiment/3.3.2", 0.2)

    fact = facts_about_task(asked(request), request, felt)

    assert isinstance(fact, FeedbackGiven)
    assert fact.sentiment == felt
    assert wants_sentiment(request) == "fine"
    assert wants_sentiment(replace(request, value=0.5)) is None
    assert wants_sentiment(replace(request, kind="correction", correction="42")) is None


def test_a_task_may_name_its_agent() -> None:
    """The name stands in both facts, and the task takes part in no experiment: no policy chooses for it."""
    control = in_force(registered("a"), experiment_started("exp", variants=(Variant("a", "uniform"), Variant("b", "ridge_igw"))))

    submitted, read = admitted(SubmitTask(text="x", agent="a"), control)

    assert (submitted.agent, read.context.agent, read.context.assignment) == ("a", "a", None)
    assert admitted(SubmitTask(text="x"), control)[1].context.assignment is not None


COPY = SubmitTask(text="x", agent="a", copy_of=copy_of())
RUNNING = in_force(registered("a"), calibration_started())


def test_a_copy_says_what_it_is() -> None:
    """A copy is a task of its own, with the calibration and the task that it does again."""
    submitted, _ = admitted(COPY, RUNNING)

    assert submitted.copy_of == CopyOf("cal", TASK)
    assert submitted.task_id != TASK


@pytest.mark.parametrize(
    ("request_", "control", "reason"),
    [
        (SubmitTask(text="x", agent="ghost"), in_force(registered("a")), "unknown_agent"),
        (SubmitTask(text="x", agent="a"), in_force(registered("a"), retired("a")), "unknown_agent"),
        (COPY, in_force(registered("a")), "calibration_not_running"),
        (COPY, in_force(registered("a"), calibration_started(), calibration_ended()), "calibration_not_running"),
        (SubmitTask(text="x", copy_of=copy_of()), RUNNING, "bad_copy"),
    ],
    ids=["unknown", "retired", "no calibration", "calibration over", "copy for nobody"],
)
def test_an_agent_or_a_calibration_that_is_not_there_is_refused(request_: SubmitTask, control: Control, reason: str) -> None:
    """Whoever names what nobody knows hears it at once, not when a deadline has passed."""
    with pytest.raises(Refused) as refused:
        admitted(request_, control)

    assert refused.value.reason == reason


START_CALIBRATION = StartCalibration(calibration_id="cal", tasks=(Planned(TASK, ("a",)),))
END_CALIBRATION = EndCalibration(calibration_id="cal", why="tasks_done", copies=1, judged=1, cost_microusd=0, costed=0)


@pytest.mark.parametrize("elsewhere", [{}, {"pipeline": "remote", "pool": "farm"}], ids=["here", "elsewhere"])
def test_an_agent_that_registers_has_its_examples_read(elsewhere: dict[str, str]) -> None:
    """Each has its features in the fact, in order, after a revision those of the new spec; the fold keeps them."""
    texts = ("add 1 and 2", "zähle 3 und 4 zusammen")
    first, second = (RegisterAgent(spec=spec("a", examples=some, **elsewhere)) for some in (texts, texts[1:]))

    def registering(request: RegisterAgent, control: Control) -> AgentRegistered | AgentRevised:
        made = control_fact(asked(request), control, RULES, lambda text: features(embedding=text.encode()))
        assert isinstance(made, AgentRegistered | AgentRevised)
        return made

    before = registering(first, in_force())
    after = registering(second, evolve(in_force(), before))

    assert [one.embedding.decode() for one in before.examples] == list(texts)
    assert [one.embedding.decode() for one in after.examples] == [texts[1]]
    known = evolve(evolve(in_force(), before), after).agents[before.tenant, "a"]
    assert (type(after), known.examples) == (AgentRevised, after.examples)


@pytest.mark.parametrize(
    ("request_", "control", "kind"),
    [
        (RegisterAgent(spec=spec("a")), in_force(), AgentRegistered),
        (RegisterAgent(spec=spec("a")), in_force(registered("a")), AgentRevised),
        (RegisterAgent(spec=spec("a")), in_force(registered("a"), retired("a")), AgentRegistered),
        (ChangeAgent(agent_id="a", change="pause"), in_force(registered("a")), AgentPaused),
        (ChangeAgent(agent_id="a", change="resume"), in_force(registered("a")), AgentResumed),
        (ChangeAgent(agent_id="a", change="retire"), in_force(registered("a")), AgentRetired),
        (
            StartExperiment(experiment_id="e", variants=(Variant("a", "uniform"), Variant("b", "ridge_igw"))),
            in_force(),
            ExperimentStarted,
        ),
        (StopExperiment(experiment_id="exp"), in_force(experiment_started("exp")), ExperimentConcluded),
        (START_CALIBRATION, in_force(registered("a")), CalibrationStarted),
        (END_CALIBRATION, in_force(calibration_started()), CalibrationEnded),
        (SetPolicy(policy="uniform", reason="fire"), in_force(), PolicySet),
        (SetPolicy(policy=None, reason="over"), in_force(), PolicySet),
        (RegisterModel(scope=SCOPE, origin=origin(1)), in_force(), ModelRegistered),
        (RegisterModel(scope=SCOPE, origin=origin(2), parent=model_id(1)), in_force(model_registered(1)), ModelRegistered),
        (JudgeModel(scope=SCOPE, model_id=model_id(1), verdict="validated", reason="x"), in_force(REGISTERED), ModelValidated),
        (JudgeModel(scope=SCOPE, model_id=model_id(1), verdict="rejected", reason="x"), in_force(REGISTERED), ModelRejected),
        (PromoteModel(scope=SCOPE, model_id=model_id(1), reason="x"), in_force(REGISTERED, model_judged(1)), ModelPromoted),
        (RollBackModel(scope=SCOPE, reason="x"), in_force(*CHAMPIONS), ModelRolledBack),
    ],
)
def test_changes_of_what_is_in_force(request_: Request, control: Control, kind: type[Fact]) -> None:
    """Each change that makes sense becomes its fact."""
    assert type(changed(request_, control)) is kind


@pytest.mark.parametrize(
    "request_",
    [PromoteModel(scope=SCOPE, model_id=model_id(2), reason="x", alias="shadow"), RollBackModel(scope=SCOPE, reason="x")],
)
def test_a_version_of_another_encoder_is_refused_when_it_is_to_serve(request_: Request) -> None:
    """Its contexts are not those that are made here: said at once, not at the first task; one of the same map goes through."""
    here, elsewhere = (replace(RULES, context_map=digest) for digest in ("c0" * 32, "ee" * 32))
    fact = control_fact(asked(request_), in_force(*CHAMPIONS), here, lambda _: features())
    with pytest.raises(Refused, match="of width 8 by map c0c0c0c0c0c0; the encoder that serves makes others") as refused:
        control_fact(asked(request_), in_force(*CHAMPIONS), elsewhere, lambda _: features())

    assert refused.value.reason == "other_context_map"
    assert getattr(fact, "model_id", None) in (model_id(1), model_id(2))


@pytest.mark.parametrize(
    ("request_", "control", "reason"),
    [
        (ChangeAgent(agent_id="a", change="pause"), in_force(), "unknown_agent"),
        (ChangeAgent(agent_id="a", change="resume"), in_force(registered("a"), retired("a")), "unknown_agent"),
        (RegisterAgent(spec=spec("a", skills=())), in_force(), "bad_spec"),
        (RegisterAgent(spec=spec("a", examples=("add 1 and 2", " "))), in_force(), "bad_spec"),
        (RegisterAgent(spec=spec("a", examples=("add 1 and 2", "add 1 and 2"))), in_force(), "bad_spec"),
        (SetPolicy(policy="nonsense", reason="x"), in_force(), "bad_policy"),
        (SetPolicy(policy="ridge_igw", parameters={"ridge": -1}, reason="x"), in_force(), "bad_policy"),
        (
            StartExperiment(experiment_id="e2", variants=(Variant("a", "uniform"), Variant("b", "uniform"))),
            in_force(experiment_started("exp")),
            "experiment_running",
        ),
        (
            StartExperiment(experiment_id="exp", variants=(Variant("a", "uniform"), Variant("b", "uniform"))),
            in_force(experiment_started("exp"), concluded("exp")),
            "experiment_exists",
        ),
        (
            StartExperiment(experiment_id="e", variants=(Variant("a", "uniform"), Variant("a", "uniform"))),
            in_force(),
            "bad_variants",
        ),
        (StopExperiment(experiment_id="exp"), in_force(experiment_started("exp"), concluded("exp")), "experiment_not_running"),
        (START_CALIBRATION, in_force(), "unknown_agent"),
        (START_CALIBRATION, in_force(registered("a"), calibration_started()), "calibration_exists"),
        (replace(START_CALIBRATION, tasks=(Planned(TASK, ("a", "a")),)), in_force(registered("a")), "bad_plan"),
        (replace(START_CALIBRATION, tasks=(Planned(TASK, ("a",)), Planned(TASK, ("a",)))), in_force(registered("a")), "bad_plan"),
        (END_CALIBRATION, in_force(), "calibration_not_running"),
        (END_CALIBRATION, in_force(calibration_started(), calibration_ended()), "calibration_not_running"),
        (RegisterModel(scope=SCOPE, origin=origin(1, policy="nonsense")), in_force(), "bad_policy"),
        (RegisterModel(scope=SCOPE, origin=origin(1, policy_version=99)), in_force(), "other_policy_version"),
        (RegisterModel(scope=SCOPE, origin=origin(1), parent=model_id(2)), in_force(), "unknown_parent"),
        (RegisterModel(scope="games", origin=origin(1), parent=model_id(1)), in_force(REGISTERED), "unknown_parent"),
        (JudgeModel(scope=SCOPE, model_id=model_id(1), verdict="validated", reason="x"), in_force(), "unknown_model"),
        (PromoteModel(scope=SCOPE, model_id=model_id(1), reason="x"), in_force(), "unknown_model"),
        (PromoteModel(scope=SCOPE, model_id=model_id(1), reason="x"), in_force(REGISTERED), "not_validated"),
        (
            PromoteModel(scope=SCOPE, model_id=model_id(1), reason="x"),
            in_force(REGISTERED, model_judged(1), model_judged(1, at=5, fine=False)),
            "not_validated",
        ),
        (PromoteModel(scope=SCOPE, model_id=model_id(2), reason="x"), in_force(*CHAMPIONS), "has_alias"),
        (PromoteModel(scope="games", model_id=model_id(1), reason="x"), in_force(*CHAMPIONS), "unknown_model"),
        (RollBackModel(scope=SCOPE, reason="x"), in_force(*CHAMPIONS[:3]), "no_champion_before"),
        (RollBackModel(scope=SCOPE, reason="x"), in_force(*CHAMPIONS, model_judged(1, at=9, fine=False)), "no_champion_before"),
    ],
)
def test_changes_that_make_no_sense_are_refused(request_: Request, control: Control, reason: str) -> None:
    """What does not exist, or is in the way, is named."""
    with pytest.raises(Refused) as refused:
        changed(request_, control)

    assert refused.value.reason == reason


def test_a_version_is_promoted_with_what_it_was_folded_with() -> None:
    """The fact has its policy and all its settings, so who folds it needs nothing else."""
    fact = changed(PromoteModel(scope=SCOPE, model_id=model_id(1), reason="better"), in_force(REGISTERED, model_judged(1)))

    assert isinstance(fact, ModelPromoted)
    assert (fact.policy, fact.parameters, fact.alias, fact.promoted_by) == ("ridge_igw", {"ridge": 1.0}, "champion", "shop")


def test_who_is_gone_back_to_is_decided_by_what_is_in_force() -> None:
    """From the second champion to the first, and after a policy set by hand to the champion that it pushed aside."""
    back = changed(RollBackModel(scope=SCOPE, reason="worse"), in_force(*CHAMPIONS))
    aside = changed(RollBackModel(scope=SCOPE, reason="over"), in_force(*CHAMPIONS, policy_set("uniform", at=9)))

    assert [one.model_id for one in (back, aside) if isinstance(one, ModelRolledBack)] == [model_id(1), model_id(2)]


def test_only_admins_change_what_is_in_force() -> None:
    """A tenant without the right changes nothing."""
    with pytest.raises(Refused) as refused:
        changed(SetPolicy(policy="uniform", reason="mine"), tenant="guest")

    assert refused.value.reason == "not_allowed"
