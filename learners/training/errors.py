"""What the training worker raises on purpose. The worker turns each into a result with `outcome: failed`."""

from learners.errors import LearnerError


class NothingToTrain(LearnerError):
    """Not one row was left to train on."""


class NoChange(LearnerError):
    """The candidate answers like the policy that it started from."""


class StartMissing(LearnerError):
    """The job starts from a champion whose files cannot be loaded."""
