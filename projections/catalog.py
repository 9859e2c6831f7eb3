"""The table of contents: every read model, listed once; tables and views of the schema follow from it."""

from projections.agent import AGENTS
from projections.attempt import ATTEMPTS
from projections.dead_letter import DEAD_LETTERS
from projections.decision import DECISIONS
from projections.event_log import EVENTS_COMPARED, EVENTS_VIEW
from projections.example import EXAMPLES
from projections.experiment import EXPERIMENTS
from projections.feature import TASK_FEATURES
from projections.feedback import FEEDBACK
from projections.performance import AGENT_PERFORMANCE
from projections.policy import POLICY_HISTORY
from projections.projection import Compared, Projection
from projections.similar import SIMILAR_TASKS
from projections.tally import TALLY_COMPARED, TALLY_VIEW
from projections.task import TASKS
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
    EXPERIMENTS,
    POLICY_HISTORY,
    DEAD_LETTERS,
)
VIEWS: tuple[View, ...] = (EVENTS_VIEW, TALLY_VIEW, *(view for projection in PROJECTIONS for view in projection.views))
COMPARED: tuple[Compared, ...] = (
    EVENTS_COMPARED,
    TALLY_COMPARED,
    *(relation for projection in PROJECTIONS for relation in projection.compared),
)
