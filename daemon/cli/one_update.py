"""One update in words, for `adaptd updates show`: what was trained on what, what came of it, and why.

It reads the plain data of `GET /v1/updates/N`, in which anything may be missing: an update that still trains has no
verdict, one of an earlier version no phases.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Plain = Mapping[str, Any]
_SHARES = frozenset({"score", "similarity", "edit", "bleu", "rouge_l", "exact", "generic", "self_similarity"})


def lines_of(update: Plain) -> Iterator[str]:
    """What `updates show` prints."""
    report = update.get("report", {})
    yield f"update {update['update_id']} of {update['task']}: {update['state']}"
    yield f"  {update['candidate'] or 'no candidate'} against {update['champion']}: {update['reason']}"
    yield f"  batch: {update['batch_size']} of a pool of {update['pool_size']}, {update['attempts']} attempts crashed"
    if "start" in report:
        yield f"  start: {report['start']}"
    if settings := report.get("settings", {}):
        values = ", ".join(f"{name} {_setting(value)}" for name, value in settings["values"].items())
        yield f"  settings of {settings['method']}: {values} ({settings['origin']})"
    yield from _rows(report)
    yield from _training(report.get("training", {}))
    yield from _returned(report)
    for look in update.get("looks", ()):
        yield f"  look {look['number']} on {look['prompts']} prompts: {look['verdict']}: {look['reason']}"
    yield from _verdict(report.get("verdict", {}))
    for job in update.get("jobs", ()):
        error = f": {job['error']}" if job["error"] else ""
        yield f"  {job['kind']} attempt {job['attempt']} in {job['directory']}: {job['state']}{error}"


def _rows(report: Plain) -> Iterator[str]:
    for method, counts in report.get("rows", {}).items():
        yield f"  rows for {method}: " + ", ".join(f"{count} {which}" for which, count in counts.items())
    if "preference" in report:
        yield f"  preference: {report['preference']}"
    if "trust" in report:
        yield f"  trust: {report['trust']}; SFT's floor: {report['floor']}"
    for key, words in (("no_method", "rows no method learns from"), ("gave_way", "rows that gave way to another")):
        if report.get(key):
            yield f"  {words}: " + ", ".join(f"{count} {role}" for role, count in report[key].items())
    if report.get("leaks"):
        yield f"  rows left out because the gate would know them again: {report['leaks']}"


def _returned(report: Plain) -> Iterator[str]:
    if report.get("left_out"):
        yield f"  left out as noise: {len(report['left_out'])} examples"
    if report.get("unseen"):
        yield f"  go back unlearned, since no step saw them: {report['unseen']} examples"


def _training(training: Plain) -> Iterator[str]:
    for name, learner in training.get("learners", {}).items():
        for words in learner["did"]:
            yield f"  {name}: {words}"
    for phase in training.get("phases", ()):
        losses = f"loss {_number(phase['first_loss'])} -> {_number(phase['last_loss'])}"
        dev = f", dev {_number(phase['dev_loss'])} at step {phase['best_step']}" if phase["dev_loss"] else ""
        steps = f"{phase['steps']} of {phase['steps_planned']} steps on {phase['rows']} rows"
        yield f"  {phase['method']}: {steps}, {losses}{dev}, KL {_number(phase['kl'])}"
        yield f"    early stopping {phase['early_stopping']}"
        for reason, count in phase["dropped"].items():
            yield f"    dropped: {count} {reason}"
        for note in phase["notes"]:
            yield f"    {note}"
    if kept := training.get("retention"):
        moved = (
            f"{_number(kept['kl_base'])} nats a token from the base, {_number(kept['kl_champion'])} from the champion"
        )
        yield f"  on {kept['prompts']} general prompts: {moved} (KL)"


def _verdict(verdict: Plain) -> Iterator[str]:
    if not verdict:
        return
    yield f"  verdict: {verdict['verdict']} by {verdict['primary'] or 'nothing'} on {verdict['prompts']} prompts"
    if verdict.get("difference") is not None:
        low, high = (_points(end) for end in verdict["interval"])
        champion, candidate = _points(verdict["champion_score"]), _points(verdict["candidate_score"])
        difference = _points(verdict["difference"])
        yield f"    {champion} -> {candidate} of 100, difference {difference} (95 % from {low} to {high})"
    for side, nll in verdict.get("nll_per_token", {}).items():
        yield f"    {side}: NLL {nll:.3f} nats a token"
    if pairs := verdict.get("pair_accuracy"):
        yield f"    pair accuracy (a report, decides nothing) on {pairs['pairs']} pairs of {pairs['users']} users:"
        names = ("champion", "candidate", "moved", "length")
        yield "      " + ", ".join(f"{name} {_points(pairs[name])} %" for name in names)
    if head := verdict.get("win_rate"):
        yield f"    win-rate head {head['reason']}"
    if judge := verdict.get("judge"):
        yield (
            f"    judge: {judge['compared']} pairs of answers, {judge['disagreed']} ties since the two orders "
            f"disagreed, {judge['unreadable']} unreadable"
        )
    for guard in verdict.get("guards", ()):
        if guard["harmed"]:
            yield f"    guard: {guard['words']}"
    for kept in verdict.get("kept", ()):
        yield f"    {_kept(kept)}"
    yield from _measures(verdict.get("measures", {}))


def _kept(kept: Plain) -> str:
    scores = f"{_points(kept['champion'])} -> {_points(kept['candidate'])} of 100 on {kept['items']} items"
    said = "no worse" if kept["passed"] else "not proven to be no worse"
    if kept["champion"] < kept["margin"]:  # nothing can fall by so much
        return f"{kept['name']}: {scores}; too little for any loss to show (margin {_points(kept['margin'])} points)"
    return f"{kept['name']}: {scores}, {said}; a loss of {_points(kept['margin'])} points would show"


def _measures(measures: Plain) -> Iterator[str]:
    """A line each, what it means is in docs/gate.md: shares in points of 100, all else in its own unit."""
    if measures:
        yield "    measures (a report, decide nothing), champion -> candidate:"
    for name, found in measures.items():
        shown = _points if name in _SHARES else _number
        if "champion" not in found:
            yield f"      {name}: {shown(found['candidate'])}, on {found['prompts']} prompts"
            continue
        error = "" if found["error"] is None else f" +- {shown(found['error'])}"
        sides = f"{shown(found['champion'])} -> {shown(found['candidate'])}"
        yield f"      {name}: {sides}, difference {shown(found['difference'])}{error}, on {found['prompts']} prompts"


def _setting(value: float | str) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"


def _points(share: float) -> str:
    return f"{100 * share:.3g}"
