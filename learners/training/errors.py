"""What the training worker raises on purpose. The worker turns each into a result with `outcome: failed`."""

from collections.abc import Mapping

from learners.errors import LearnerError
from storage.records import Origin


class NothingToTrain(LearnerError):
    """Not one row was left to train on.

    To do: raise `model.max_context` where rows were too long; the text counts them by reason.

    Shows as: the reason of a failed update.
    """

    def __init__(self, message: str, unfit: Mapping[str, tuple[Origin, ...]] | None = None) -> None:
        """`unfit`: by why, the examples of which no text can be trained on."""
        super().__init__(message, unfit or {})
        self.unfit = dict(unfit or {})

    def __str__(self) -> str:
        return str(self.args[0])


class Outgrown(NothingToTrain):
    """The champion knows already what every row would teach.

    To do: nothing; the examples count as learned, and new feedback makes the next update.

    Shows as: the reason of a failed update.
    """


class NoChange(LearnerError):
    """The candidate answers like the policy that it started from.

    To do: raise the learning rate or the steps of the method, as the text says; small bases want more.

    Shows as: the reason of a failed update.
    """


class ForgotTooMuch(LearnerError):
    """The candidate answers general prompts, which no task teaches, too unlike the base.

    To do: what the text says; where the figure stands for many good updates, raise `updates.max_retention_kl`.

    Shows as: the reason of a failed update.
    """


class StartMissing(LearnerError):
    """The job starts from a champion whose files cannot be loaded.

    To do: restore the artifact folder, or promote an adapter whose files are whole.

    Shows as: the reason of a failed update.
    """
