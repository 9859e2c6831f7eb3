"""MLflow's tables on a real Postgres: what they hold is what the facts say, whatever happened to whoever wrote it."""

import secrets
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from smolit.apart import address
from smolit.errors import TrackerUnusable
from smolit.stack import local
from smolit.tracking.content import digest
from smolit.tracking.course import catch_up, verify
from smolit.tracking.fold import Told, content, fold
from smolit.tracking.ground import SCHEMA, held_alone
from smolit.tracking.keeper import Keeper
from smolit.tracking.library import library
from store.errors import PostgresUnreachable
from tests.builders import model_registered
from tests.stacks import Namespace, namespace_on
from tests.tracked import facts

TOLD = facts()
WANTED = content(fold(TOLD))


@pytest.fixture(scope="module")
def empty(stack: local.Endpoints, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """MLflow's tables with nothing in them; to make these takes seconds, to copy them does not."""
    with namespace_on(stack, tmp_path_factory.mktemp("tracking") / "data") as mine:
        catch_up(mine.postgres, [])
        yield mine.postgres


@pytest.fixture
def dsn(empty: str) -> Iterator[str]:
    """A database of its own with these tables."""
    known, copy = conninfo_to_dict(empty), f"copy_{secrets.token_hex(4)}"
    away = "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s"
    with psycopg.connect(make_conninfo(empty, dbname="postgres"), autocommit=True) as connection:
        connection.execute(away, (known["dbname"],))
        connection.execute(f"create database {copy} template {known['dbname']}")
        yield make_conninfo(empty, dbname=copy)
        connection.execute(f"drop database {copy} with (force)")


@pytest.fixture
def tracked(dsn: str) -> str:
    """One in which all facts are tracked."""
    assert catch_up(dsn, TOLD).next_offset == len(TOLD)
    return dsn


def test_what_is_tracked_is_what_the_facts_say(tracked: str) -> None:
    """Read back through MLflow's own stores, with numbers, aliases, parents, figures and reasons; a repeat writes nothing."""
    lib = library()
    models, runs = lib.models(address(tracked, SCHEMA)), lib.runs(address(tracked, SCHEMA), "unused:/")
    champion = models.get_model_version_by_alias("default one", "shadow")
    run = runs.get_run(champion.run_id)
    before = rows(tracked)
    again = catch_up(tracked, TOLD)
    with pytest.raises(lib.error) as raised:
        models.get_model_version_by_alias("default one", "champion")

    assert (champion.version, run.data.params["ridge"], run.data.metrics["dr"]) == (1, "1.0", 1 / 16)
    assert models.get_model_version_by_alias("default two", "champion").version == 2
    assert raised.value.error_code == "INVALID_PARAMETER_VALUE"  # the policy was given back: there is no champion
    assert (again.scopes, again.facts, rows(tracked)) == ((), 0, before)
    assert verify(tracked, TOLD).equal
    assert verify(tracked, TOLD).tracker_sha256 == digest(WANTED)


def test_it_goes_on_from_where_it_was(dsn: str) -> None:
    """Facts that came meanwhile are caught up in order, scope by scope; what is to come is counted."""
    half = len(TOLD) // 2
    first = catch_up(dsn, TOLD[:half])
    behind = verify(dsn, TOLD)
    second = catch_up(dsn, TOLD)
    found = verify(dsn, TOLD)

    assert (behind.equal, behind.behind, behind.facts) == (True, len(TOLD) - half, half)
    assert first.facts + second.facts == len(TOLD)
    assert "default one" in second.scopes, "its policy was given back by the last fact"
    assert (found.equal, found.behind, found.tracker_sha256) == (True, 0, digest(WANTED))


def test_killed_anywhere_and_done_again_it_holds_the_same(dsn: str) -> None:
    """SIGKILL after each scope, and in the midst of one: whoever comes next makes it whole, nothing twice."""
    argv, pipe = [sys.executable, "-m", "tests.tracked", dsn], subprocess.PIPE
    for done in (1, 2, 2):
        with subprocess.Popen(argv, stdin=pipe, stdout=pipe, text=True, bufsize=1) as child:
            assert child.stdin is not None
            assert child.stdout is not None
            said = [child.stdout.readline()]
            for _ in range(1, done):
                child.stdin.write("\n")
                said.append(child.stdout.readline())
            child.stdin.write("\n" * (done > 1))
            threading.Event().wait(0.03 * done)  # into the next scope, and no further
            child.kill()
        assert said[0].startswith(f"1 of {len(WANTED)}")
    assert not verify(dsn, TOLD).equal or verify(dsn, TOLD).behind

    catch_up(dsn, TOLD)
    found = verify(dsn, TOLD)

    assert (found.equal, found.tracker_sha256, found.runs) == (True, digest(WANTED), 15)


def test_two_that_track_at_once_take_turns(dsn: str) -> None:
    """Numbers are ours, whoever writes."""
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _: catch_up(dsn, TOLD), range(2)))

    assert verify(dsn, TOLD).equal


def test_made_anew_it_holds_the_same(tracked: str) -> None:
    """Also where somebody changed it: what differs is named, and gone afterwards."""
    lib = library()
    models = lib.models(address(tracked, SCHEMA))
    models.set_registered_model_alias("default two", "champion", 3)
    models.create_registered_model("somebody else's")
    spoiled = verify(tracked, TOLD)
    catch_up(tracked, TOLD, anew=True)
    anew = verify(tracked, TOLD)

    assert spoiled.different == (
        ("default two", "aliases champion: other than in the log"),
        ("somebody else's", "the whole scope: not in the log"),
    )
    assert (anew.equal, anew.tracker_sha256) == (True, digest(WANTED))


def test_a_version_that_somebody_took_away_is_not_passed_over(tracked: str) -> None:
    """MLflow gives the next number then, which is not ours: refused in one sentence that says what to do."""
    lib = library()
    lib.models(address(tracked, SCHEMA)).delete_model_version("default two", 3)
    more = [*TOLD, Told(len(TOLD), model_registered(4, at=99, scope="two"))]

    with pytest.raises(TrackerUnusable, match=r"--rebuild"):
        catch_up(tracked, more)
    catch_up(tracked, more, anew=True)

    assert verify(tracked, more).equal


def test_another_log_is_refused(tracked: str) -> None:
    """A tracker that is further than the log ends is of another log."""
    with pytest.raises(TrackerUnusable, match="another log"):
        catch_up(tracked, TOLD[:5])


def test_where_nobody_answers_it_is_said_at_once(namespace: Namespace) -> None:
    """Before MLflow tries, and tries again; and where nothing was ever tracked."""
    with pytest.raises(TrackerUnusable, match="nothing was tracked yet"):
        verify(namespace.postgres, TOLD)
    with pytest.raises(PostgresUnreachable, match="no Postgres answers"):
        catch_up("postgresql://nobody@127.0.0.1:1/none", TOLD)


def test_tables_that_are_gone_are_said_to_be(tracked: str) -> None:
    """A broken store ends with one sentence, not with a stack of SQL."""
    with psycopg.connect(tracked, autocommit=True) as connection:
        connection.execute("drop table mlflow.model_versions cascade")
    with held_alone(tracked), pytest.raises(TrackerUnusable) as raised, Keeper.open(address(tracked, SCHEMA)) as keeper:
        keeper.held()

    assert "\n" not in str(raised.value)


def rows(dsn: str) -> dict[str, int]:
    """Count every table of the tracker."""
    query = "select table_name from information_schema.tables where table_schema = 'mlflow' order by 1"
    with psycopg.connect(dsn, autocommit=True) as connection:
        names = [str(name) for (name,) in connection.execute(query)]
        counts = [connection.execute(f'select count(*) from mlflow."{name}"').fetchone() for name in names]
    return {name: int(count[0]) for name, count in zip(names, counts, strict=True) if count}
