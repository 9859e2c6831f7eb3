"""How facts name a task and an attempt at it."""

from typing import Annotated

from events.field import says

TaskRef = Annotated[str, says("Id of the task.")]
AttemptNumber = Annotated[int, says("Which attempt at the task, counted from 1.")]
