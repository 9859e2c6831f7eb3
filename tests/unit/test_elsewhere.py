"""Pools, and workers that live elsewhere: what is decided without Kafka and Postgres."""

from pathlib import Path
from typing import Any

import pytest

from events.control import Control
from events.control import evolve as evolve_control
from events.event import Envelope, Event, Message
from events.pool import HOUSE, elsewhere, fits_a_topic, is_elsewhere, pool_of
from events.request import AnnounceWorker, AnswerAttempt, BeatWorker, SubmitTask
from events.task import FileRef
from events.topics import Names
from events.wire import Incoming, encode
from handlers import ordering
from handlers.ordering import order
from handlers.remote import hear, is_late, urgency
from smolit.process import pools
from smolit.process.roster import Slot, argv, pooled
from smolit.settings import load_settings
from store.claim import Claimed, Hold
from store.remote import Worker
from streams.elsewhere import for_intake
from streams.inspection import Healthy, Sick, inspect
from tests.builders import NAMES, TASK, TENANT, chosen, context, moment, registered, spec, submitted

FACTOR = spec("factor", pipeline="remote", pool="farm", prompts={"system": "be brief"}, timeout_s=9.0)
FARM = Worker(TENANT, "farm", "w1", elsewhere(TENANT, "farm"), 2)


def record(said: Message, tenant: str = TENANT, at: float = 0.0) -> Incoming:
    """Return what somebody says on a tenant's request topic."""
    told = Envelope(id="r-1", source="farm", subject="", time=moment(at), correlation_id="r-1", causation_id="r-1")
    made = encode(NAMES.requests_of(tenant), Event(told, said))
    return Incoming(made.topic, 0, 7, made.key, made.headers, made.value)


def announce() -> AnnounceWorker:
    """Return an announcement."""
    return AnnounceWorker(worker="w1", pool="farm", capacity=2)


def test_a_pool_of_a_tenant_never_shares_a_label_with_one_of_ours() -> None:
    """The house's has none, ours have their names, and those elsewhere begin with what no name begins with."""
    labels = [
        pool_of(TENANT, spec("a")),
        pool_of(TENANT, spec("a", pool="farm")),
        pool_of(TENANT, FACTOR),
        pool_of("acme", FACTOR),
    ]

    assert labels == [HOUSE, "farm", "@default/farm", "@acme/farm"]
    assert [is_elsewhere(label) for label in labels] == [False, False, True, True]
    assert [fits_a_topic(name) for name in ("gpu-1", "", "GPU", "a.b", "-a", "a" * 64)] == [True] + [False] * 5


def test_topics_of_pools_are_told_apart_by_tenant() -> None:
    """The default tenant's are named after the pool alone."""
    names = Names("smolit")

    assert names.work_of("default", "farm") == "smolit.work.farm.v1"
    assert names.work_of("acme", "farm") == "smolit.work.acme.farm.v1"


def test_only_what_workers_say_is_heard() -> None:
    """The rest is passed over by its header; whose it is, is said by the topic."""
    others = record(SubmitTask(text="1 + 1"))
    (heard,) = hear([others, record(announce(), "acme")], NAMES, 1_000)

    assert (urgency(others), urgency(record(announce()))) == ("never", "now")
    assert (heard.tenant, heard.worker.holder, heard.worker.pool) == ("acme", "acme:farm#w1", "@acme/farm")
    assert hear([record(announce())], NAMES, 10) == []


@pytest.mark.parametrize(("age_s", "late"), [(0.0, False), (59.0, False), (61.0, True), (-300.0, False)])
def test_a_sign_of_life_that_is_read_late_is_none(age_s: float, late: bool) -> None:
    """A clock that is ahead does no harm."""
    (heard,) = hear([record(announce(), at=1_000 - age_s)], NAMES, 1_000)

    assert is_late(heard, moment(1_000)) is late


def claimed(**fields: Any) -> Claimed:
    """Return a claim."""
    task: Any = submitted(**fields)
    return Claimed(Hold(TASK, 1, 3), FARM.holder, task.fact, FACTOR, context(), chosen().envelope)


def test_files_go_along_as_long_as_there_is_room() -> None:
    """Larger ones, and those that nobody has, go by name and digest; what comes behind still fits."""
    files = tuple(FileRef(name, "text/plain", name * 32, 1) for name in ("aa", "bb", "cc"))
    command = order(claimed(files=files), FARM, "text", {"aa" * 32: b"x" * 600_000, "bb" * 32: b"y" * 200_000}, 10.0, moment(9))
    behind = order(claimed(files=files), FARM, "text", {"bb" * 32: b"y" * 800_000, "cc" * 32: b"z"}, 10.0, moment(9))

    assert [len(file.content or b"") for file in command.files] == [600_000, 0, 0]
    assert [len(file.content or b"") for file in behind.files] == [0, 0, 1]
    assert (command.epoch, command.prompts, command.due) == (3, {"system": "be brief"}, moment(9))


def test_the_key_of_side_effects_is_the_tasks_and_the_pools() -> None:
    """Neither attempt nor claim changes it."""
    one = claimed()
    again = Claimed(Hold(TASK, 2, 9), "another", one.task, FACTOR, context(), one.cause)
    other = Claimed(one.hold, one.worker, one.task, spec("factor", pipeline="remote", pool="barn"), context(), one.cause)

    assert ordering.key_of(one) == ordering.key_of(again) != ordering.key_of(other)


def asked(said: Message, tenant: str = TENANT) -> Healthy | Sick:
    """Return what intake makes of a record at first sight."""
    return inspect(record(said, tenant), tenant, 1_000)


def test_intake_answers_workers_only_where_nobody_listens_to_them() -> None:
    """A tenant with an agent elsewhere has a bridge; another one is told that it has none."""
    fact = registered("factor", spec=FACTOR).fact
    control = evolve_control(Control(), fact)
    beat = BeatWorker(worker="w1", pool="farm", capacity=1)
    said = AnswerAttempt(task_id=TASK, attempt=1, epoch=1, worker="w1", outcome="completed")

    assert [for_intake(asked(one), control) for one in (announce(), beat, said)] == [None] * 3
    refused = for_intake(asked(announce(), "acme"), control)
    assert isinstance(refused, Sick)
    assert refused.reason == "no_agent_elsewhere"
    task = asked(SubmitTask(text="x"))
    assert for_intake(task, control) is task


def test_the_runner_keeps_a_worker_for_wanted_pools_that_an_agent_is_in(tmp_path: Path) -> None:
    """Pools elsewhere have workers elsewhere; a pool that nobody asked for has none."""
    settings = load_settings(data_dir=tmp_path, pools=("models", "idle"))
    nothing = pools.wanted(settings)
    pools.path_of(tmp_path).parent.mkdir(parents=True)
    pools.tell(settings, ("@default/farm", "heavy", "models"))

    assert nothing == []
    assert pools.wanted(settings) == pooled(["models"]) == [Slot("worker", "models", "models")]
    assert argv(Slot("worker", "models", "models"))[-4:] == ["models", "--pool", "models", "--until-eof"]
