"""What keeps a training from its end; each message is one sentence that a person can act on.

TrainingError
├── JobUnreadable         the job, or its table, is not what it should be
├── ShapeImpossible       a shape that cannot be made at the cost of the starting net
├── BatchStatistics       a network whose figures depend on who else is in a batch
├── CheckpointUnusable    a checkpoint that is cut off, or of another training
├── LossNotFinite         a loss that is no number
└── ParityMissed          the graph tells other figures than the network that it was made of
"""


class TrainingError(Exception):
    """A network cannot be trained."""


class JobUnreadable(TrainingError):
    """The job or its table cannot be read, or they do not belong together."""


class ShapeImpossible(TrainingError):
    """No width of a network leaves it about as many numbers as the starting net has."""


class BatchStatistics(TrainingError):
    """A network normalises over a batch, so small batches in turn would not be one large one."""


class CheckpointUnusable(TrainingError):
    """A checkpoint is cut off, damaged, or belongs to another training."""


class LossNotFinite(TrainingError):
    """The loss became infinite or no number at all."""


class ParityMissed(TrainingError):
    """The exported graph does not tell what the network tells."""
