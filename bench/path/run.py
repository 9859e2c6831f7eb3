"""One run: record features, start everything, warm up, full load, half load, stop; then the floor on the same Kafka."""

import asyncio
import os
import random
import secrets
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from msgspec import Struct

from agents import card_file, spec
from bench.calibration import Calibration, calibration
from bench.floor import PRODUCER, TRAVELLED, Fact, differences
from bench.floor_part import Plan
from bench.path.bare import Floor, Ground, run_floor
from bench.path.cpu import thread_seconds
from bench.path.crew import Children, running, while_alive
from bench.path.load import closed_loop, open_loop
from bench.path.note import read_notes, traffic_of
from bench.path.phase import Phase, Scene, run_phase
from bench.path.recorded import Recording, record, store
from bench.path.report import Measured, Report, report
from bench.path.tally import tally
from events.topics import Names
from learning.encoders import open_encoder
from learning.outcomes import Outcomes
from smolit.client import Client, Origin
from smolit.demo.command import DATA, SET
from smolit.demo.stage import wait_live
from smolit.errors import CheckFailed
from smolit.folder import claim
from smolit.process.ports import utc_now
from smolit.process.prepare import CARDS, SPECS, prepare
from smolit.settings import Settings
from smolit.stack import local
from smolit.stack.local import Endpoints
from smolit.stack.record import read_record
from store.postgres import connect

Say = Callable[[str], None]
FOLDER = "bench"
TIMED_TEXTS = 200


class Asked(Struct, frozen=True):
    """What is to be measured, and how large."""

    tasks: int
    in_flight: int
    features: str
    seed: int

    @property
    def warm(self) -> int:
        """Return the tasks that come first and do not count."""
        return max(2 * self.in_flight, self.tasks // 5)


class Where(Struct, frozen=True):
    """Settings and addresses of the run, the data folder of the local stack under it, and the cores that all share."""

    settings: Settings
    endpoints: Endpoints
    stack: Path
    cores: tuple[int, ...]

    @property
    def folder(self) -> Path:
        """Return where the run keeps its files."""
        return self.settings.data_dir / FOLDER


class Under(Struct, frozen=True):
    """What the phases under load have shown."""

    full: Phase
    half: Phase
    facts: dict[str, Fact]


def run(where: Where, asked: Asked, say: Say) -> Report:
    """Measure, and return the figures.

    Raises:
        CheckFailed: tasks were lost, a process ended, or `bench/floor.py` does not say what the run does.
    """
    claim(where.settings.data_dir)
    where.folder.mkdir(exist_ok=True)
    outcomes = Outcomes.load(DATA, SET)
    asyncio.run(prepare(where.settings, where.endpoints, say))
    say("reading the texts once")
    recording = _recorded(where, asked, outcomes)
    loops = {"before the run": calibration()}
    with running(where.settings, where.folder / "notes", _file(where, asked, recording), say) as children:
        under = asyncio.run(while_alive(children, _under_load(where, asked, outcomes, children, say)))
    _require_same_hops(where, asked, under)
    loops["before the floor"] = calibration()
    say("the floor")
    floor = asyncio.run(_floor(where, asked, under.facts))
    loops["after it"] = calibration()
    return report(_measured(where, asked, under, floor, recording, loops))


def _measured(
    where: Where, asked: Asked, under: Under, floor: Floor, recording: Recording, loops: dict[str, Calibration]
) -> Measured:
    """Bring everything together."""
    return Measured(
        features=asked.features,
        in_flight=asked.in_flight,
        seed=asked.seed,
        cores=len(where.cores),
        full=under.full,
        half=under.half,
        floor=floor,
        facts=under.facts,
        texts_per_s=recording.texts_per_s,
        calibration=loops,
    )


def _recorded(where: Where, asked: Asked, outcomes: Outcomes) -> Recording:
    """Read every text that the run will bring; where they are encoded live, enough of them to know how fast that goes."""
    settings = where.settings
    encoder = open_encoder(settings.encoder, settings.cache / "encoder")
    questions = [prompt.text for prompt in outcomes.prompts[: max(asked.tasks, asked.warm)]]
    if asked.features == "live":
        return record(questions[:TIMED_TEXTS], encoder)
    agents = (text for one in spec.load(SPECS) for text in (one.description, *one.examples))
    return record([*questions, *agents, *(one.description for one in card_file.load(CARDS))], encoder)


def _file(where: Where, asked: Asked, recording: Recording) -> Path | None:
    """Write the readings down for intake; None where it encodes for itself."""
    if asked.features == "live":
        return None
    path = where.folder / "readings"
    store(recording, path)
    return path


async def _under_load(where: Where, asked: Asked, outcomes: Outcomes, children: Children, say: Say) -> Under:
    """Warm up, then put full load and half of what that showed on the system."""
    settings, kafka = where.settings, where.endpoints.kafka
    names, tenant, prompts = Names(settings.topic_prefix), settings.tenants[0], outcomes.prompts
    await wait_live(settings, where.endpoints, outcomes.models)
    connection = await connect(where.endpoints.postgres, "smolit-bench")
    scene = Scene(
        kafka, names, tenant, f"bench-{secrets.token_hex(4)}", outcomes, connection, servers(where.stack), children, where.cores
    )
    origin = Origin(names, tenant, f"smolit/{PRODUCER}")
    try:
        async with Client(kafka, origin, utc_now, os.urandom) as client:
            phase = partial(run_phase, scene, client, encoder_s=_encoder_clock(where, children))
            say(f"warming up with {asked.warm} tasks")
            await phase("warm", lambda asking: closed_loop(asking, prompts[: asked.warm], asked.in_flight))
            say(f"full load: {asked.tasks} tasks, {asked.in_flight} under way")
            full = await phase("full", lambda asking: closed_loop(asking, prompts[: asked.tasks], asked.in_flight))
            say(f"{full.tasks_per_s:.1f} tasks/s; half of that")
            chance, rate = random.Random(asked.seed), full.tasks_per_s / 2
            half = await phase("half", lambda asking: open_loop(asking, prompts[: asked.tasks], rate, chance))
    finally:
        await connection.close()
    return Under(full, half, await tally(kafka, full.before, full.after))


def servers(stack: Path) -> dict[str, Sequence[int]]:
    """Return the first processes of Kafka and of Postgres."""
    known = read_record(stack)
    found = {name: local.find(known, name) if known else None for name in local.NAMES}
    if missing := [name for name, one in found.items() if one is None]:
        raise CheckFailed(f"{' and '.join(missing)} of the local stack cannot be found, so their processor time is not known")
    return {name: [one.pid] for name, one in found.items() if one is not None}


def _encoder_clock(where: Where, children: Children) -> Callable[[], float]:
    """Return what tells the processor time of the thread that encodes; 0 where no text is encoded."""

    def seconds() -> float:
        threads = [note.thread for note in read_notes(where.folder / "notes") if note.thread]
        pid = next(child.pid for slot, child in children.items() if slot.name == "intake")
        return sum(thread_seconds(pid, thread) for thread in threads)

    return seconds


def _require_same_hops(where: Where, asked: Asked, under: Under) -> None:
    """Raise CheckFailed if the floor would not be one: it has to pass on what the run has passed on."""
    names, tenant = Names(where.settings.topic_prefix), where.settings.tenants[0]
    traffic = traffic_of(read_notes(where.folder / "notes"), names, tenant, TRAVELLED)
    if found := differences(under.facts, traffic, asked.tasks):
        raise CheckFailed(f"bench/floor.py does not say what the run does: {'; '.join(found)}")


async def _floor(where: Where, asked: Asked, facts: dict[str, Fact]) -> Floor:
    """Run the floor on topics of its own."""
    plan = Plan(where.endpoints.kafka, f"{where.settings.topic_prefix}.floor", asked.warm + asked.tasks, facts)
    kafka = servers(where.stack)["kafka"]
    return await run_floor(Ground(plan, where.folder, where.settings.workers, asked.warm, asked.in_flight, kafka, where.cores))
