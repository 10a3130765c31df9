"""`make bench-learning`: runs the cells that are not there yet, gathers results.json, and writes docs/results.md.

    python -m bench.learning                          the full set: under four hours on two cores, resumable
    python -m bench.learning --quick                  one base, the centre, two seeds: does the machinery work?
    python -m bench.learning --only update/erd-weak/centre --minutes 30
    python -m bench.learning --report                 runs nothing, writes the report of what there is

It gives way to everything else (niceness 19). A kill loses the cell at hand; the same command goes on.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from bench.learning.bases import recorded
from bench.learning.cells import CELLS, all_cells, not_in_this_version
from bench.learning.report import write_report
from bench.learning.results import gather
from bench.learning.run import run_cells


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m bench.learning", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--report", action="store_true", help="run nothing")
    parser.add_argument("--only", default="", help="cells whose path begins so")
    parser.add_argument("--minutes", type=float, help="take on no new cell after so long")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--cells", type=Path, default=CELLS, help="where each cell's file is kept")
    options = parser.parse_args()
    os.nice(19)
    if options.quick:
        from bench.learning.quick import run_quick

        print(run_quick(options.cells / "quick"))
        return
    if not options.report:
        cells = [cell for cell in all_cells() if str(cell.path).startswith(options.only)]
        missing = sorted({name for cell in cells for name in not_in_this_version(cell)})
        if missing:
            print(f"not in this version, so their settings are not run: {', '.join(missing)}")
        if waiting := [name for name, record in recorded().items() if record.frozen is None]:
            print(f"not frozen, so nothing is run from them: {', '.join(waiting)}")
        run_cells(cells, options.cells, options.workers, options.minutes and 60 * options.minutes)
    write_report(gather(options.cells))


if __name__ == "__main__":
    main()
