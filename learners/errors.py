"""The root of what the learners raise on purpose; narrower errors live here or beside the code that raises them."""

from storage.records import AdaptdError


class LearnerError(AdaptdError):
    """Something in how the daemon learns was wrong, and foreseen."""
