"""Generated invoices: content by a seed, drawn with the scalable font that Pillow brings, then worn as scans are.

Conditions: clean; noisy (grain, specks, blur, weak contrast, JPEG); rotated by 2 degrees with a little grain;
turned by one to three quarters.
"""

import io
import random
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any, Literal

import numpy as np
from msgspec import Struct

Condition = Literal["clean", "noisy", "rotated", "turned"]
CONDITIONS: tuple[Condition, ...] = ("clean", "noisy", "rotated", "turned")
SIZE = (900, 720)
FONT_PX = 20
_VENDORS = (
    "Harbour Supplies Ltd",
    "Metallbau Krause GmbH",
    "Northwind Freight",
    "Casa Verde Foods",
    "Alpine Gear AG",
    "Polar Robotics",
)
_STREETS = ("12 Mill Lane", "Lindenstrasse 48", "7 Quay Road", "Calle Mayor 33", "Seestrasse 101", "95 Fjord Street")
_CITIES = ("Bristol", "Essen", "Rotterdam", "Valencia", "Zurich", "Bergen")
_THINGS = (
    *(
        "Steel bolts M8",
        "Copper wire 2.5 mm",
        "Safety gloves",
        "Hydraulic pump",
        "Paint, white, 10 l",
        "Pallet wrap",
        "Filter set",
    ),
    *("Office chair", "Label printer", "Olive oil 5 l", "Hiking rope 60 m", "Repair, per hour", "Delivery", "Battery pack 18 V"),
)
_MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)

Row = tuple[str, ...]  # what stands in one line, from left to right


class Invoice(Struct, frozen=True):
    """An invoice: its rows in reading order, and the two values that matter most, as they are printed."""

    rows: tuple[Row, ...]
    total: str
    date: str

    @property
    def text(self) -> str:
        """Return all that is printed."""
        return "\n".join(" ".join(row) for row in self.rows)


def invoice(rng: random.Random) -> Invoice:
    """Return an invoice with three to six items whose sums are right."""
    place = rng.randrange(len(_CITIES))
    day = date(2022, 1, 1) + timedelta(days=rng.randrange(1_200))
    shown = rng.choice((day.isoformat(), f"{day.day} {_MONTHS[day.month - 1]} {day.year}", f"{day:%d.%m.%Y}"))
    items = [(thing, rng.randrange(1, 40), rng.randrange(199, 99_999)) for thing in rng.sample(_THINGS, rng.randrange(3, 7))]
    net = sum(count * cents for _, count, cents in items)
    tax = round(net * 0.19)
    total = _money(net + tax)
    rows: list[Row] = [
        (rng.choice(_VENDORS),),
        (f"{_STREETS[place]}, {_CITIES[place]}",),
        (f"INVOICE No. {rng.choice(('INV', 'RE', 'A'))}-{rng.randrange(10_000, 99_999)}",),
        (f"Date: {shown}",),
        ("Description", "Qty", "Price", "Amount"),
        *((thing, str(count), _money(cents), _money(count * cents)) for thing, count, cents in items),
        ("Net", _money(net)),
        ("VAT 19 %", _money(tax)),
        ("Total due", f"{total} EUR"),
        (f"Please pay within {rng.choice((14, 21, 30))} days. Thank you for your order.",),
    ]
    return Invoice(tuple(rows), total, shown)


def drawn(paper: Invoice) -> Any:
    """Return an invoice as a clean picture."""
    from PIL import Image, ImageDraw, ImageFont

    picture = Image.new("L", SIZE, 255)
    pen, font = ImageDraw.Draw(picture), ImageFont.load_default(FONT_PX)
    for number, row in enumerate(paper.rows):
        for left, text in zip(_columns(row), row, strict=True):
            pen.text((left, 50 + number * 38), text, font=font, fill=0)
    return picture


def worn(picture: Any, condition: Condition, rng: np.random.Generator) -> bytes:
    """Return a picture as a scanner under this condition would give it: a PNG."""
    from PIL import Image, ImageFilter

    if condition == "rotated":
        picture = picture.rotate(2, expand=True, fillcolor=255, resample=Image.Resampling.BICUBIC)
    if condition == "turned":
        picture = picture.rotate(90 * int(rng.integers(1, 4)), expand=True)
    if condition == "noisy":
        picture = picture.filter(ImageFilter.GaussianBlur(0.7))
    ink = np.asarray(picture, dtype=np.float64)
    if condition == "noisy":
        ink = 60 + ink * 0.7 + rng.normal(0, 16, ink.shape)
        specks = rng.random(ink.shape)
        ink = np.where(specks < 0.002, 40.0, np.where(specks > 0.998, 250.0, ink))
    elif condition == "rotated":
        ink = ink + rng.normal(0, 6, ink.shape)
    return _saved(Image.fromarray(np.clip(ink, 0, 255).astype(np.uint8)), jpeg=condition == "noisy")


def _saved(picture: Any, jpeg: bool) -> bytes:
    buffer = io.BytesIO()
    if jpeg:
        picture.save(buffer, "JPEG", quality=60)
    else:
        picture.save(buffer, "PNG")
    return buffer.getvalue()


def _columns(row: Row) -> Sequence[int]:
    """Return where the parts of a row begin."""
    return {1: (60,), 2: (440, 690), 4: (60, 440, 540, 690)}[len(row)]


def _money(cents: int) -> str:
    return f"{cents / 100:,.2f}"
