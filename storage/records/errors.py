"""The root of every error that adaptd raises on purpose.

Each room derives its own in its `errors.py`. A message says what was wrong, where, and what to do. Errors cross
process borders, so they pickle: subclasses keep their arguments in `args`.
"""


class AdaptdError(Exception):
    """Something that adaptd foresaw. Its text is written for the person who reads it, and carries no user text."""
