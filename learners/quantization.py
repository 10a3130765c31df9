"""Whether this machine can train over a base in 4 bits. Torch-free: doctor, start and worker ask the same question.

What is looked at: a file that an NVIDIA driver leaves, on Linux or under WSL, and that bitsandbytes is installed.
Whether both work together shows when the first model is loaded.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

from learners.errors import LearnerError
from learners.model import Quantization

DRIVERS = (Path("/proc/driver/nvidia/version"), Path("/dev/dxg"))  # Linux, WSL
LIBRARY = "bitsandbytes"


class NoQuantization(LearnerError):
    """`model.quantization: 4bit` where it cannot be had.

    To do: train on a machine with an NVIDIA GPU and `pip install 'adaptd[qlora]'`, or set `model.quantization: none`.

    Shows as: its exit code alone.
    """


def check_quantization(wanted: Quantization) -> None:
    """Raises NoQuantization, naming what is missing."""
    if wanted == "none":
        return
    missing = [words for there, words in ((_has_gpu(), "an NVIDIA GPU"), (_has_library(), LIBRARY)) if not there]
    if missing:
        raise NoQuantization(
            f"model.quantization: {wanted} needs {' and '.join(missing)}, which this machine lacks; set it to none, or "
            "train where there is a GPU, with pip install 'adaptd[qlora]'"
        )


def _has_gpu() -> bool:
    return any(driver.exists() for driver in DRIVERS)


def _has_library() -> bool:
    return importlib.util.find_spec(LIBRARY) is not None
