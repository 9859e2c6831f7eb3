"""A general agent with a language model: its spec says what it is told, how long an answer may be, and in what shape."""

from datetime import timedelta
from typing import Annotated, Any, ClassVar

from msgspec import Meta, Struct

from agents import telling
from agents.errors import AgentFailed
from agents.pipeline import Effects, Result, Stopwatch, Timer, Toolbox, Work
from agents.port import Ask, Message, Said

_SHARE_OF_TIME = 0.9  # of what the attempt may take: the rest is for writing down how it went
_MOST_PASSAGES = 8
SYSTEM, TASK = "system", "task"  # names of prompts


class LlmSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """How the model is asked: by name (null: the first there is), how long its answer may be, how much chance, what shape.

    `schema` is a JSON Schema that the answer has to fit; the spec's `outputs` do not count here.
    """

    model: str | None = None
    max_tokens: Annotated[int, Meta(ge=1, le=8192)] = 256
    temperature: Annotated[float, Meta(ge=0.0, le=2.0)] = 0.0
    schema: dict[str, Any] | None = None


class Llm:
    """Asks a language model, and says which one answered and whether it was the last resort.

    Prompts of the spec: `system`, and `task`, in which `{text}` stands for the task's text. `input.passages` may hold texts
    that the answer should rest on; they come as quotations, before the task.
    """

    name: ClassVar[str] = "llm"
    Settings: ClassVar[type[Struct]] = LlmSettings

    def __init__(self, settings: LlmSettings, toolbox: Toolbox) -> None:
        self._settings, self._language, self._clock = settings, toolbox.language, toolbox.clock

    async def run(self, work: Work, _effects: Effects, timer: Timer) -> Result:
        """Ask.

        Raises:
            AgentFailed: nobody answered in time, a budget does not allow it, or there is no language model.
        """
        if self._language is None:
            raise AgentFailed("no_language_model", "this worker has no language model; `smolit llm status` says why")
        watch = Stopwatch(timer)
        with watch.step("ask") as spent:
            said = await telling.said(self._language, self._ask(work), work.telling)
            spent.on(said)
        return Result(told(said), watch.steps, watch.cost_microusd)

    def _ask(self, work: Work) -> Ask:
        """Return what the model is asked."""
        now, settings = self._clock(), self._settings
        most = timedelta(seconds=work.spec.timeout_s if work.spec else 30.0)
        return Ask(
            messages(work),
            now + min(work.deadline - now, most) * _SHARE_OF_TIME,
            work.tenant,
            work.agent,
            work.task_id,
            model=settings.model,
            max_tokens=settings.max_tokens,
            temperature=settings.temperature,
            schema=settings.schema,
            attempt=work.attempt,
        )


def messages(work: Work) -> tuple[Message, ...]:
    """Return system prompt and task; what was quoted stands apart from what is asked."""
    prompts = work.spec.prompts if work.spec else {}
    system = [Message("system", prompts[SYSTEM])] if prompts.get(SYSTEM) else []
    asked = prompts.get(TASK, "{text}").replace("{text}", work.text)
    return (*system, Message("user", f"{_quoted(work)}{asked}"))


def told(said: Said) -> dict[str, Any]:
    """Return the output: the answer, and who gave it."""
    output = {"text": said.text, "model": said.model, "backend": said.backend, "fallback": said.fallback, "cut": said.cut}
    return output if said.data is None else {**output, "data": said.data}


def _quoted(work: Work) -> str:
    """Return the passages that came with the task, numbered."""
    given = work.input.get("passages")
    texts = [one for one in given if isinstance(one, str)][:_MOST_PASSAGES] if isinstance(given, list) else []
    return "".join(f"[{number}] {text}\n" for number, text in enumerate(texts, 1)) + ("\n" if texts else "")
