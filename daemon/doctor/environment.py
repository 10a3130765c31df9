"""Python, the import names, the training libraries: what is there before any config is read."""

from __future__ import annotations

import sys

from daemon.doctor.checks import Check, fail, ok, warn
from daemon.executors import TrainingNotInstalled
from daemon.executors.local import require_training
from daemon.names import NAMES, in_words, other_owners

PYTHON_FROM, PYTHON_BELOW = (3, 11), (3, 14)


def check_environment() -> list[Check]:
    return [_python(), *_names(), _training()]


def _python() -> Check:
    version = ".".join(map(str, sys.version_info[:3]))
    if PYTHON_FROM <= sys.version_info[:2] < PYTHON_BELOW:
        return ok("python", version)
    return fail("python", f"{version} is not one of 3.11 to 3.13; make the environment with one of those")


def _names() -> list[Check]:
    others = other_owners()
    if others:
        return [fail("import names", in_words(name, shared)) for name, shared in others.items()]
    return [ok("import names", f"{', '.join(NAMES)} belong to adaptd alone")]


def _training() -> Check:
    try:
        require_training()
    except TrainingNotInstalled as error:
        return warn("training", f"{str(error).rstrip('.')}; a daemon with --role intake,api needs none of it")
    return ok("training", "adaptd[train] is installed")
