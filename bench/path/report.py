"""The figures of `bench path`, and how they are told. Pure."""

from collections.abc import Iterator, Mapping

from msgspec import Struct

from bench.calibration import Calibration
from bench.floor import HOPS, PRODUCER, Fact, published_bytes, read_bytes
from bench.path.bare import Floor
from bench.path.cpu import Spent
from bench.path.phase import Phase
from smolit.demo.report import percentile
from smolit.process.roster import PROCESSES
from streams.intake import READERS

QUIET_CORES = 0.1  # that others may keep busy before tasks/s and waiting times say more about them than about us
RATIO, SHARE, CHOICE_P50_MS, CHOICE_P99_MS, EFFECT_P95_MS = 0.25, 0.8, 10.0, 60.0, 500.0
Row = tuple[str, str, str]


class Report(Struct, frozen=True, kw_only=True):
    """What `smolit bench path --json` writes. Processor times are of all processes on the cores that they shared.

    `ratio` compares tasks/s, `cpu_ratio` what a task costs: others on the machine move the one, and less so the other.
    `quiet`: others kept so little of our cores busy, in every part of the run, that tasks/s and waiting times are ours.
    `encoder_share` (live encoding alone): tasks/s over the texts/s that the encoder by itself does on the cores left to it.
    """

    features: str
    cores: int
    quiet: bool
    in_flight: int
    seed: int
    tasks: int
    choices: int
    answers: int
    examples: int
    seconds: float
    tasks_per_s: float
    floor_tasks: int
    floor_seconds: float
    floor_per_s: float
    ratio: float
    cpu_ratio: float
    half_load_tasks: int
    half_load_per_s: float
    choice_ms_p50: float
    choice_ms_p99: float
    answer_ms_p50: float
    answer_ms_p99: float
    effect_ms_p50: float
    effect_ms_p95: float
    effects_seen: int
    cpu_s: float
    floor_cpu_s: float
    cpu_ms_per_task: dict[str, float]
    floor_cpu_ms_per_task: dict[str, float]
    half_load_cpu_ms_per_task: dict[str, float]
    published_bytes_per_task: dict[str, float]
    read_bytes_per_task: dict[str, float]
    postgres_log_bytes_per_task: float
    fact_bytes: dict[str, float]
    encoder_texts_per_s: float
    encoder_cores_left: float | None
    encoder_share: float | None
    others_cores: dict[str, float]
    calibration: dict[str, Calibration]


class Measured(Struct, frozen=True):
    """Everything that one run brought to light."""

    features: str
    in_flight: int
    seed: int
    cores: int
    full: Phase
    half: Phase
    floor: Floor
    facts: dict[str, Fact]
    texts_per_s: float
    calibration: dict[str, Calibration]


def report(seen: Measured) -> Report:
    """Return the figures of a run."""
    full, half, floor = seen.full, seen.half, seen.floor
    left = cores_left(full, seen.cores) if seen.features == "live" else None
    others = {
        "full_load": full.spent.others_cores,
        "half_load": half.spent.others_cores,
        "floor": floor.spent.others_cores,
    }
    return Report(
        features=seen.features,
        cores=seen.cores,
        quiet=max(others.values()) <= QUIET_CORES,
        in_flight=seen.in_flight,
        seed=seen.seed,
        tasks=len(full.course.runs),
        choices=full.landed.choices,
        answers=full.landed.answers,
        examples=full.landed.examples,
        seconds=full.spent.seconds,
        tasks_per_s=full.tasks_per_s,
        floor_tasks=floor.tasks,
        floor_seconds=floor.spent.seconds,
        floor_per_s=floor.tasks_per_s,
        ratio=full.tasks_per_s / floor.tasks_per_s,
        cpu_ratio=(floor.spent.total / floor.tasks) / (full.spent.total / full.landed.examples),
        half_load_tasks=half.landed.examples,
        half_load_per_s=half.tasks_per_s,
        **_waits(half),
        effects_seen=len(half.course.effect_times()),
        cpu_s=full.spent.total,
        floor_cpu_s=floor.spent.total,
        cpu_ms_per_task=_per_task(full.spent, full.landed.examples),
        floor_cpu_ms_per_task=_per_task(floor.spent, floor.tasks),
        half_load_cpu_ms_per_task=_per_task(half.spent, half.landed.examples),
        published_bytes_per_task={name: published_bytes(name, seen.facts) for name in (PRODUCER, *PROCESSES)},
        read_bytes_per_task={name: read_bytes(name, seen.facts) for name in (PRODUCER, *PROCESSES)},
        postgres_log_bytes_per_task=full.wal_bytes / full.landed.examples,
        fact_bytes={hop.name: seen.facts[hop.name].total_bytes for hop in HOPS},
        encoder_texts_per_s=seen.texts_per_s,
        encoder_cores_left=left,
        encoder_share=full.tasks_per_s / (seen.texts_per_s * left) if left else None,
        others_cores=others,
        calibration=seen.calibration,
    )


def cores_left(full: Phase, cores: int) -> float:
    """Return the cores that the rest, ours and others', left to the encoder; more than it has threads it cannot use."""
    rest = (full.spent.total - full.encoder_s) / full.spent.seconds + full.spent.others_cores
    return max(0.0, min(float(READERS), cores - rest))


def _per_task(spent: Spent, tasks: int) -> dict[str, float]:
    """Return processor milliseconds per task by process."""
    return {name: 1000 * seconds / tasks for name, seconds in spent.by.items()}


def _waits(half: Phase) -> dict[str, float]:
    """Return the percentiles of the three ways that a user waits."""
    runs = list(half.course.runs.values())
    choice = [run.chosen - run.acknowledged for run in runs if run.chosen is not None]
    answer = [run.answered - run.acknowledged for run in runs if run.answered is not None]
    effect = half.course.effect_times()
    return {
        "choice_ms_p50": percentile(choice, 0.50),
        "choice_ms_p99": percentile(choice, 0.99),
        "answer_ms_p50": percentile(answer, 0.50),
        "answer_ms_p99": percentile(answer, 0.99),
        "effect_ms_p50": percentile(effect, 0.50),
        "effect_ms_p95": percentile(effect, 0.95),
    }


def figures(made: Report) -> Iterator[Row]:
    """Yield what was measured, with what was asked for beside it."""
    if not made.quiet:
        yield (
            "NOT A QUIET MACHINE",
            "",
            "tasks/s, their ratio and waiting times say more about others than about us",
        )
    yield "tasks per second, whole path", f"{made.tasks_per_s:.1f}", f"{made.tasks} tasks, {made.in_flight} under way"
    yield "tasks per second, floor", f"{made.floor_per_s:.1f}", f"{made.floor_tasks} tasks, {made.in_flight} under way"
    yield "ratio to the floor", f"{made.ratio:.3f}", f"asked with recorded features: at least {RATIO}"
    yield (
        "ratio of processor times per task",
        f"{made.cpu_ratio:.3f}",
        "floor over whole path; others on the machine move it less",
    )
    yield from _encoder(made)
    load = f"{made.half_load_per_s:.1f} tasks/s"
    yield "request to choice, p50", f"{made.choice_ms_p50:.1f} ms", f"at {load}; asked: {CHOICE_P50_MS:.0f} ms"
    yield "request to choice, p99", f"{made.choice_ms_p99:.1f} ms", f"at {load}; asked: {CHOICE_P99_MS:.0f} ms"
    yield "request to answer, p50 / p99", f"{made.answer_ms_p50:.1f} / {made.answer_ms_p99:.1f} ms", f"at {load}"
    yield "feedback to effect, p50", f"{made.effect_ms_p50:.1f} ms", f"at {load}; {made.effects_seen} seen"
    yield "feedback to effect, p95", f"{made.effect_ms_p95:.1f} ms", f"at {load}; asked: {EFFECT_P95_MS:.0f} ms"
    yield "processor time, whole path", f"{made.cpu_s:.2f} s", f"{sum(made.cpu_ms_per_task.values()):.1f} ms per task"
    yield "processor time, floor", f"{made.floor_cpu_s:.2f} s", f"{sum(made.floor_cpu_ms_per_task.values()):.1f} ms per task"
    yield "Postgres' log", f"{made.postgres_log_bytes_per_task:.0f} bytes", "per task"
    for name, cores in made.others_cores.items():
        yield f"cores busy with others, {name.replace('_', ' ')}", f"{cores:.2f}", f"of {made.cores}"
    for when, one in made.calibration.items():
        yield f"a fixed loop of Python, {when}", f"{one.wall_ms:.0f} ms", f"{one.cpu_ms:.0f} ms of it in processor time"


def _encoder(made: Report) -> Iterator[Row]:
    """Yield what the encoder does by itself, and where texts are encoded in the run, how much of that is reached."""
    yield "encoder by itself", f"{made.encoder_texts_per_s:.1f} texts/s", "per core"
    if made.encoder_share is not None and made.encoder_cores_left is not None:
        own = made.encoder_texts_per_s * made.encoder_cores_left
        yield "share of what it does on the cores left", f"{made.encoder_share:.2f}", f"of {own:.1f} texts/s; asked: {SHARE}"


def processes(made: Report) -> Iterator[tuple[str, ...]]:
    """Yield one line per process: processor time per task, that of the floor, and bytes published and read per task."""
    columns: tuple[tuple[Mapping[str, float], str], ...] = (
        (made.cpu_ms_per_task, ".2f"),
        (made.floor_cpu_ms_per_task, ".2f"),
        (made.published_bytes_per_task, ".0f"),
        (made.read_bytes_per_task, ".0f"),
    )
    for name in made.cpu_ms_per_task:
        yield (name, *(f"{column[name]:{form}}" if name in column else "" for column, form in columns))
    yield ("all", *(f"{sum(column.values()):{form}}" for column, form in columns))
