"""The choice of a model inside an agent, in words that people understand."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from projections.attempt import AttemptRow

_LEFT_OUT = {
    "unknown": "is not registered",
    "retired": "has retired",
    "unavailable": "cannot be used here",
    "tried": "was tried for this attempt and brought nothing",
    "other_domain": "is for other domains",
    "too_long": "does not take texts of this length",
    "rule": "was ruled out",
}
Said = Mapping[str, Any]


def choices_in(attempt: AttemptRow) -> list[dict[str, Any]]:
    """Return the choices among models in an attempt, each with the name of its step."""
    return [{"step": step["name"], **step["choice"]} for step in attempt.steps or () if step.get("choice")]


def models_explained(attempts: Sequence[AttemptRow]) -> Iterator[str]:
    """Yield, for each step of attempts that had a choice among models, which one it used and why."""
    for attempt in attempts:
        for step in attempt.steps or ():
            if (choice := step.get("choice")) is not None:
                yield from _explained(attempt, step, choice)


def _explained(attempt: AttemptRow, step: Said, choice: Said) -> Iterator[str]:
    """Yield one choice in sentences: which, how likely, by which rule, score and likeness, who came second, who could not."""
    ranked = sorted(choice["candidates"], key=lambda one: (-one["probability"], one["model"]))
    where = f" in domain {choice['domain']}" if choice["domain"] else ""
    yield (
        f"Attempt {attempt.attempt}, step {step['name']}: model {choice['model']} was chosen for {choice['subtask']}{where} "
        f"out of {len(ranked)}, with probability {choice['probability']:.4g}."
    )
    if choice["rule"] is not None:
        yield f"Rule {choice['rule']} of the agent held, and left only these models."
    yield _why(choice, next(one for one in ranked if one["model"] == choice["model"]))
    second = next((one for one in ranked if one["model"] != choice["model"]), None)
    if second is not None:
        yield f"The runner-up was {second['model']}: score {second['score']:.4g}, probability {second['probability']:.4g}."
    yield (
        f"The policy was {choice['policy']}; it knew {choice['learned']} judged outcome(s) of this subtask "
        f"(state {choice['digest'][:12]})."
    )
    if step.get("error"):
        yield f"It brought nothing: {step['error']}."
    for one in choice["left_out"]:
        yield f"Not a candidate: {one['model']} {_LEFT_OUT.get(one['reason'], one['reason'])}."


def _why(choice: Said, mine: Said) -> str:
    """Say how score, likeness and draw led to this model."""
    parts = " + ".join(f"{amount:.4g} from {part}" for part, amount in mine["parts"].items())
    near = "" if mine.get("fit") is None else f"; card and text are {mine['fit']:.2f} alike"
    score = f"its score was {mine['score']:.4g}{f' ({parts})' if parts else ''}, from {mine.get('judged', 0)} of its own{near}"
    if choice["explored"]:
        return f"This was exploration: the draw {choice['draw']:.4f} fell into its share, so as to learn more of it; {score}."
    return f"It was held to be the best, or the policy had no opinion: {score}; the draw was {choice['draw']:.4f}."
