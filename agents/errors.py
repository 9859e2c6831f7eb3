"""What can go wrong with an agent.

AgentError
├── AgentFailed         an attempt has no result, and here is why
│   └── EffectUnknown   a side effect may or may not have happened: a person decides
├── EffectRefused       the provider said no: nothing happened
├── EffectUnreached     the provider was not reached by this call
├── EffectUnanswered    the provider was asked and did not say how it went
├── CacheUnreachable    what keeps answers of language models cannot be asked what it has
├── BadSpecs            agent specs do not fit; every fault with file and line
└── PipelineUnknown     no pipeline has this name
"""

from events.task import Step


class AgentError(Exception):
    """Something is wrong with an agent."""


class AgentFailed(AgentError):
    """An attempt has no result: `reason` is a code, `detail` a sentence for people, `steps` what was done before."""

    def __init__(self, reason: str, detail: str, steps: tuple[Step, ...] = ()) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
        self.steps = steps


class EffectUnknown(AgentFailed):
    """A side effect may or may not have happened, and asking again could make it happen twice."""

    def __init__(self, detail: str) -> None:
        super().__init__("effect_unknown", detail)


class EffectRefused(AgentError):
    """The provider said no: nothing happened."""


class EffectUnreached(AgentError):
    """The provider was not reached by this call."""


class EffectUnanswered(AgentError):
    """The provider was asked, and did not say how it went."""


class CacheUnreachable(AgentError):
    """What keeps answers of language models cannot be asked what it has."""


class PipelineUnknown(AgentError):
    """No pipeline has this name."""


class BadSpecs(AgentError):
    """Agent specs do not fit."""
