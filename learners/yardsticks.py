"""By which yardstick a score was measured, so that like is compared with like. Pure but for the files it reads.

A validator's yardstick is its name, its settings and what is in the files that they name. A setting at its default is
as one left out, and one that says `scores=False` (how long a service may take) is no part of it. For the golden file
and the retention set it is the prompts that were read, with their targets, and how answers are compared with these.

The likelihood of human texts is a mean over tokens, and what a token is the base says: its yardstick is the base. Which
texts were read is no part of it, as the gate's prompts are none of a validator's, though it matters more here: some
texts are likelier than others whoever says them. What a judge or the win-rate head says is of two adapters, not of one:
there is no score of it (`SCORED`).

A score of before yardsticks were kept counts as measured by the first that is known of its task and metric: were it
comparable with nothing, the trend of every task would be gone with an update of adaptd, and most validators never
change. Where one was changed before there was a known yardstick that stays, such a score is still mixed with others.

Limits: the validator's program is no part of it. A service that begins to score otherwise at the same address, or a new
version of adaptd whose validator does, is the same yardstick.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from learners.validators import validator
from storage.records import Score
from storage.records.settings import Settings

SCORED = ("validator", "nll", "nll_chosen")  # primaries by which an adapter has a score of its own; the first counts
LENGTH = 12  # hexadecimal figures: a task sees few yardsticks in its life


def validator_yardstick(name: str, settings: Mapping[str, Any]) -> str:
    """Of a validator as config or a job file names it. A file that cannot be read counts as an empty one.

    Raises UnknownValidatorError, and pydantic's ValidationError for settings of the wrong shape.
    """
    chosen = validator(name).Settings.model_validate(dict(settings))
    return _short([name, _deciding(chosen), {key: _content(path) for key, path in _files(chosen).items()}])


def set_yardstick(items: Iterable[tuple[str, str]], compared: object = None) -> str:
    """Of (prompt, target) pairs in any order; `compared` is what else decides the score, as plain values."""
    return _short([sorted(items), compared])


def likelihood_yardstick(base_hash: str) -> str:
    """Of how likely an adapter on that base finds texts."""
    return _short(["likelihood", base_hash])


def known(scores: Sequence[Score]) -> list[Score]:
    """The scores, each with the yardstick that it counts as; None where no score of its metric has one."""
    newest_first = sorted(scores, key=lambda one: one.at, reverse=True)
    first = {one.metric: one.yardstick for one in newest_first if one.yardstick is not None}
    return [one if one.yardstick is not None else replace(one, yardstick=first.get(one.metric)) for one in scores]


def comparable(scores: Sequence[Score]) -> list[Score]:
    """Those of one task that were measured by the newest yardstick of their metric, in their order."""
    found = known(scores)
    newest = {one.metric: one.yardstick for one in sorted(found, key=lambda one: one.at)}
    return [one for one in found if one.yardstick == newest[one.metric]]


def main_metric(scores: Iterable[Score]) -> str | None:
    """By what the adapters of one task are told apart: of those in the newest judging, the first of `SCORED`."""
    mine = [one for one in scores if one.metric in SCORED]
    newest = max((one.at for one in mine), default=None)
    return min((one.metric for one in mine if one.at == newest), key=SCORED.index, default=None)


def main_scores(scores: Iterable[Score]) -> list[Score]:
    """Those of one task by its `main_metric`, in their order."""
    found = list(scores)
    metric = main_metric(found)
    return [one for one in found if one.metric == metric]


def _deciding(chosen: Settings) -> dict[str, Any]:
    """The settings that differ from their defaults, but for files and what decides no score."""
    left_out = _files(chosen).keys() | {key for key in type(chosen).model_fields if not _scores(chosen, key)}
    found: dict[str, Any] = json.loads(chosen.model_dump_json(exclude_defaults=True, exclude=set(left_out)))
    return found


def _files(chosen: Settings) -> dict[str, Path]:
    values = ((key, getattr(chosen, key)) for key in type(chosen).model_fields if _scores(chosen, key))
    return {key: value for key, value in values if isinstance(value, Path)}


def _scores(chosen: Settings, key: str) -> bool:
    extra = type(chosen).model_fields[key].json_schema_extra
    return not isinstance(extra, dict) or extra.get("scores") is not False


def _content(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""  # the evaluate job says what is wrong with it


def _short(what: object) -> str:
    return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:LENGTH]
