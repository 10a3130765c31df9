"""The root of what the learners raise on purpose; narrower errors live here or beside the code that raises them."""

from storage.records import AdaptdError


class LearnerError(AdaptdError):
    """The root of this room's errors: something in how the daemon learns was wrong, and foreseen."""


class EmbeddingsMissing(LearnerError):
    """The sentence model that `model.embeddings` names is not on this machine, or cannot be loaded.

    To do: `hf download` it, or name a folder, or set `model.embeddings: ngrams` to do without a model.

    Shows as: a line in the update's report; what needed it does without, and says so.
    """
