"""What can go wrong while learning, in one tree.

LearningError
├── PolicyError
│   ├── UnknownPolicy             no policy of this name is listed
│   ├── InvalidPolicySetting      a setting the policy does not have, or a value it cannot take
│   ├── InvalidCandidates         none at all, or one of them twice
│   ├── ContextMismatch           a context of another width, or with a number that is not finite
│   ├── UnlearnableExample        a reward or propensity that cannot be learned from
│   └── UnreadableState           bytes that are no state of this policy
├── ArtefactError
│   ├── ArtefactMissing           no artefact of this version lies in the folder
│   └── ArtefactUnusable          an artefact that is not whole, or not of the version that it is named after
├── ExampleMissing                a gap in the numbering of a scope's examples
├── RewardError
│   ├── UnknownRewardRule         no rule of this name is listed
│   ├── UnknownFeedbackKind       the rule does not say what this kind is worth
│   ├── FeedbackIncomplete        a field that the kind needs is not there, or does not belong there
│   └── FeedbackOutOfRange        a value outside 0 to 1, or none where one is needed
├── InvalidAssignment             weights or names that define no assignment
├── InvalidProbabilities          not a probability vector, or a draw outside [0, 1)
└── StatisticError                figures from which nothing can be computed
"""


class LearningError(Exception):
    """Something in the learning core cannot be done; the message says what and why."""


class PolicyError(LearningError):
    """A policy cannot do what it was asked."""


class UnknownPolicy(PolicyError):
    """No policy of this name is listed."""


class InvalidPolicySetting(PolicyError):
    """A setting the policy does not have, or a value it cannot take."""


class InvalidCandidates(PolicyError):
    """There is no candidate at all, or one is named twice."""


class ContextMismatch(PolicyError):
    """A context has another width than the policy, or holds a number that is not finite."""


class UnlearnableExample(PolicyError):
    """An example's reward or propensity is outside its range or not finite."""


class UnreadableState(PolicyError):
    """Bytes are not a state that this policy can continue from."""


class ArtefactError(LearningError):
    """The artefact of a version cannot be had."""


class ArtefactMissing(ArtefactError):
    """There is no artefact of this version here."""


class ArtefactUnusable(ArtefactError):
    """An artefact is damaged, or is not what it is named after; nothing of it is used."""


class ExampleMissing(LearningError):
    """The examples of a scope are numbered, and one is missing."""


class RewardError(LearningError):
    """Feedback cannot be turned into a reward; `field` is the one that is wrong with it."""

    field = "value"


class UnknownRewardRule(RewardError):
    """No reward rule of this name is listed."""


class UnknownFeedbackKind(RewardError):
    """The reward rule does not say what feedback of this kind is worth."""

    field = "kind"


class FeedbackIncomplete(RewardError):
    """Feedback lacks a field that its kind needs, or has one that belongs to another kind."""

    def __init__(self, field: str, detail: str) -> None:
        super().__init__(detail)
        self.field = field


class FeedbackOutOfRange(RewardError):
    """A feedback value lies outside 0 to 1, or is missing where its kind needs one."""


class InvalidAssignment(LearningError):
    """Variants, weights or a unit that define no assignment."""


class InvalidProbabilities(LearningError):
    """Numbers that are no probability vector, or a draw outside [0, 1)."""


class StatisticError(LearningError):
    """Figures from which the statistic cannot be computed."""
