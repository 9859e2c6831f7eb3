"""SQL over the CSV files of a task as a tool."""

from typing import Any

from agents.errors import AgentFailed
from agents.pipeline import Work
from agents.pipelines.table import shown
from agents.port import NO_BLOBS, Blobs
from agents.sheet import sheets
from agents.table.asking import ask
from agents.table.reading import TableRefused
from agents.tool import Tool


def tools(blobs: Blobs) -> tuple[Tool, ...]:
    """Return the tool over files in this store; a task without files has only `input.csv`."""

    async def run(arguments: dict[str, Any], work: Work) -> Any:
        try:
            told = await ask(await sheets(work, blobs), sql=arguments["sql"])
        except TableRefused as refusal:
            raise AgentFailed(refusal.code, str(refusal)) from refusal
        return shown(told, "task")

    return (
        Tool(
            "table_sql",
            "Rows of one DuckDB SELECT over the CSV files that came with the task; each is a table by the file's name.",
            {
                "type": "object",
                "properties": {"sql": {"type": "string", "maxLength": 20_000}},
                "required": ["sql"],
                "additionalProperties": False,
            },
            {"type": "object", "required": ["columns", "rows", "cut"]},
            run,
            effect="read",
        ),
    )


TOOLS: tuple[Tool, ...] = tools(NO_BLOBS)  # over `input.csv` alone; `tools` makes the one that reads files, too
