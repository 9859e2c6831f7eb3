"""Judging by a reference: is an answer the one that is known to be right? Pure."""

from typing import Any

import msgspec

from events.ids import derived_id
from events.request import GiveFeedback
from learning.likeness import answer_text
from projections.calibration import CopyRow
from smolit.calibration.past import Reference

RATER = "calibration"  # in every judgement that nobody but a reference made


def judgement(copy: CopyRow, reference: Reference) -> GiveFeedback:
    """Return what a reference says of a copy's answer.

    An answer is right if it is the same as the one that was rated 1, else wrong. A correction is given as one, so that its worth
    is how alike the two are (docs/reward.md); an answer that is no text cannot be like one, and is wrong.
    """
    if reference.correction is None:
        return _right(copy.task_id, same(copy.output, reference.output))
    text = answer_text(copy.output)
    if text is None or text == reference.correction:
        return _right(copy.task_id, text is not None)
    return GiveFeedback(task_id=copy.task_id, rater=RATER, kind="correction", correction=reference.correction)


def same(one: Any, other: Any) -> bool:
    """Say whether two outputs are the same answer: the same text where both hold one that could be corrected, else the same JSON.

    So what an agent says beside its answer (what it cost, how sure it is) does not make a right answer wrong.
    """
    texts = answer_text(one), answer_text(other)
    if None not in texts:
        return texts[0] == texts[1]
    return canonical(one) == canonical(other)


def canonical(output: Any) -> bytes:
    """Return the one way to write an output as JSON, without its cost: fields in order, whole numbers as such."""
    return msgspec.json.encode(_whole(_uncosted(output)), order="sorted")


def request_id(copy: CopyRow) -> str:
    """Return the id of the judgement's request: asked for again, it counts once."""
    return derived_id("calibration", "judged", copy.task_id)


def _right(task_id: str, right: bool) -> GiveFeedback:
    return GiveFeedback(task_id=task_id, rater=RATER, kind="boolean", value=float(right))


def _uncosted(output: Any) -> Any:
    """Return an output without what a webhook says that it cost."""
    return {name: inner for name, inner in output.items() if name != "cost_microusd"} if isinstance(output, dict) else output


def _whole(output: Any) -> Any:
    """Return the output with whole numbers written as such: Postgres keeps 1.0 and 1 apart, JSON means the same."""
    match output:
        case dict():
            return {str(name): _whole(inner) for name, inner in output.items()}
        case list():
            return [_whole(inner) for inner in output]
        case float() if output.is_integer():
            return int(output)
        case _:
            return output
