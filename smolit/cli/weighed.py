"""What the signals of a choice said, in words: how much each moved the score, with which weight, and whom memory puts first."""

from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean
from typing import Any

from projections.similar import Like

_SIGNALS = {
    "match": "the match of text and description",
    "learned": "the learned score",
    "history": "the agent's history",
    "memory": "memory of like tasks",
}
_FOUND = 0.5  # a reward from which on an agent has proved itself at a task


def how_weighed(agent: str, candidates: Sequence[Mapping[str, Any]], weights: Mapping[str, float] | None) -> Iterator[str]:
    """Yield what moved the score of the chosen agent, and how each signal is weighed; nothing where no weights are learned."""
    if not weights:
        return
    mine = next(one for one in candidates if one["agent"] == agent)
    moved = [f"{_SIGNALS[name]} {mine['parts'][name]:+.4f} (weight {weights[name]:.3g})" for name in signals_in(weights)]
    yield f"From what all agents earn in the mean, {mine['parts']['pooled']:.4g}, its score was moved by {_listed(moved)}."
    yield _matched(mine)
    first = max(candidates, key=lambda one: float(one["parts"].get("memory", 0.0)))
    if first["parts"].get("memory", 0.0) > 0.0:
        yield f"By what like tasks earned, {first['agent']} comes first ({first['parts']['memory']:+.4f})."
    elif "memory" in weights:
        yield "Memory held no like task at which anybody did better than the learned score expects."


def signals_in(weights: Mapping[str, float]) -> list[str]:
    """Return the signals that have a weight, in the order in which they are told."""
    return [name for name in _SIGNALS if name in weights]


def who_is_proven(alike: Sequence[Like]) -> str | None:
    """Say who proved itself at the like tasks that pgvector finds, best first, as known now; None where nobody did."""
    earned: dict[str, list[float]] = {}
    for one in alike:
        if one.agent is not None and one.reward is not None:
            earned.setdefault(one.agent, []).append(one.reward)
    means = {agent: fmean(rewards) for agent, rewards in earned.items()}
    proven = sorted((agent for agent, mean in means.items() if mean >= _FOUND), key=lambda agent: (-means[agent], agent))
    return (
        f"Proven on like tasks, by pgvector: {', '.join(f'{agent} ({means[agent]:.2g})' for agent in proven)}."
        if proven
        else None
    )


def _matched(mine: Mapping[str, Any]) -> str:
    if mine.get("fit") is None:
        return "What it says of itself was not compared with the text, so the other signals ranked."
    return f"What it says of itself and the text are {mine['fit']:.2f} alike."


def _listed(things: Sequence[str]) -> str:
    return things[0] if len(things) == 1 else f"{', '.join(things[:-1])} and {things[-1]}"
