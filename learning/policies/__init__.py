"""All policies there are, and how to make one by name."""

import inspect
from collections.abc import Callable, Mapping

from learning.errors import InvalidPolicySetting, UnknownPolicy
from learning.network import Networks, none_here
from learning.policies.fixed import Fixed
from learning.policies.joint_thompson import JointThompson
from learning.policies.neural import Neural
from learning.policies.ridge_igw import RidgeIgw
from learning.policies.three_signals import ThreeSignals
from learning.policies.uniform import Uniform
from learning.policy import Policy

POLICIES: tuple[type[Policy], ...] = (JointThompson, RidgeIgw, ThreeSignals, Neural, Uniform, Fixed)
DEFAULT = JointThompson.name


def create(name: str, width: int, settings: Mapping[str, float | str] | None = None, networks: Networks = none_here) -> Policy:
    """Return a policy that has learned nothing yet; raises UnknownPolicy or InvalidPolicySetting.

    `networks` is where one that chooses by a trained network finds it, when it first needs it.
    """
    if width < 1:
        raise InvalidPolicySetting(f"a context of width {width} holds nothing")
    make: Callable[..., Policy] = find(name)  # each policy has settings of its own, which no protocol can list
    where = {"networks": networks} if make is Neural else {}
    known = [setting for setting in inspect.signature(make).parameters if setting not in ("width", *where)]
    if unknown := sorted(set(settings or ()) - set(known)):
        has = f"it has {', '.join(known)}" if known else "it has none"
        raise InvalidPolicySetting(f"{name} has no setting {unknown[0]!r}; {has}")
    try:
        return make(width, **(settings or {}), **where)
    except (TypeError, ValueError) as error:
        raise InvalidPolicySetting(f"{name}: {error}") from error


def load(name: str, state: bytes, width: int, networks: Networks = none_here) -> Policy:
    """Return a policy that continues from a state; raises UnknownPolicy or UnreadableState."""
    return Neural.load(state, width, networks) if name == Neural.name else find(name).load(state, width)


def check_network(policy: Policy, networks: Networks) -> None:
    """Raise ArtefactError if a policy chooses by a trained network that cannot be had."""
    if isinstance(policy, Neural):
        networks(policy.model)


def find(name: str) -> type[Policy]:
    """Return the listed policy of this name; raises UnknownPolicy, which tells the known ones."""
    for policy in POLICIES:
        if policy.name == name:
            return policy
    raise UnknownPolicy(f"no policy {name!r}; known: {', '.join(policy.name for policy in POLICIES)}")
