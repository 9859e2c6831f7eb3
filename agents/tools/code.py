"""A tool that runs Python: in a contained process, with nothing but the standard library."""

from typing import Any

from agents.contain.run import MOST_CODE, Ran, run
from agents.errors import AgentFailed
from agents.pipeline import Work
from agents.tool import Tool

_TOLD = 2_000  # characters of an error that are told


async def run_python(arguments: dict[str, Any], _work: Work) -> dict[str, Any]:
    """Run `code` and return what it wrote and its variable `result`.

    Raises:
        AgentFailed: it raised, took too long or too much, or cannot be contained here.
    """
    ran = await run(arguments["code"])
    if ran.outcome != "ok":
        raise AgentFailed(f"code_{ran.outcome}", why(ran))
    return {"stdout": ran.stdout, "result": ran.result}


def why(ran: Ran) -> str:
    """Say in a sentence how a program failed, with the end of what it said."""
    told = {
        "failed": f"the code ended with {ran.exit}",
        "timed_out": "the code took too long",
        "killed": "the code used more time or memory than it may",
        "too_much_output": "the code wrote more than it may",
    }.get(ran.outcome, ran.outcome)
    said = (ran.stderr or ran.stdout).strip()[-_TOLD:]
    return f"{told}: {said}" if said else told


TOOLS: tuple[Tool, ...] = (
    Tool(
        name="run_python",
        description="Runs a Python program (standard library only, no network, no files) and returns what it prints.",
        parameters={
            "type": "object",
            "properties": {"code": {"type": "string", "minLength": 1, "maxLength": MOST_CODE}},
            "required": ["code"],
            "additionalProperties": False,
        },
        returns={
            "type": "object",
            "properties": {"stdout": {"type": "string"}, "result": {}},
            "required": ["stdout"],
            "additionalProperties": False,
        },
        run=run_python,
    ),
)
