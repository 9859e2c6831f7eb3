"""Knowledge on a real stack: taken in, found, answered from, replaced, removed for good, as of earlier, made anew."""

import json
import os
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

import psycopg
import pytest

from handlers.reindex import NAME as REINDEX
from smolit.process.endpoints import locate
from smolit.process.record import read as read_record
from smolit.settings import Settings
from smolit.stack import local
from tests.processes import all_running
from tests.said import PATIENCE_S, Smolit, command_line, until

CANARY = "xylocopa7731"
TAKEN_IN = "select count(*) from ops.knowledge_document where domain = 'batch'"
LACKING = """
select count(*) from public.knowledge_chunks c join public.knowledge_documents d using (tenant, document_id, version)
where d.state = 'live' and not exists (
  select from public.knowledge_vectors v
  where v.encoder = %s and (v.tenant, v.document_id, v.version, v.chunk) = (c.tenant, c.document_id, c.version, c.chunk))"""
PUMPS = "# Pumps\n\nThe pump P-7 is blue. It hums at night. It needs 24 volts.\n"
SEALS = f"# Seals\n\nThe seal S-9 is made of rubber. It is kept in hall {CANARY}. It leaks after ten years.\n"


@pytest.fixture(scope="module")
def settings(stack: local.Endpoints, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """All processes, with an encoder that needs no weights."""
    with all_running(stack, tmp_path_factory.mktemp("knowledge"), knowledge_encoder="hashed") as running:
        yield running


@pytest.fixture
def smolit(settings: Settings, capsys: pytest.CaptureFixture[str]) -> Smolit:
    """The command line, as a function."""
    return command_line(capsys)


def written(folder: Path, **texts: str) -> list[str]:
    """Write files and return their paths."""
    paths = []
    for name, text in texts.items():
        path = folder / f"{name}.md"
        path.write_text(text)
        paths.append(str(path))
    return paths


def found(smolit: Smolit, *words: str) -> list[dict[str, Any]]:
    """Return the hits of a search."""
    said = smolit("knowledge", "search", *words, "--json")
    assert said.code == 0, said
    hits: list[dict[str, Any]] = said.json["hits"]
    return hits


def everywhere(settings: Settings, needle: str) -> list[str]:
    """Return every table in Postgres in which a text is found."""
    with psycopg.connect(locate(settings).postgres, autocommit=True) as connection:
        tables = connection.execute(
            "select quote_ident(table_schema) || '.' || quote_ident(table_name) from information_schema.tables "
            "where table_type = 'BASE TABLE' and table_schema not in ('pg_catalog', 'information_schema')"
        ).fetchall()
        query = "select exists (select from {} as t where position(%s in t::text) > 0 or position(%s in t::text) > 0)"
        hexed = needle.encode().hex()
        return [name for (name,) in tables if (connection.execute(query.format(name), (needle, hexed)).fetchone() or (False,))[0]]


def test_what_is_added_is_found_and_answered_from_with_citations(smolit: Smolit, tmp_path: Path) -> None:
    """A document that is added is found by its words under its metadata, and an answer names the piece that it rests on."""
    paths = written(tmp_path, pumps=PUMPS, seals=SEALS)
    assert smolit("knowledge", "add", paths[0], "--domain", "docs", "--meta", "part=pump").code == 0
    assert smolit("knowledge", "add", paths[1], "--domain", "docs", "--meta", "part=seal", "--right", "secret").code == 0

    assert [hit["name"] for hit in found(smolit, "which colour is the pump", "--domain", "docs")] == ["pumps.md"]
    assert {hit["name"] for hit in found(smolit, "rubber", "--domain", "docs", "--right", "secret")} == {"pumps.md", "seals.md"}
    assert found(smolit, "pump", "--domain", "docs", "--meta", "part=seal") == []
    assert found(smolit, "pump", "--domain", "elsewhere") == []
    said = smolit("task", "submit", "How many volts does the pump P-7 need?", "--kind", "lookup", "--wait", "--json")
    assert said.json["outcome"] == "completed", said
    output = said.json["output"]
    piece = found(smolit, "volts", "--domain", "docs")[0]
    cited = [(one["document_id"], one["version"], one["chunk"]) for one in output["context"]]
    assert cited == [(piece["document_id"], piece["version"], piece["chunk"])], "the seal's document asks for a right"
    task = str(said.json["task_id"])
    told = until(lambda: smolit("knowledge", "provenance", task, "--json"), lambda one: one.code == 0).json
    assert {(one["name"], one["state"], one["found_then"]) for one in told} == {("pumps.md", "live", True)}


def test_as_of_earlier_one_finds_what_one_found_then(smolit: Smolit, tmp_path: Path) -> None:
    """A replaced version is found as of before, and only the new one now; the same words again change nothing."""
    [path] = written(tmp_path, valves="The valve V-1 is brass.")
    assert smolit("knowledge", "add", path, "--domain", "old").code == 0
    before = smolit("knowledge", "search", "valve", "--domain", "old", "--json").json
    refused = written(tmp_path, valves="The valve V-1 is steel.")

    again = smolit("knowledge", "add", *refused, "--domain", "old", "--json")
    replaced = smolit("knowledge", "add", *refused, "--domain", "old", "--replace", "--json")
    twice = smolit("knowledge", "add", *refused, "--domain", "old", "--replace", "--json")
    then = found(smolit, "valve", "--domain", "old", "--as-of", str(before["as_of"]))
    later = smolit("knowledge", "search", "valve", "--as-of", "99999999")
    nothing = smolit("knowledge", "search", " ")

    assert (again.code, again.json[0]["reason"]) == (1, "document_exists")
    assert (replaced.json[0]["state"], replaced.json[0]["version"]) == ("replaced", 2)
    assert twice.json[0]["state"] == "unchanged"
    assert then == before["hits"]
    assert (later.code, nothing.code) == (2, 2)
    assert "offset 99999999 is not known (yet)" in later.err
    assert [hit["text"] for hit in found(smolit, "valve", "--domain", "old")] == ["The valve V-1 is steel."]


def test_what_is_removed_is_gone_everywhere_also_after_a_rebuild(smolit: Smolit, settings: Settings, tmp_path: Path) -> None:
    """No table of Postgres holds a word of an erased document, before and after all read models are made anew."""
    [path] = written(tmp_path, secret=f"The treasure lies under the oak {CANARY}gone.")
    assert smolit("knowledge", "add", path, "--domain", "gone", "--title", f"{CANARY}gone").code == 0
    assert "ops.blob" in everywhere(settings, f"{CANARY}gone")

    assert smolit("knowledge", "remove", "secret.md", "--domain", "gone").code == 0

    until(lambda: everywhere(settings, f"{CANARY}gone"), lambda tables: tables == [])
    assert found(smolit, f"{CANARY}gone", "--domain", "gone") == []
    assert smolit("projection", "rebuild", "--all").code == 0
    assert everywhere(settings, f"{CANARY}gone") == []
    verified = smolit("projection", "verify", "--all")
    assert verified.code == 0, verified


def other_encoder(smolit: Smolit) -> str:
    """Return an encoder whose vectors do not serve."""
    return "static" if smolit("knowledge", "stats", "--json").json["kind"] == "hashed" else "hashed"


def test_another_encoder_takes_over_at_once(smolit: Smolit, tmp_path: Path) -> None:
    """Vectors of a second encoder are made beside the first, then serve; as of before, the first one's do."""
    [path] = written(tmp_path, gears="The gear G-3 turns left.")
    assert smolit("knowledge", "add", path, "--domain", "two").code == 0
    before = smolit("knowledge", "search", "gear", "--domain", "two", "--json").json
    other = other_encoder(smolit)

    assert smolit("knowledge", "reindex", "--encoder", other).code == 0

    figures = smolit("knowledge", "stats", "--json").json
    assert figures["kind"] == other
    assert figures["vectors"][figures["encoder"]] >= figures["chunks"]
    assert [hit["name"] for hit in found(smolit, "gear", "--domain", "two")] == ["gears.md"]
    assert found(smolit, "gear", "--domain", "two", "--as-of", str(before["as_of"])) == before["hits"]
    assert smolit("knowledge", "reindex", "--encoder", other).code == 1, "they serve already"


MAKING = "select from pg_stat_activity where datname = current_database() and application_name = %s and wait_event_type = 'Lock'"


@contextmanager
def killed_while_building(settings: Settings) -> Iterator[list[int]]:
    """Kill ingest as soon as it makes vectors of another encoder, and no later: what it asks for is locked until then.

    Yields who was killed.
    """
    killed: list[int] = []
    with psycopg.connect(locate(settings).postgres) as connection:
        connection.execute("set local idle_in_transaction_session_timeout = 0")
        connection.execute("lock table ops.knowledge_document in access exclusive mode")
        thread = Thread(target=_kill_and_let_go, args=(settings, connection, killed))
        thread.start()
        try:
            yield killed
        finally:
            thread.join()


def _kill_and_let_go(settings: Settings, connection: psycopg.Connection[Any], killed: list[int]) -> None:
    end = time.monotonic() + PATIENCE_S
    with psycopg.connect(locate(settings).postgres, autocommit=True) as looking:
        while looking.execute(MAKING, (REINDEX,)).fetchone() is None and time.monotonic() < end:
            time.sleep(0.05)
        found = looking.execute(MAKING, (REINDEX,)).fetchone() is not None
    killed += [kill_ingest(settings)] if found else []
    connection.rollback()


def kill_ingest(settings: Settings, before: Sequence[int] = ()) -> int:
    """Kill ingest as it is, without a word, once it is not one of those before."""
    end = time.monotonic() + PATIENCE_S
    while (record := read_record(settings.data_dir, "ingest", "1")) is None or record.pid in before:
        assert time.monotonic() < end, "ingest did not come back"
        time.sleep(0.05)
    os.kill(record.pid, signal.SIGKILL)
    return record.pid


def test_ingest_killed_in_the_middle_of_a_reindex_switches_once_and_whole(
    smolit: Smolit, settings: Settings, tmp_path: Path
) -> None:
    """The other encoder serves from one offset on, at which each piece has its vector; before it, the first one's serve."""
    [path] = written(
        tmp_path, valley="# Valleys\n\n" + " ".join(f"Valley {number} is {number} miles long." for number in range(900))
    )
    assert smolit("knowledge", "add", path, "--domain", "three").code == 0
    before = smolit("knowledge", "search", "valley 77", "--domain", "three", "--json").json
    other = other_encoder(smolit)
    with killed_while_building(settings) as killed:
        assert smolit("knowledge", "reindex", "--encoder", other).code == 0

    assert len(killed) == 1, "ingest was not killed while it made vectors"
    figures = smolit("knowledge", "stats", "--json").json
    with psycopg.connect(locate(settings).postgres, autocommit=True) as connection:
        switches = connection.execute(
            "select since from public.knowledge_encoders where encoder = %s", (figures["encoder"],)
        ).fetchall()
        lacking = connection.execute(LACKING, (figures["encoder"],)).fetchone()
    [since] = [row[0] for row in switches if row[0] > before["as_of"]]
    assert (figures["kind"], lacking) == (other, (0,))
    assert found(smolit, "valley 77", "--domain", "three", "--as-of", str(since - 1)) == before["hits"]
    assert found(smolit, "valley 77", "--domain", "three", "--as-of", str(since)) == found(
        smolit, "valley 77", "--domain", "three"
    )


def killed_in_the_batch(settings: Settings, killed: list[int]) -> None:
    """Kill ingest once it has taken in two documents of the batch, and again after two more."""
    end = time.monotonic() + PATIENCE_S
    with psycopg.connect(locate(settings).postgres, autocommit=True) as looking:
        for most in (2, 4):
            while (row := looking.execute(TAKEN_IN).fetchone()) is not None and row[0] < most and time.monotonic() < end:
                time.sleep(0.01)
            killed.append(kill_ingest(settings, killed))


def test_a_batch_goes_on_past_a_bad_file_and_two_kills(smolit: Smolit, settings: Settings, tmp_path: Path) -> None:
    """Ingest is killed twice in the middle of a batch; every document is taken in once, and the damaged one is refused."""
    for number in range(12):
        (tmp_path / f"part{number:02}.md").write_text(f"# Part {number}\n\n" + f"Part {number} weighs {number} grams. " * 40)
    (tmp_path / "broken.pdf").write_bytes(b"%PDF-1.4 nothing")
    killer = Thread(target=killed_in_the_batch, args=(settings, killed := list[int]()))
    killer.start()

    said = smolit("knowledge", "add", str(tmp_path), "--domain", "batch", "--json")
    killer.join()

    states = {one["name"]: (one["state"], one.get("version"), one.get("reason")) for one in said.json}
    assert (said.code, len(set(killed))) == (1, 2)
    assert states.pop("broken.pdf") == ("refused", None, "damaged")
    assert len(states) == 12
    assert set(states.values()) == {("added", 1, None)}
    shown = json.loads(smolit("knowledge", "domains", "--json").out)
    assert next(one["documents"] for one in shown if one["domain"] == "batch") == 12
    assert smolit("knowledge", "domains", "clear", "batch").code == 0
    assert found(smolit, "weighs", "--domain", "batch") == []
