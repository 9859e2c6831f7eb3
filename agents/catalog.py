"""The table of contents: every pipeline, listed once."""

from typing import Any

import msgspec

from agents.errors import AgentFailed, PipelineUnknown
from agents.pipeline import Pipeline, Toolbox
from agents.pipelines.arithmetic import Arithmetic
from agents.pipelines.hashing import Hashing
from agents.pipelines.recorded import Recorded
from agents.pipelines.sentiment import Sentiment
from agents.pipelines.supervise import Supervise
from agents.pipelines.taught import Taught
from agents.pipelines.webhook import Webhook
from events.agent import AgentSpec

PIPELINES: tuple[type[Pipeline], ...] = (Recorded, Arithmetic, Sentiment, Webhook, Hashing, Supervise, Taught)


def pipeline_of(name: str) -> type[Pipeline]:
    """Return the pipeline of this name.

    Raises:
        PipelineUnknown: there is none.
    """
    for pipeline in PIPELINES:
        if pipeline.name == name:
            return pipeline
    known = ", ".join(sorted(pipeline.name for pipeline in PIPELINES))
    raise PipelineUnknown(f"no pipeline is called {name!r}; there are {known}")


def build(spec: AgentSpec, toolbox: Toolbox) -> Pipeline:
    """Return the pipeline of an agent, with its settings.

    Raises:
        AgentFailed: the spec cannot be run here.
    """
    try:
        pipeline = pipeline_of(spec.pipeline)
        settings: Any = msgspec.convert(spec.settings, pipeline.Settings)
    except (PipelineUnknown, msgspec.ValidationError) as error:
        raise AgentFailed("agent_broken", f"{spec.id}: {error}") from error
    return pipeline(settings, toolbox)
