"""The form of a text: 52 named cheap numbers, then the pattern of its characters hashed into 256.

Form tells the domain of a task (docs/decisions/003-context-map.md). The named numbers are finite and lie between 0 and 14
for any text; the hashed pattern has length one. Names, order and meaning are fixed by `SURFACE_VERSION`.
"""

import math
import re
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from learning.hashed import character_grams, signed_buckets
from learning.text import readable

SURFACE_VERSION = 1
PATTERN_WIDTH = 256
PATTERN_CHARS = 4000  # of long texts the beginning shows the form
LENGTH_LIMIT = 1_000_000  # longer texts count as this long

SHARES: dict[str, Callable[[str], bool]] = {
    "digit": str.isdigit,
    "capital": str.isupper,
    "small": str.islower,
    "space": str.isspace,
    "beyond_ascii": lambda sign: sign > "\x7f",
}
SIGNS = {
    "dollar": "$",
    "backslash": "\\",
    "brace": "{",
    "bracket": "[",
    "parenthesis": "(",
    "equals": "=",
    "plus": "+",
    "star": "*",
    "slash": "/",
    "caret": "^",
    "underscore": "_",
    "percent": "%",
    "hash": "#",
    "backtick": "`",
    "quote": '"',
    "apostrophe": "'",
    "comma": ",",
    "full_stop": ".",
    "colon": ":",
    "semicolon": ";",
    "hyphen": "-",
    "question_mark": "?",
    "exclamation_mark": "!",
}
PATTERNS = {
    "option_line": re.compile(r"^[ \t]*\(?[A-J][.)]\s", re.MULTILINE),
    "indented_line": re.compile(r"^(?: {2,}|\t)\S", re.MULTILINE),
    "listed_line": re.compile(r"^[ \t]*(?:[-*]|\d{1,2}[.)])\s", re.MULTILINE),
    "number": re.compile(r"\d+"),
    "decimal": re.compile(r"\d[.,]\d"),
    "single_letter": re.compile(r"\b[b-zB-HJ-Z]\b"),
    "capitalised_word": re.compile(r"\b[A-Z][a-z]+"),
    "code_word": re.compile(r"\b(?:def|return|import|class|assert|print|function|int|None|python)\b", re.IGNORECASE),
    "negation": re.compile(r"\b(?:not|except|never|no|nicht|kein\w*|nie)\b", re.IGNORECASE),
}
STARTS = {
    "asks_what": re.compile(r"(?:what|which|was|welche\w*)\b", re.IGNORECASE),
    "asks_how": re.compile(r"(?:how|wie)\b", re.IGNORECASE),
    "asks_who": re.compile(r"(?:who|whose|when|where|why|wer|wann|wo|warum)\b", re.IGNORECASE),
    "orders": re.compile(
        r"(?:write|find|calculate|compute|solve|determine|evaluate|simplify|create|generate|complete"
        r"|berechne|schreib\w*|finde|bestimme|l[öo]se)\b",
        re.IGNORECASE,
    ),
    "supposes": re.compile(r"(?:if|let|suppose|consider|assume|given|wenn|angenommen|sei)\b", re.IGNORECASE),
    "begins_with_article": re.compile(r"(?:the|a|an|der|die|das|ein|eine)\b", re.IGNORECASE),
    "begins_with_label": re.compile(r"\w{1,12}:"),
}
ENDS = {"ends_asking": "?", "ends_with_stop": ".", "ends_with_colon": ":"}
SIZES = ("characters", "words", "lines", "word_length", "line_length")

SURFACE_NAMES: tuple[str, ...] = (
    *(f"log_{name}" for name in SIZES),
    *(f"share_{name}" for name in SHARES),
    *(f"log_count_{name}" for name in (*SIGNS, *PATTERNS)),
    *STARTS,
    *ENDS,
)


SURFACE_WIDTH = len(SURFACE_NAMES) + PATTERN_WIDTH


def surface(text: str) -> NDArray[np.float32]:
    """Return the form of one text: float32, shape (SURFACE_WIDTH,), the named numbers first."""
    return np.concatenate([named(text), pattern(text)])


def pattern(text: str) -> NDArray[np.float32]:
    """Return the hashed runs of 1 to 4 characters of `outline(text)`: float32 unit vector, shape (PATTERN_WIDTH,)."""
    return signed_buckets(character_grams(outline(text), (1, 2, 3, 4)), PATTERN_WIDTH)


def outline(text: str) -> str:
    """Replace capitals by A, runs of other letters by a, runs of digits by 9; the rest stays: "Is 12>5?" gives "Aa 9>9?"."""
    head = re.sub(r"[^\W\d_A-Z]+", "a", re.sub(r"[A-Z]", "A", readable(text)[:PATTERN_CHARS]))
    return re.sub(r"\d+", "9", head)


def named(text: str) -> NDArray[np.float32]:
    """Return the values of `SURFACE_NAMES` for one text: float32, shape (len(SURFACE_NAMES),)."""
    head = readable(text)
    start = head.lstrip()
    end = re.split(r"\n[ \t]*\(?A[.)]\s", head, maxsplit=1)[0].rstrip()  # the question itself, before its options
    values = [
        *sizes(text, head),
        *shares(head),
        *(math.log1p(head.count(sign)) for sign in SIGNS.values()),
        *(math.log1p(sum(1 for _ in pattern.finditer(head))) for pattern in PATTERNS.values()),
        *(float(bool(pattern.match(start))) for pattern in STARTS.values()),
        *(float(end.endswith(sign)) for sign in ENDS.values()),
    ]
    return np.array(values, dtype=np.float32)


def sizes(text: str, head: str) -> list[float]:
    """Logarithms of lengths; only the first counts characters beyond the readable head."""
    words, lines = len(head.split()), head.count("\n") + 1
    lengths = (min(len(text), LENGTH_LIMIT), words, lines, len(head) / max(words, 1), len(head) / lines)
    return [math.log1p(length) for length in lengths]


def shares(head: str) -> list[float]:
    """Shares of kinds of characters, 0 to 1."""
    total = max(len(head), 1)
    return [sum(map(kind, head)) / total for kind in SHARES.values()]
