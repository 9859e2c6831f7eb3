"""Forecast: continues a series of numbers, or foretells a column of a table; always with an interval and a test on the past."""

import asyncio
import re
from typing import Any, ClassVar

from msgspec import Struct

from agents.errors import AgentFailed
from agents.forecast.reading import columns_of, series_in, settings_of
from agents.forecast.series import Series, SeriesRefused, series_of
from agents.pipeline import Effects, Result, Stopwatch, Timer, Toolbox, Work
from agents.sheet import sheets

_STEPS = re.compile(
    r"(\d{1,4})\s+(?:steps?|hours?|days?|weeks?|months?|quarters?|years?|schritte?n?|tagen?|wochen?|monaten?|jahren?)\b"
)
_MOST_STEPS = 400
_STEPS_ELSE = 6


class ForecastSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """`coverage` is the part of what comes that the interval shall hold."""

    coverage: float = 0.9


class Forecast:
    """Continues `input.values` or a CSV file; with `input.target`, foretells that column where it is empty."""

    name: ClassVar[str] = "forecast"
    Settings: ClassVar[type[Struct]] = ForecastSettings

    def __init__(self, settings: ForecastSettings, toolbox: Toolbox) -> None:
        self._cover = settings.coverage
        self._blobs = toolbox.blobs

    async def run(self, work: Work, _effects: Effects, timer: Timer) -> Result:
        """Forecast.

        Raises:
            AgentFailed: there is no series that can be continued; the reason names why.
        """
        watch = Stopwatch(timer)
        try:
            if "target" in work.input:
                return Result(await self._regress(work, watch), watch.steps)
            with watch.step("read"):
                series = await self._series(work)
            with watch.step("forecast"):
                return Result(await asyncio.to_thread(self._continued, series, horizon_of(work, series)), watch.steps)
        except SeriesRefused as refusal:
            raise AgentFailed(refusal.code, str(refusal)) from refusal

    def _continued(self, series: Series, horizon: int) -> dict[str, Any]:
        """Continue a series."""
        from agents.forecast.rolling import forecast

        return forecast(series, horizon, self._cover)

    async def _series(self, work: Work) -> Series:
        """Return the series of a task."""
        season, values, dates = work.input.get("season"), work.input.get("values"), work.input.get("dates")
        if values is None:
            columns = await self._columns(work)
            values, dates = series_in(columns, settings_of(work.input, "value"), settings_of(work.input, "date"))
        if dates is not None and not isinstance(dates, list):
            raise SeriesRefused("bad_date", "input.dates must be a list of dates")
        return series_of(values, dates, season)

    async def _columns(self, work: Work) -> dict[str, list[str]]:
        """Return the columns of the one CSV file of a task."""
        files = await sheets(work, self._blobs)
        if len(files) > 1:
            raise SeriesRefused("no_table", "there must be one CSV file, not several")
        return await asyncio.to_thread(columns_of, next(iter(files.values())))

    async def _regress(self, work: Work, watch: Stopwatch) -> dict[str, Any]:
        """Foretell a column."""
        from agents.forecast.regression import regress

        target, in_order = settings_of(work.input, "target"), work.input.get("in_order", False)
        with watch.step("read"):
            columns = table_of(work.input["table"]) if "table" in work.input else await self._columns(work)
        with watch.step("regress"):
            return await asyncio.to_thread(regress, columns, target or "", self._cover, in_order is True)


def horizon_of(work: Work, series: Series) -> int:
    """Return how many steps to go: `input.horizon`, or what the text says, or one season."""
    given = work.input.get("horizon")
    said = _STEPS.findall(work.text.lower()) if given is None else []
    if given is None and len(set(said)) > 1:
        raise SeriesRefused("bad_horizon", "the text names several numbers of steps; name one in input.horizon")
    usual = series.season if 1 < series.season <= 52 else _STEPS_ELSE
    horizon = given if given is not None else int(said[0]) if said else usual
    if isinstance(horizon, bool) or not isinstance(horizon, int) or not 1 <= horizon <= _MOST_STEPS:
        raise SeriesRefused("bad_horizon", f"horizon must be a whole number of steps from 1 to {_MOST_STEPS}")
    return horizon


def table_of(given: Any) -> dict[str, list[str]]:
    """Return `input.table`, a list of objects of which each is a row, as columns of texts.

    Raises:
        SeriesRefused: it is anything else.
    """
    if not isinstance(given, list) or not given or not all(isinstance(row, dict) for row in given):
        raise SeriesRefused("no_table", "input.table must be a list of objects, one for each row")
    names = list(dict.fromkeys(str(name) for row in given for name in row))
    return {name: ["" if row.get(name) is None else str(row.get(name)) for row in given] for name in names}
