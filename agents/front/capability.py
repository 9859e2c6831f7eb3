"""Who can do something: by how near what is asked is to what agents say of themselves, and by shared words. Pure.

A query is read as one names a capability ("read scans"), so words count besides the vector: the share of its telling words that
stand, by their stems, in description or skills. Measured against keywords alone in `bench/agents/capability.py`.
"""

import re
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

Encode = Callable[[str], NDArray[np.float32]]
# The least sum, and the least share of the best one: chosen on the queries of `bench/agents/data/who_can.tsv` marked `tune`.
LEAST, SHARE = 0.35, 0.7
_SHARED = 0.5  # what all telling words being shared adds to the cosine
MOST = 1.0 + _SHARED
_STOP = frozenset(
    re.findall(
        r"\S+",
        "a an the of in on at to for from with by and or is are can do does who what which how it its be any some me my this that"
        " der die das den dem ein eine einen und oder von im in am zu zum zur mit wer kann ist sind für auf",
    )
)


class Capable(Struct, frozen=True):
    """An agent that can do what was asked, and how well it fits: the cosine and what shared words add, MOST at most."""

    id: str
    description: str
    skills: tuple[str, ...]
    fit: float


def able(
    what: str, agents: Sequence[tuple[str, str, tuple[str, ...]]], encode: Encode, examples: Mapping[str, Sequence[str]] = {}
) -> list[Capable]:
    """Return the agents that fit, best first; each is given as id, description and skills, and examples of its tasks by id."""
    asked, words = encode(what), stems(what)
    found = []
    for name, description, skills in agents:
        told = (f"{description} {' '.join(skills)}", *examples.get(name, ()))
        cosine = max(float(np.dot(asked, encode(text))) for text in told)
        shared = len(words & stems(f"{description} {' '.join(skills)} {name}")) / len(words) if words else 0.0
        fit = cosine + _SHARED * shared
        found.append(Capable(name, description, skills, round(fit, 4)))
    best = max((one.fit for one in found), default=0.0)
    fitting = [one for one in found if one.fit >= max(LEAST, SHARE * best)]
    return sorted(fitting, key=lambda one: (-one.fit, one.id))


def stems(text: str) -> set[str]:
    """Return the telling words of a text without their endings."""
    return {_stem(word) for word in re.findall(r"[a-zäöüß0-9]{2,}", text.lower()) if word not in _STOP}


def _stem(word: str) -> str:
    for ending in ("ations", "ation", "ings", "ing", "ungen", "ung", "ers", "ies", "ed", "er", "es", "en", "s", "t", "e"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)]
    return word
