"""DocumentUnreadable: a document has no text for us, and here is why."""

from agents.errors import AgentError


class DocumentUnreadable(AgentError):
    """No text can be had out of these bytes: `reason` is a code, the message a sentence for people."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
