"""The root of what the learners raise on purpose; narrower errors live here or beside the code that raises them."""

from storage.records import AdaptdError


class LearnerError(AdaptdError):
    """The root of this room's errors: something in how the daemon learns was wrong, and foreseen."""
