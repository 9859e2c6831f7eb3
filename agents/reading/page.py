"""Pages as they were read, and the order in which people read what a detector found. Pure."""

import math
import statistics
from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

Source = Literal["ocr", "text_layer", "blank"]
Point = tuple[float, float]
Box = tuple[float, float, float, float]  # left, top, right, bottom, in pixels of the page as it was read

_SAME_ROW = 0.5  # of the smaller height must overlap
_QUARTER = math.pi / 2


class Spot(Struct, frozen=True):
    """What a detector found: four corners clockwise from where its first letter begins, text, and how sure it is (0 to 1)."""

    corners: tuple[Point, Point, Point, Point]
    text: str
    confidence: float


class Line(Struct, frozen=True):
    """One row of a page, its box, and how sure the recognizer is of it (1 where the file said so itself)."""

    text: str
    box: Box
    confidence: float


class Page(Struct, frozen=True):
    """One page: `confidence` is the mean over its characters, 0 where there are none."""

    file: str
    page: int
    source: Source
    width: int
    height: int
    text: str
    confidence: float
    lines: tuple[Line, ...]


def page_of(file: str, number: int, source: Source, size: tuple[int, int], lines: Sequence[Line]) -> Page:
    """Return a page of its lines in reading order."""
    text = "\n".join(line.text for line in lines)
    return Page(file, number, source if lines else "blank", *size, text, confidence_of(lines), tuple(lines))


def confidence_of(lines: Sequence[Line]) -> float:
    """Return the mean confidence, each line weighing as many characters as it has; 0 where there are none."""
    weight = sum(len(line.text) for line in lines)
    return round(sum(line.confidence * len(line.text) for line in lines) / weight, 4) if weight else 0.0


def rows_of(spots: Sequence[Spot]) -> list[Line]:
    """Return what was found as rows from top to bottom, each joined from left to right.

    Columns of a table stand in one row; a page that lies askew is straightened first, by the median slope of what was found.
    """
    tilt = skew_of(spots)
    rows: list[list[tuple[Box, Spot]]] = []
    for upright, spot in sorted(((_upright(spot, tilt), spot) for spot in spots), key=lambda one: (_middle(one[0]), one[0][0])):
        row = next((row for row in reversed(rows[-3:]) if _overlap(row[-1][0], upright) >= _SAME_ROW), None)
        if row is None:
            rows.append([(upright, spot)])
        else:
            row.append((upright, spot))
    return [_joined([spot for _, spot in sorted(row, key=lambda one: one[0][0])]) for row in rows]


def skew_of(spots: Sequence[Spot]) -> float:
    """Return the angle of the lines in radians, clockwise, up to a whole turn; of spots as wide as a few characters at least."""
    angles = [_angle(spot) for spot in spots if _width(spot) >= 3 * _height(spot)]
    if not angles:
        return 0.0
    quarter = statistics.mode(round(angle / _QUARTER) % 4 for angle in angles) * _QUARTER
    return quarter + statistics.median(math.remainder(angle - quarter, math.tau) for angle in angles)


def _angle(spot: Spot) -> float:
    (left, top), (right, drop), *_ = spot.corners
    return math.atan2(drop - top, right - left)


def _width(spot: Spot) -> float:
    return math.dist(spot.corners[0], spot.corners[1])


def _height(spot: Spot) -> float:
    return math.dist(spot.corners[0], spot.corners[3])


def _upright(spot: Spot, tilt: float) -> Box:
    """Return the box of a spot on the page turned back by the tilt."""
    cosine, sine = math.cos(-tilt), math.sin(-tilt)
    xs = [x * cosine - y * sine for x, y in spot.corners]
    ys = [x * sine + y * cosine for x, y in spot.corners]
    top, bottom = (ys[0] + ys[1]) / 2, (ys[2] + ys[3]) / 2
    return min(xs), top, max(xs), bottom


def _middle(box: Box) -> float:
    return (box[1] + box[3]) / 2


def _overlap(one: Box, other: Box) -> float:
    """Return how much of the smaller height two boxes share."""
    shared = min(one[3], other[3]) - max(one[1], other[1])
    return shared / max(min(one[3] - one[1], other[3] - other[1]), 1e-9)


def _joined(spots: Sequence[Spot]) -> Line:
    """Return one row of spots that stand side by side."""
    xs = [x for spot in spots for x, _ in spot.corners]
    ys = [y for spot in spots for _, y in spot.corners]
    box = (round(min(xs), 1), round(min(ys), 1), round(max(xs), 1), round(max(ys), 1))
    letters = sum(len(spot.text) for spot in spots)
    sure = sum(spot.confidence * len(spot.text) for spot in spots) / letters if letters else 0.0
    return Line(" ".join(spot.text for spot in spots), box, round(sure, 4))
