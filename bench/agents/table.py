"""The table of contents: every measure, listed once, with the function behind it, imported only when it is asked for."""

from collections.abc import Callable
from importlib import import_module
from typing import NamedTuple

from bench.agents.figure import Figure


class Measure(NamedTuple):
    """One measure: its name, the pipelines that it is about, and the module whose `measure(seed)` gives its figures."""

    name: str
    pipelines: tuple[str, ...]
    module: str

    def run(self, seed: int) -> list[Figure]:
        """Measure; raises what the measure raises."""
        found: Callable[[int], list[Figure]] = import_module(self.module).measure
        return found(seed)


MEASURES: tuple[Measure, ...] = (
    Measure("ocr", ("ocr",), "bench.agents.ocr"),
    Measure("entities", ("entities",), "bench.agents.entities"),
    Measure("sentiment", ("polarity", "sentiment"), "bench.agents.sentiment"),
    Measure("classify", ("classify",), "bench.agents.subjects"),
    Measure("summary", ("summary",), "bench.agents.summary"),
    Measure("arithmetic", ("arithmetic",), "bench.agents.arithmetic"),
    Measure("finance", ("finance",), "bench.agents.finance"),
    Measure("forecast", ("forecast",), "bench.agents.forecast"),
    Measure("table", ("table",), "bench.agents.table_analysis"),
    Measure("ensemble", (), "bench.agents.ensemble"),
    Measure("specialised", (), "bench.agents.specialised"),
    Measure("models", ("model",), "bench.agents.choosing"),
    Measure("tools", ("tools",), "bench.agents.tools"),
    Measure("answer", ("answer",), "bench.agents.knowledge"),
    Measure("llm", ("llm",), "bench.agents.llm"),
    Measure("check", (), "bench.agents.check"),
    Measure("team", ("supervise",), "bench.agents.team"),
    Measure("families", ("supervise", "compare"), "bench.agents.families"),
    Measure("planning", ("supervise",), "bench.agents.planning"),
    Measure("text_goals", ("supervise",), "bench.agents.text_goals"),
    Measure("conflict", (), "bench.agents.conflict"),
    Measure("shared", (), "bench.agents.shared"),
    Measure("front", (), "bench.agents.front"),
    Measure("capability", (), "bench.agents.capability"),
    Measure("matching", (), "bench.agents.matching"),
    Measure("memory", (), "bench.agents.memory"),
)
