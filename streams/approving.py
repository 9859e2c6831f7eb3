"""From an answer about a call to its fact, or why it has none. Pure: the operator's public key comes in."""

from agents.signature import is_signed
from events.approval import ApprovalAnswered, answer_bytes
from events.request import AnswerApproval
from streams.admission import Asked, Refused


def approval_fact(asked: Asked, request: AnswerApproval, operator: str) -> ApprovalAnswered:
    """Return that the operator answered; whether it counts is found where the question waits.

    Raises:
        Refused: the operator did not sign this: whoever can write requests may not allow what agents want.
    """
    content = answer_bytes(
        asked.tenant, request.approval_id, request.arguments_sha256, request.decision, request.by, request.reason
    )
    if not is_signed(operator, content, request.proof):
        raise Refused("bad_proof", "proof: only the house's operator answers; use `smolit approval grant` or `deny`")
    return ApprovalAnswered(
        tenant=asked.tenant,
        approval_id=request.approval_id,
        task_id=request.task_id,
        arguments_sha256=request.arguments_sha256,
        decision=request.decision,
        by=request.by,
        reason=request.reason,
        request_id=asked.envelope.id,
    )
