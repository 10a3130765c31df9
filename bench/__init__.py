"""Measurements whose figures stand in `docs/`; each is one script, run as `python -m bench.<name>`."""
