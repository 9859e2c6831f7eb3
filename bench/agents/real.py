"""Real series and tables that ship inside statsmodels' wheel (BSD-3): read as files, nothing is downloaded."""

import csv
import importlib.util
from collections import defaultdict
from pathlib import Path

from msgspec import Struct

SOURCE = "statsmodels.datasets (BSD-3)"
_QUARTERLY = ("realgdp", "realcons", "realinv", "cpi", "m1", "tbilrate", "unemp", "infl")


class Told(Struct, frozen=True):
    """One series: its season, and how far it is to be foretold."""

    name: str
    values: tuple[float, ...]
    season: int
    horizon: int


def folder() -> Path:
    """Return where the files lie; statsmodels itself is not loaded."""
    found = importlib.util.find_spec("statsmodels")
    if found is None or found.origin is None:
        raise FileNotFoundError("statsmodels is not installed: pip install 'smolit[agents]'")
    return Path(found.origin).parent / "datasets"


def rows(file: str) -> list[dict[str, str]]:
    """Return the rows of a file."""
    with (folder() / file).open(encoding="utf-8-sig") as lines:
        return [{str(name).strip("'\" "): value for name, value in row.items()} for row in csv.DictReader(lines)]


def column(file: str, name: str) -> tuple[float, ...]:
    """Return one column as numbers."""
    return tuple(float(row[name]) for row in rows(file))


def all_series() -> list[Told]:
    """Return every series: yearly, quarterly and monthly; lengths 54 to 732."""
    elnino = [float(row[name]) for row in rows("elnino/elnino.csv") for name in row if name != "YEAR"]
    quarterly = [Told(name, column("macrodata/macrodata.csv", name), 4, 4) for name in _QUARTERLY]
    quarterly += [Told(f"german_{name}", column("interest_inflation/E6.csv", name), 4, 4) for name in ("Dp", "R")]
    quarterly += [Told(f"danish_{name}", column("danish_data/data.csv", name), 4, 4) for name in ("lrm", "lry", "ibo")]
    return [
        Told("nile", column("nile/nile.csv", "volume"), 1, 3),
        Told("sunspots", column("sunspots/sunspots.csv", "SUNACTIVITY"), 11, 6),
        Told("co2", _monthly_co2(), 12, 12),
        Told("elnino", tuple(elnino), 12, 6),
        Told("elec_equip", column("elec_equip/elec_equip.csv", "STS.M.I7.W.TOVT.NS0016.4.000"), 12, 12),
        *quarterly,
    ]


def _monthly_co2() -> tuple[float, ...]:
    """Return monthly means since the first of the months that all have a measurement."""
    months: dict[str, list[float]] = defaultdict(list)
    for row in rows("co2/co2.csv"):
        months[row["date"][:6]] += [float(row["co2"])] if row["co2"].strip() else []
    listed = list(months.values())
    begin = max((place + 1 for place, month in enumerate(listed) if not month), default=0)
    return tuple(sum(month) / len(month) for month in listed[begin:])


def tables() -> dict[str, tuple[dict[str, list[str]], str]]:
    """Return tables as columns of texts, each with the column that is to be foretold."""
    wanted = {
        "engel": ("engel/engel.csv", "foodexp", 1),
        "grunfeld": ("grunfeld/grunfeld.csv", "invest", 1),
        "ccard": ("ccard/ccard.csv", "AVGEXP", 1),
        "star98": ("star98/star98.csv", "PR50M", 1),
        "cancer": ("cancer/cancer.csv", "cancer", 1),
        "fair": ("fair/fair.csv", "affairs", 6),
        "randhie": ("randhie/randhie.csv", "mdvis", 20),
    }
    return {name: (_columns(rows(file)[::each]), target) for name, (file, target, each) in wanted.items()}


def _columns(read: list[dict[str, str]]) -> dict[str, list[str]]:
    """Return rows as columns."""
    return {name: [row[name].strip() for row in read] for name in read[0]}
