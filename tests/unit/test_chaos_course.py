"""What chaos does in a run follows from its seed, and reaches everything."""

import itertools
from collections import Counter
from pathlib import Path

import pytest

from smolit.chaos.bomb import Bomb
from smolit.chaos.bug import BUGS
from smolit.chaos.course import course
from smolit.chaos.plan import NOTES, POINTS, Fuse, Plan, read_plan, write_plan
from smolit.chaos.script import EFFECTS, jobs
from smolit.process.roster import PROCESSES

SERVERS = ("kafka", "postgres")


def struck(kills: int, seed: int = 7) -> Counter[str]:
    """Return how often each process and server is killed in a run."""
    return Counter(blow.name for one in course(kills, seed) if one.kind != "zombies" for blow in one.blows)


@pytest.mark.parametrize("kills", [1, 9, 10, 30, 60, 300])
def test_a_run_deals_as_many_kills_as_were_asked_for(kills: int) -> None:
    """Servers and processes together are killed exactly as often as the command says."""
    assert struck(kills).total() == kills


def test_sixty_kills_hit_each_server_five_times_and_every_process() -> None:
    """A run of sixty kills broker and Postgres five times each, and leaves no process out."""
    hit = struck(60)

    assert [hit[server] for server in SERVERS] == [5, 5]
    assert min(hit[name] for name in PROCESSES) >= 5


def test_sixty_kills_take_kafka_away_for_longer_than_anybody_waits() -> None:
    """One outage outlives a publisher's patience; the others are short."""
    away = [blow.away_s for one in course(60, 7) if one.kind == "server" for blow in one.blows if blow.name == "kafka"]

    assert sorted(seconds > 10 for seconds in away) == [False, False, False, False, True]


def test_a_course_follows_from_its_seed() -> None:
    """The same seed deals the same blows; another one does not."""
    assert course(60, 7) == course(60, 7)
    assert course(60, 7) != course(60, 8)


def test_three_hundred_kills_reach_every_point() -> None:
    """No named point is left out of a long run."""
    reached = {(blow.name, blow.fuse.point) for one in course(300, 1) for blow in one.blows if blow.fuse}

    assert reached >= {(name, point) for name, points in POINTS.items() for point in points}


@pytest.mark.parametrize("kills", [10, 60, 300])
def test_whoever_has_a_stand_in_falls_asleep(kills: int) -> None:
    """Every run that is more than a first look puts one of each to sleep at a point that it passes."""
    asleep = [blow for one in course(kills, 7) if one.kind == "zombies" for blow in one.blows]

    assert {blow.name for blow in asleep} == {"worker", "relay", "learning", "intake"}
    assert all(blow.fuse and blow.fuse.how == "stop" and blow.fuse.point in POINTS[blow.name] for blow in asleep)


def test_every_process_has_points() -> None:
    """A process that joins the roster must say where it can die."""
    assert set(POINTS) == set(PROCESSES)


def test_a_planted_bug_names_a_process_and_a_point_that_exist() -> None:
    """A bug in a process that is not there, or a fuse at a point nobody passes, would be caught by accident or never."""
    assert len(BUGS) >= 8
    for bug in BUGS.values():
        assert bug.process in PROCESSES
        assert bug.fuse.point in POINTS[bug.victim]


def test_the_load_has_everything_that_may_go_wrong() -> None:
    """Two hundred jobs hold both kinds of effects, and early, late, repeated, revised, forged and cancelled requests."""
    script = list(itertools.islice(jobs(1, "job"), 200))

    words = [word for job in script for word in job.words]
    assert {job.kind for job in script} >= set(EFFECTS)
    assert {word.when for word in words} == {"before", "after", "late"}
    assert max(word.revision for word in words) == 2
    assert all(any(getattr(job, flaw) for job in script) for flaw in ("cancelled", "repeated", "forged"))
    assert len({job.request_id for job in script}) == 200


def test_a_fuse_goes_off_at_its_pass_and_leaves_a_note(tmp_path: Path) -> None:
    """The third pass of the point strikes, other points do not count, and where it happened was written down before."""
    struck_with: list[int] = []
    write_plan(tmp_path / "plan.json", Plan(Fuse("send.after", passes=3)))
    bomb = Bomb(tmp_path / "plan.json", tmp_path / NOTES, "relay", "1", lambda _, signal: struck_with.append(signal))
    bomb.arm()

    for point in ("send.after", "send.before", "send.after", "mark.after"):
        bomb.passed(point)
    assert struck_with == []

    bomb.passed("send.after")
    bomb.passed("send.after")
    assert struck_with == [9]
    assert b'"point":"send.after"' in (tmp_path / NOTES).read_bytes()


def test_a_plan_survives_its_file(tmp_path: Path) -> None:
    """What is written is what is read."""
    plan = Plan(Fuse("ack.after", 2, "stop"), "swapped_events")

    write_plan(tmp_path / "plan.json", plan)

    assert read_plan(tmp_path / "plan.json") == plan
