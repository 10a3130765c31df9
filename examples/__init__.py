"""Worked examples that ship with the repository; none of the four packages imports them, only `adaptd demo` does."""
