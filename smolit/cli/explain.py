"""A choice in words that people understand."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean
from typing import Any

from events.task import RewardTerms
from projections.decision import DecisionRow
from projections.similar import Like

_BY = {
    "default": "It is the policy that serves where nobody says otherwise.",
    "policy_set": "A person put it in force for this scope, above any experiment.",
}
_LEFT_OUT = {
    "paused": "is paused",
    "retired": "has retired",
    "not_for_tenant": "may not be asked by this tenant",
    "tried": "was tried for this task and failed",
    "no_skill": "does not have the skill",
    "no_fit": "does not fit the text well enough",
    "no_live_worker": "has no worker that is alive",
    "not_asked_for": "is not the one that the task asks for by name",
}


def explained(choice: DecisionRow) -> Iterator[str]:
    """Yield the choice in sentences: who, how likely, why, who came second, by which policy in which state."""
    ranked = sorted(choice.candidates, key=lambda one: -float(one["probability"]))
    yield f"Attempt {choice.attempt}: {choice.agent} was chosen out of {len(ranked)}, with probability {choice.propensity:.4g}."
    yield _why(choice, ranked)
    if len(ranked) > 1:
        second = next(one for one in ranked if one["agent"] != choice.agent)
        yield f"The runner-up was {second['agent']}: score {second['score']:.4g}, probability {second['probability']:.4g}."
    yield (
        f"The policy was {choice.policy} version {choice.policy_version}{_settings(choice.policy_parameters)}; "
        f"it knew {_knew(choice.policy_upto)} (state {choice.policy_digest[:12]})."
    )
    if choice.policy_model is not None:
        yield f"It was promoted as version {choice.policy_model}, and has gone on learning."
    yield _BY.get(choice.decided_by) or f"Experiment {choice.experiment} gave this task its variant {choice.variant}."
    yield from _no_candidates(choice.left_out)


def how_rewarded(terms: RewardTerms | None) -> str:
    """Say how rewards of the task are made: what was fixed when it was admitted."""
    if terms is None:
        return "Its reward is quality alone, by rule quality/1: it was chosen for before rewards had a dial."
    if not (terms.cost_weight or terms.latency_weight):
        return f"Its reward is quality alone, by rule {terms.rule}; that was fixed when it was admitted."
    return (
        f"Its reward weighs quality {1 - (terms.cost_weight + terms.latency_weight):.4g}, cost {terms.cost_weight:.4g} "
        f"({terms.cost_half_microusd / 1e6:g} dollars are worth one half) and latency {terms.latency_weight:.4g} "
        f"({terms.latency_half_us / 1e6:g} s are worth one half), by rule {terms.rule}; that was fixed when it was admitted."
    )


def how_like_tasks_went(alike: Sequence[Like]) -> Iterator[str]:
    """Yield how the tasks went that are most like one, by agent, the best first; nothing where there are none."""
    by_agent: dict[str, list[float | None]] = defaultdict(list)
    for one in alike:
        if one.agent is not None:
            by_agent[one.agent].append(one.reward)
    if not by_agent:
        return
    yield f"Of the {len(alike)} tasks most like it (cosine {alike[-1].cosine:.2f} to {alike[0].cosine:.2f}), as known now:"
    told = [(agent, len(rewards), [one for one in rewards if one is not None]) for agent, rewards in by_agent.items()]
    for agent, count, known in sorted(told, key=lambda one: (-fmean(one[2] or [-1.0]), one[0])):
        earned = f"mean reward {fmean(known):.3g} on {len(known)} of them" if known else "no reward known"
        yield f"- {agent} did {count}: {earned}."


def _why(choice: DecisionRow, ranked: list[dict[str, Any]]) -> str:
    """Say how score, probability and draw led to this agent."""
    mine = next(one for one in ranked if one["agent"] == choice.agent)
    parts = " + ".join(f"{amount:.4g} from {part}" for part, amount in mine["parts"].items())
    score = f"its score was {mine['score']:.4g}{f' ({parts})' if parts else ''}"
    if choice.explored:
        return f"This was exploration: the draw {choice.draw:.4f} fell into its share, so as to learn more of it; {score}."
    return f"It was held to be the best, or the policy had no opinion: {score}; the draw was {choice.draw:.4f}."


def _settings(parameters: Mapping[str, Any]) -> str:
    return f" ({', '.join(f'{name} {value}' for name, value in sorted(parameters.items()))})" if parameters else ""


def _knew(upto: int) -> str:
    return "no example yet" if upto < 0 else f"every example up to offset {upto} of its scope's partition"


def _no_candidates(left_out: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield who could not be chosen and why; those without the skill together, as that is nearly everybody."""
    unskilled = [one for one in left_out if one["reason"] == "no_skill"]
    if len(unskilled) > 1:
        yield f"No candidates, since they do not have the skill: {', '.join(one['agent'] for one in unskilled)}."
    for one in left_out:
        if len(unskilled) == 1 or one["reason"] != "no_skill":
            yield f"Not a candidate: {one['agent']} {_left_out(one)}."


def _left_out(one: Mapping[str, Any]) -> str:
    """Say why an agent was no candidate."""
    if one.get("lacks"):
        return f"needs {' and '.join(one['lacks'])}, which did not come with the task"
    return f"{_LEFT_OUT.get(one['reason'], one['reason'])}{_near(one)}"


def _near(one: Mapping[str, Any]) -> str:
    fit, score = one.get("fit"), one.get("score")
    beside = "" if score is None else f"; beside what the others do, the text suits it {score:.2f}"
    return "" if fit is None else f" (its description or an example is {fit:.2f} like it at best{beside})"
