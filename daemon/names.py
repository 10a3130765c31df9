"""The import names that adaptd owns, and whoever else installs modules under them.

`daemon` is also python-daemon's name: pip would put both into one folder, file over file, and neither would work.
"""

from __future__ import annotations

from importlib.metadata import Distribution, distributions

from daemon.errors import ConfigError

NAMES = ("daemon", "consumers", "learners", "storage")
OURS = "adaptd"


def other_owners() -> dict[str, list[str]]:
    """Distributions other than adaptd that install one of the four names, with those names. Reads small files only."""
    found: dict[str, list[str]] = {}
    for distribution in distributions():
        name = distribution.metadata["Name"] or "?"
        shared = [each for each in NAMES if each in _top_level(distribution)] if name.lower() != OURS else []
        if shared:
            found[name] = shared
    return found


def require_own_names() -> None:
    """Raises ConfigError where another distribution shares them."""
    for name, shared in other_owners().items():
        raise ConfigError(in_words(name, shared))


def in_words(distribution: str, shared: list[str]) -> str:
    return (
        f"{distribution} installs modules under {', '.join(shared)} too, so its files and adaptd's lie over each "
        f"other; give adaptd an environment of its own, or: pip uninstall {distribution}, then pip install "
        "--force-reinstall adaptd"
    )


def _top_level(distribution: Distribution) -> set[str]:
    """The names that it can be imported by, as its own records say."""
    listed = distribution.read_text("top_level.txt")
    if listed is not None:
        return set(listed.split())
    return {line.partition("/")[0] for line in (distribution.read_text("RECORD") or "").splitlines() if "/" in line}
