"""The table of contents: every read model, listed once; tables and views of the schema follow from it."""

from collections.abc import Sequence

from sqlalchemy import Table

from projections.agent import AGENTS
from projections.approval import APPROVALS
from projections.attempt import ATTEMPTS
from projections.calibration import CALIBRATION_COPIES, CALIBRATIONS
from projections.card import MODEL_CARDS, MODEL_CHOICES
from projections.conversation import CONTEXTS, MESSAGE_ENDS, MESSAGES, SENDER_KEYS
from projections.dead_letter import DEAD_LETTERS
from projections.decision import DECISIONS
from projections.event_log import EVENTS_COMPARED, EVENTS_VIEW, event_log
from projections.example import EXAMPLES
from projections.experiment import EXPERIMENTS
from projections.feature import TASK_FEATURES
from projections.feedback import FEEDBACK
from projections.knowledge import KNOWLEDGE
from projections.memory import MEMORIES
from projections.model import MODEL_HISTORY, MODELS
from projections.performance import AGENT_PERFORMANCE
from projections.plan import PLAN_STEPS, PLANS
from projections.policy import POLICY_HISTORY
from projections.projection import Compared, Projection
from projections.search import SEARCHES, TRIALS
from projections.similar import SIMILAR_TASKS
from projections.tally import TALLY, TALLY_COMPARED, TALLY_VIEW
from projections.task import TASKS
from projections.use import MODEL_USE
from projections.view import View

PROJECTIONS: tuple[Projection, ...] = (
    TASKS,
    TASK_FEATURES,
    SIMILAR_TASKS,
    DECISIONS,
    ATTEMPTS,
    FEEDBACK,
    EXAMPLES,
    AGENTS,
    AGENT_PERFORMANCE,
    MODEL_USE,
    MODEL_CARDS,
    MODEL_CHOICES,
    EXPERIMENTS,
    CALIBRATIONS,
    CALIBRATION_COPIES,
    POLICY_HISTORY,
    MODELS,
    MODEL_HISTORY,
    SEARCHES,
    TRIALS,
    KNOWLEDGE,
    PLANS,
    PLAN_STEPS,
    APPROVALS,
    MESSAGES,
    MESSAGE_ENDS,
    CONTEXTS,
    SENDER_KEYS,
    MEMORIES,
    DEAD_LETTERS,
)


def tables_of(projections: Sequence[Projection]) -> list[Table]:
    """Return all tables of one generation: the log, the tally, and those of the read models."""
    return [event_log, TALLY, *(table for projection in projections for table in projection.tables)]


def views_of(projections: Sequence[Projection]) -> list[View]:
    """Return all views over the tables of one generation."""
    return [EVENTS_VIEW, TALLY_VIEW, *(view for projection in projections for view in projection.views)]


def compared_of(projections: Sequence[Projection]) -> list[Compared]:
    """Return all that is compared byte for byte."""
    return [EVENTS_COMPARED, TALLY_COMPARED, *(relation for projection in projections for relation in projection.compared)]


VIEWS: tuple[View, ...] = tuple(views_of(PROJECTIONS))
COMPARED: tuple[Compared, ...] = tuple(compared_of(PROJECTIONS))
