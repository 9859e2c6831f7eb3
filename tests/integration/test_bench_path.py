"""`bench path` on real servers with all processes, as small as it gets: counts fit, and the floor does what the run did."""

import os

import msgspec
import psutil
import pytest

from bench.floor import HOPS, PRODUCER
from bench.path.report import figures, processes
from bench.path.run import Asked, Where, run
from smolit.process.roster import BESIDE, PROCESSES
from smolit.settings import Settings, load_settings
from smolit.stack import local
from tests.stacks import Namespace

TASKS, IN_FLIGHT = 12, 4
KEYS = {
    "tasks_per_s", "floor_per_s", "ratio", "cpu_ratio", "choice_ms_p50", "choice_ms_p99", "answer_ms_p50", "answer_ms_p99",
    "effect_ms_p50", "effect_ms_p95", "cpu_ms_per_task", "floor_cpu_ms_per_task", "cpu_s", "floor_cpu_s", "fact_bytes",
    "published_bytes_per_task", "read_bytes_per_task", "postgres_log_bytes_per_task", "encoder_texts_per_s", "encoder_share",
    "others_cores", "calibration",
}  # fmt: skip


def test_a_small_run_measures_the_path_and_its_floor(
    stack: local.Endpoints, stack_settings: Settings, namespace: Namespace
) -> None:
    """As many choices, answers and examples as tasks, also on the floor; both used processor time; nobody is left running."""
    settings = load_settings(
        data_dir=namespace.settings.data_dir,
        topic_prefix=namespace.topic_prefix,
        kafka=namespace.kafka,
        postgres=namespace.postgres,
        encoder="hashed",
        workers=1,
        start_timeout_s=200.0,
    )
    endpoints = local.Endpoints(namespace.kafka, namespace.postgres, ours=False)
    where = Where(settings, endpoints, stack_settings.data_dir, tuple(range(os.cpu_count() or 1)))

    made = run(where, Asked(TASKS, IN_FLIGHT, "recorded", seed=1), lambda _said: None)

    assert msgspec.to_builtins(made).keys() >= KEYS
    assert (made.tasks, made.choices, made.answers, made.examples) == (TASKS,) * 4
    assert (made.floor_tasks, made.half_load_tasks) == (TASKS, TASKS)
    assert min(made.cpu_s, made.floor_cpu_s, made.tasks_per_s, made.floor_per_s, made.ratio) > 0
    assert set(made.cpu_ms_per_task) == {*PROCESSES, PRODUCER, "kafka", "postgres"}
    assert set(made.floor_cpu_ms_per_task) == {*PROCESSES, PRODUCER, "kafka"} - set(BESIDE)
    assert made.fact_bytes.keys() == {hop.name for hop in HOPS}
    assert sum(made.published_bytes_per_task.values()) == pytest.approx(sum(made.fact_bytes.values()))
    assert [row[0] for row in processes(made)][-1] == "all"
    assert len(list(figures(made))) > 15
    left = [one for one in psutil.Process().children(recursive=True) if one.status() != psutil.STATUS_ZOMBIE]
    assert [one for one in left if "bench" in " ".join(one.cmdline())] == []
