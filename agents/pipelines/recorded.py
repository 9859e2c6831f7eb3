"""Recorded agents: they look up what a model really answered on a known prompt, and say that it is a recording."""

from typing import ClassVar

from msgspec import Struct

from agents.errors import AgentFailed
from agents.pipeline import Effects, Result, Stopwatch, Timer, Toolbox, Work, beneath


class RecordedSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """Whose outcomes: `data` is the set's path from the project's folder, without `.scores.csv.gz`."""

    data: str
    model: str


class Recorded:
    """Answers with the real outcome of one model on the prompt that `input.prompt_id` names.

    The time is that of the look-up; tokens and cost were not measured here, so they are absent.
    """

    name: ClassVar[str] = "recorded"
    Settings: ClassVar[type[Struct]] = RecordedSettings

    def __init__(self, settings: RecordedSettings, toolbox: Toolbox) -> None:
        self._model = settings.model
        self._outcomes = toolbox.recordings(beneath(toolbox.root, settings.data))

    async def run(self, work: Work, _effects: Effects, timer: Timer) -> Result:
        """Look the outcome up.

        Raises:
            AgentFailed: the task names no prompt, or the model's outcome on it was not recorded.
        """
        watch = Stopwatch(timer)
        prompt_id = work.input.get("prompt_id")
        if not isinstance(prompt_id, str):
            raise AgentFailed("prompt_missing", "input.prompt_id must name the prompt")
        with watch.step("look_up", model=self._model):
            try:
                score = self._outcomes.outcome(prompt_id, self._model).score
            except KeyError as error:
                raise AgentFailed("not_recorded", f"nothing is recorded of {self._model} on {prompt_id}") from error
        output = {"model": self._model, "score": score, "recorded": True, "prompt_id": prompt_id}
        return Result(output, watch.steps)
