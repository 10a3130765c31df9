"""The documents, and in `generate/` the code that makes those which are made from code."""
