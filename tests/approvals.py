"""Lives of questions that people are asked before an effect, for logs that tests make up."""

import random

from events.approval import ApprovalAnswered, ApprovalAsked, ApprovalSettled
from events.event import Event, Fact
from tests.builders import TENANT, moment, stamped


def approval_life(rng: random.Random, number: int) -> list[Event[Fact]]:
    """Return a question's life, which need not make sense: asked, answered by some, settled or not."""
    named = {"tenant": TENANT, "task_id": f"task-{number}", "approval_id": f"question-{number}"}
    digest = f"{number:064x}"
    asked = ApprovalAsked(
        **named,
        attempt=1,
        agent="anna",
        tool="pay",
        effect="outside",
        why="grant",
        arguments={"amount": number},
        arguments_sha256=digest,
        expires_at=moment(600),
    )
    life = [stamped(asked, number)]
    for turn in range(rng.randint(0, 2)):
        decision = rng.choice(("granted", "denied"))
        said = {"decision": decision, "by": f"person-{turn}", "reason": "as seen"}
        life.append(
            stamped(ApprovalAnswered(**named, **said, request_id=f"r-{turn}", arguments_sha256=digest), number + turn + 1)
        )
    if rng.random() < 0.8:
        life.append(stamped(ApprovalSettled(**named, outcome=rng.choice(("granted", "denied", "expired"))), number + 9))
    return life
