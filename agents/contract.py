"""What an agent promises in its spec, kept: what it is given, and what it brings."""

from collections.abc import Mapping
from typing import Any

from agents.errors import AgentFailed
from agents.pipeline import Result
from agents.schema import misfit
from events.agent import AgentSpec


def admitted(spec: AgentSpec, given: Mapping[str, Any]) -> None:
    """Let a task's input pass that fits the agent's schema.

    Raises:
        AgentFailed: it does not (`bad_input`); another agent may take it.
    """
    if spec.inputs is not None and (wrong := misfit(spec.inputs, given)):
        raise AgentFailed("bad_input", f"{spec.id} does not take this input: {wrong}")


def accepted(spec: AgentSpec, result: Result) -> Result:
    """Return a result whose output fits the agent's schema.

    Raises:
        AgentFailed: it does not (`bad_output`), with the steps that were done; another agent may do better.
    """
    if spec.outputs is not None and (wrong := misfit(spec.outputs, result.output)):
        failure = AgentFailed("bad_output", f"{spec.id} brought what its schema does not allow: {wrong}")
        failure.steps = result.steps
        raise failure
    return result
