"""How well adapters tell the chosen from the rejected text of held-out pairs: a report, never what decides. Pure.

An adapter can tell pairs apart perfectly and generate rubbish, so no verdict reads this. And people often choose the
longer text, so every accuracy stands beside what length alone would get.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from .evidence import GateRow, Likelihood


@dataclass(frozen=True, slots=True)
class _Pair:
    row: GateRow
    candidate: tuple[Likelihood, Likelihood]  # of the chosen text, of the rejected one
    champion: tuple[Likelihood, Likelihood]


def read_pairs(rows: Sequence[GateRow]) -> dict[str, Any] | None:
    """Shares in [0, 1] of the pairs that are told right, ties counting half; None where there is no pair.

    `candidate`, `champion`: the chosen text is the likelier one, per token. `moved`: the candidate raised the chosen
    text's likelihood over the champion's by more than the rejected one's, in sum (DPO's implicit reward). `length`: the
    chosen text has more characters. `users` gave the pairs; `too_long` could not be read.
    """
    given = [row for row in rows if row.chosen is not None and row.rejected is not None]
    pairs = [pair for row in given if (pair := _pair(row)) is not None]
    if not pairs:
        return None
    return {
        "pairs": len(pairs),
        "users": len({pair.row.user for pair in pairs}),
        "too_long": len(given) - len(pairs),
        "candidate": _accuracy(_likelier(*pair.candidate) for pair in pairs),
        "champion": _accuracy(_likelier(*pair.champion) for pair in pairs),
        "moved": _accuracy(_moved(pair) for pair in pairs),
        "length": _accuracy(_longer(pair.row) for pair in pairs),
    }


def _pair(row: GateRow) -> _Pair | None:
    read = (row.candidate.chosen, row.candidate.rejected, row.champion.chosen, row.champion.rejected)
    chosen, rejected, chosen_before, rejected_before = read
    if chosen is None or rejected is None or chosen_before is None or rejected_before is None:
        return None
    return _Pair(row, (chosen, rejected), (chosen_before, rejected_before))


def _accuracy(margins: Iterable[float]) -> float:
    return fmean(0.5 if margin == 0 else float(margin > 0) for margin in margins)


def _likelier(chosen: Likelihood, rejected: Likelihood) -> float:
    return rejected.nll_per_token - chosen.nll_per_token


def _moved(pair: _Pair) -> float:
    now, before = pair.candidate, pair.champion
    return (before[0].nll - now[0].nll) - (before[1].nll - now[1].nll)


def _longer(row: GateRow) -> float:
    return float(len(row.chosen or "") - len(row.rejected or ""))
