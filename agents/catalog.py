"""The table of contents: every pipeline, listed once."""

from typing import Any

import msgspec

from agents.errors import AgentFailed, PipelineUnknown
from agents.pipeline import Pipeline, Toolbox
from agents.pipelines.answer import Answer
from agents.pipelines.arithmetic import Arithmetic
from agents.pipelines.classify import Classify
from agents.pipelines.clean import Clean
from agents.pipelines.code import Code
from agents.pipelines.compare import Compare
from agents.pipelines.ensemble import Ensemble
from agents.pipelines.entities import Entities
from agents.pipelines.finance import Finance
from agents.pipelines.forecast import Forecast
from agents.pipelines.hashing import Hashing
from agents.pipelines.http import Http
from agents.pipelines.llm import Llm
from agents.pipelines.model import Model
from agents.pipelines.ocr import Ocr
from agents.pipelines.polarity import TrainedPolarity
from agents.pipelines.recorded import Recorded
from agents.pipelines.remote import Remote
from agents.pipelines.sentiment import Sentiment
from agents.pipelines.steps import Steps
from agents.pipelines.summary import Summary
from agents.pipelines.supervise import Supervise
from agents.pipelines.table import TableAnalysis
from agents.pipelines.taught import Taught
from agents.pipelines.tools import Tools
from agents.pipelines.webhook import Webhook
from events.agent import AgentSpec

PIPELINES: tuple[type[Pipeline], ...] = (
    Recorded,
    Arithmetic,
    Sentiment,
    Webhook,
    Hashing,
    Finance,
    Tools,
    Code,
    Supervise,
    Clean,
    Steps,
    Ocr,
    Entities,
    TableAnalysis,
    Forecast,
    Http,
    Answer,
    Llm,
    TrainedPolarity,
    Classify,
    Summary,
    Ensemble,
    Taught,
    Model,
    Compare,
)

# Of agents that live elsewhere: no worker of ours runs them.
ELSEWHERE: tuple[type[Pipeline], ...] = (Remote,)


def pipeline_of(name: str) -> type[Pipeline]:
    """Return the pipeline of this name.

    Raises:
        PipelineUnknown: there is none.
    """
    for pipeline in (*PIPELINES, *ELSEWHERE):
        if pipeline.name == name:
            return pipeline
    known = ", ".join(sorted(pipeline.name for pipeline in (*PIPELINES, *ELSEWHERE)))
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
