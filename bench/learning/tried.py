"""What was tried on the dev seeds before anything was reported: learning rates, settings of KTO, ways to pick a batch
without a learner, and the shares of `active`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bench.learning.cells import BASES, ERD, KTO_BESIDE, KTO_TRIED, PICKED, PICKS, RATES, SHARED, SHARES
from bench.learning.claims import Results
from bench.learning.settings import KTO, LEARNING_RATE, SFT, TRIED_KTO, find_setting
from bench.learning.statistics import estimate
from bench.learning.tables import Rows, about, of, points, table
from learners.hooks.active import ActiveSettings


def tried(results: Results) -> str:
    """All four tables."""
    return "\n\n".join((_tried_rates(results), _tried_kto(results), _tried_picks(results), _tried_shares(results)))


def _tried_rates(results: Results) -> str:
    """Learning rates of SFT, at the centre."""
    given = [(point.name, SFT.name, f"{point.rate:g}", point.rate == LEARNING_RATE) for point in RATES]
    return _scores(results, ("setting", "learning rate", "base", "score", ""), given)


def _tried_kto(results: Results) -> str:
    """Settings of KTO on thumbs alone, then what SFT made of the same."""
    names = (*(setting.name for setting in TRIED_KTO), *KTO_BESIDE)
    given = [
        (KTO_TRIED.name, name, (found := find_setting(name)).says, found.updates.get("kto") == KTO) for name in names
    ]
    return _scores(results, ("setting", "what it is", "base", "score", ""), given)


def _scores(results: Results, head: tuple[str, ...], given: Sequence[tuple[str, str, str, bool]]) -> str:
    """Each point, setting, what is said of it and whether it was chosen, on both bases of the diagrams."""
    rows: Rows = []
    cells: list[Mapping[str, Any]] = []
    for point, name, says, chosen in given:
        for task, base in ERD:
            found = of(results, f"update/{task}-{base}/{point}/{name}/")
            if found:
                scores = estimate([one["metrics"]["score"] for one in found])
                rows.append((f"`{name}`", says, f"{task}-{base}", points(scores), "chosen" * chosen))
            cells += found
    return table(head, rows) + about(cells)


def _tried_picks(results: Results) -> str:
    """Each way to pick a batch, at the noise of the centre and at twice that."""
    rows: Rows = []
    cells: list[Mapping[str, Any]] = []
    for task, base in BASES:
        for point in PICKS:
            where = f"update/{task}-{base}/{point.name}"
            by_name = {name: of(results, f"{where}/{name}/") for name in PICKED}
            rows += [_pick_row(name, f"{task}-{base}", found, point.noise) for name, found in by_name.items() if found]
            cells += [one for found in by_name.values() for one in found]
    return table(
        ("setting", "what it is", "noise told", "base", "score", "edge pass", "hard", "noise", ""), rows
    ) + about(cells)


def _pick_row(name: str, base: str, found: Sequence[Mapping[str, Any]], told: float) -> tuple[str, ...]:
    setting, *rest = _shares_row(name, base, found)
    return setting, rest[0], f"{100 * told:.0f} %", *rest[1:-1], "chosen" * (name == SFT.name)


def _tried_shares(results: Results) -> str:
    """The shares of `active`, each beside SFT on the same seeds."""
    rows: Rows = []
    cells: list[Mapping[str, Any]] = []
    for task, base in BASES:
        where = f"update/{task}-{base}/{SHARES.name}"
        by_name = {name: of(results, f"{where}/{name}/") for name in SHARED}
        rows += [_shares_row(name, f"{task}-{base}", found) for name, found in by_name.items() if found]
        cells += [one for found in by_name.values() for one in found]
    head = ("setting", "what it is", "base", "score", "edge pass", "hard", "noise", "")
    return table(head, rows) + about(cells)


def _shares_row(name: str, base: str, found: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    score, edge = (points(estimate([one["metrics"][key] for one in found])) for key in ("score", "edge"))
    hard, noisy = (estimate([one.get(key, 0.0) for one in found]).mean for key in ("hard_share", "noisy_share"))
    setting = find_setting(name)
    chosen = "chosen" * (
        ActiveSettings() == ActiveSettings.model_validate(setting.updates.get("active", {"random": 1.0}))
    )
    return f"`{name}`", setting.says, base, score, edge, f"{100 * hard:.0f} %", f"{100 * noisy:.0f} %", chosen
