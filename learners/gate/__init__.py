"""The gate: which candidate becomes champion, and how sure that is. `docs/gate.md` has the figures.

evidence.py    settings, rows, the judgement: plain data
statistics.py  the paired bootstrap and the alpha that is solved for the rows at hand
prompts.py     rows of one prompt are one piece of evidence
shares.py      how much one user's rows may weigh, and how many places they may take
guards.py      length, collapse, generic content, KL, sub-checks
generic.py     which answers would fit any prompt; words.py: answers as counts of words
noninferiority.py  golden and retention: what must be proven no worse; sets.py reads them
measures.py    what is measured of every answer, for people
answers.py     an evaluate job's answers as rows of evidence
power.py       which gain a task's gate can detect
preferences.py primaries that compare two answers
pairs.py       pair accuracy beside the length baseline: a report
judge.py       the verdict
"""

from .answers import gate_rows
from .evidence import Answer, EvidenceError, GateRow, GateSettings, Judgement, Likelihood
from .judge import Wait, clearly_worse, judge, wait_for
from .power import Power, power_of
from .prompts import one_row_each
from .sets import SetUnreadable, read_set
from .shares import newest_fairly
from .statistics import screen_level

__all__ = [
    "Answer",
    "EvidenceError",
    "GateRow",
    "GateSettings",
    "Judgement",
    "Likelihood",
    "Power",
    "SetUnreadable",
    "Wait",
    "clearly_worse",
    "gate_rows",
    "judge",
    "newest_fairly",
    "one_row_each",
    "power_of",
    "read_set",
    "screen_level",
    "wait_for",
]
