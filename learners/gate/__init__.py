"""The gate: which candidate becomes champion, and how sure that is. `docs/gate.md` has the figures.

evidence.py    settings, rows, the judgement: plain data
statistics.py  the paired bootstrap and the alpha that is solved for the rows at hand
shares.py      how much one user's rows may weigh, and how many places they may take
guards.py      length, collapse, sub-checks
pairs.py       pair accuracy beside the length baseline: a report
judge.py       the verdict
"""

from .evidence import Answer, EvidenceError, GateRow, GateSettings, Judgement, Likelihood
from .judge import Wait, judge, wait_for
from .shares import newest_fairly

__all__ = [
    "Answer",
    "EvidenceError",
    "GateRow",
    "GateSettings",
    "Judgement",
    "Likelihood",
    "Wait",
    "judge",
    "newest_fairly",
    "wait_for",
]
