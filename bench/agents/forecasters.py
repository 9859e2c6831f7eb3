"""Models that run here, as tasks for a chooser: eight ways to forecast on real series, and three heads on exam questions.

A forecast's score is 1 / (1 + e), e its mean absolute error over that of repeating the last cycle before the first origin: a half
is as good as that. A head's is 1 where it is right. The domain of a series is its name; what a question is about is what the
heads are asked, so nobody is told.
"""

import numpy as np

from agents.choosing import blank
from agents.forecast.method import MethodFailed, continued, methods
from agents.forecast.thread import one_thread
from bench.agents.choosing import Tasks
from bench.agents.real import Told, all_series
from learning.encoding import STATIC
from learning.features import ContextMap, extract

NAMES = ("seasonal_naive", "naive", "drift", "ets", "ets_trend", "arima", "arima_level", "ar")
HEADS = ("words", "pieces", "likeness")
_TASKS = 24  # of a series, at most


def forecasts() -> Tasks:
    """Return what each method scores at origins in the newer half of each real series; parameters are fitted before the first."""
    with one_thread():
        parts = [(told.name, _scores(told)) for told in all_series()]
    domains = tuple(name for name, scores in parts for _ in scores)
    return Tasks(NAMES, [blank(1)] * len(domains), domains, np.concatenate([scores for _, scores in parts]))


def heads(seed: int) -> Tasks:
    """Return whether each of three heads named the subject of questions that none of them was trained on."""
    from bench.agents.ensemble import answered
    from learning.static import StaticEncoder

    encoder, contexts = StaticEncoder.load(), ContextMap.load(STATIC)
    judged = answered(seed)
    texts = [contexts.apply(*extract(text, encoder)) for text, _ in judged]
    scores = np.array([[float(said == one.truth) for said in one.said] for _, one in judged])
    return Tasks(HEADS, texts, (None,) * len(judged), scores)


def _scores(told: Told) -> "np.ndarray[tuple[int, int], np.dtype[np.float64]]":
    """Return the score of each method at each origin."""
    values = np.array(told.values)
    first, last = max(len(values) // 2, 2 * told.season, 12), len(values) - told.horizon
    origins = sorted({int(one) for one in np.linspace(first, last, min(_TASKS, last - first + 1))})
    truth = np.array([values[origin : origin + told.horizon] for origin in origins])
    usual = float(np.abs(values[told.season : first] - values[: first - told.season]).mean())
    known = {one.name.removesuffix("_over_cycle"): one for one in methods(values, told.season)}
    columns = []
    for name in NAMES:
        try:
            missed = np.abs(truth - continued(known[name], values, origins, told.horizon)).mean(axis=1) / usual
            columns.append(1.0 / (1.0 + missed))
        except MethodFailed:
            columns.append(np.zeros(len(origins)))
    return np.array(columns).T
