"""One train job in a fresh interpreter, as a script would do it: `python -m bench.update.script DIRECTORY`."""

from __future__ import annotations

import sys
from pathlib import Path

from learners.training.worker import perform

if __name__ == "__main__":
    perform(Path(sys.argv[1]))
