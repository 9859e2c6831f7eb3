"""Scorers for tests of a search: a hill with one top, and what goes wrong in a trial. They are sent to other processes."""

import math
import os
import signal
import time
from collections.abc import Mapping, Sequence
from typing import Any

from events.search import Dimension
from smolit.search.trial import Scored, is_behind

SPACE = (
    Dimension(name="gain", low=1.0, high=400.0, log=True),
    Dimension(name="trust", low=1.0, high=100.0, log=True),
)
TOP = {"gain": 30.0, "trust": 10.0}


def hill(parameters: Mapping[str, Any], bars: Sequence[float]) -> Scored:
    """Score the better the nearer the top; a step is what it comes to, less what is still to come."""
    far = sum(abs(math.log(float(parameters[name]) / top)) for name, top in TOP.items())
    score, steps = 1.0 / (1.0 + far), list[float]()
    for step in range(1, 6):
        steps.append(score * step / 5)
        if step < 5 and is_behind(steps, bars):
            return Scored("pruned", None, tuple(steps), "behind", 0.01)
    return Scored("completed", score, tuple(steps), "", 0.01)


def troubled(parameters: Mapping[str, Any], bars: Sequence[float]) -> Scored:
    """Do what the setting says: crash, be killed, give no number, take for ever, or score."""
    match parameters["gain"]:
        case 1.0:
            raise ValueError("this one crashes")
        case 2.0:
            os.kill(os.getpid(), signal.SIGKILL)
        case 3.0:
            return Scored("completed", math.nan, (), "", 0.0)
        case 4.0:
            time.sleep(600)
    return hill({"gain": 30.0, "trust": 10.0}, bars)


def weighed(_weight: bytes, parameters: Mapping[str, Any], bars: Sequence[float]) -> Scored:
    """Score like the hill; what it weighs is on the way to the process for some time."""
    return hill(parameters, bars)
