"""Learning from thumbs alone: does KTO move the score of the example's base, and more than imitating what was liked?

    python -m bench.thumbs                     seeds 1, 2, 3; two kinds of users
    python -m bench.thumbs --seed 7 --seeds 1 --quick
    python -m bench.thumbs --seed 101 --beta 0.5 --rate 1e-3    other settings of KTO

Each seed has prompts of its own, to which the base answers at temperature 1. A simulated user gives a thumb up to each
answer that scores at least a bar (the demo's own score, which no method sees), else a thumb down: a lenient user (0.5)
likes about half of them, a strict one (0.7) one in six. The same rows are then trained on twice, by the job that a
daemon would write: with `learners.preference: off`, SFT imitates the liked answers and nobody learns from the others;
with `kto` all of them are judged answers. Measured: the mean score of greedy answers to 200 other prompts, 0 to 100.

Limits: no daemon, no gate, no dev fold, one update; a base of 0.7 million parameters. Learning rates were chosen on the
seeds 101 to 103, of 5e-4 and 1e-3 for KTO; SFT's is the demo's.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Sequence
from contextlib import redirect_stderr
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from statistics import fmean

from bench.reporting import commit, machine
from consumers.rewards import RewardSettings
from examples.erd.base import ensure_base
from examples.erd.score import mean_score, score
from examples.erd.world import Pool, entity_lists, prompt_of, score_prompts
from learners.base import base_hash
from learners.engines.local.model import Model, ModelLimits
from learners.engines.wire import Sampling
from learners.job import DEV_ROWS, ROWS, Base, Lora, Phase, Start, TrainJob, TrainResult
from learners.job import Model as ModelShape
from learners.job_files import read_result, write_job, write_rows
from learners.methods import find_method
from learners.methods.kto import KtoSettings
from learners.methods.sft import SftSettings
from learners.preference import Preference, rows_to_train, sort_rows, with_replay
from learners.router import Methods, rows_of
from learners.training.worker import perform
from storage.records import Example, Message, Row, Scalar

BARS = {"lenient": 0.5, "strict": 0.7}
AT_ONCE = 64
ARMS: tuple[Preference, ...] = ("off", "kto")


@dataclass(frozen=True, slots=True)
class Trial:
    """One training on one seed's thumbs: the score after it in [0, 1], and how it went."""

    users: str
    seed: int
    arm: Preference
    score: float
    words: str


def run(seed: int, count: int, prompts: Sequence[str], base: Path, kto: KtoSettings) -> list[Trial]:
    """Both kinds of users, both arms, on one seed."""
    asked = [prompt_of(entities) for entities in islice(entity_lists(Pool.EVENTS, seed), count)]
    answers = _answers(base, None, asked, temperature=1.0, seed=seed)
    found = []
    for users, bar in BARS.items():
        rows = _rows(list(zip(asked, answers, strict=True)), bar)
        liked = sum(row.reward > 0 for row in rows)
        for arm in ARMS:
            result, reached = _trained(rows, arm, seed, prompts, base, kto)
            words = f"{liked} liked, {len(rows) - liked} not; {result}"
            found.append(Trial(users, seed, arm, reached, words))
    return found


def _rows(said: Sequence[tuple[str, str]], bar: float) -> list[Row]:
    now = datetime.now(UTC)
    asked = Example(
        task="erd",
        interaction_id="",
        revision=1,
        joined=True,
        withdrawn=False,
        messages=(),
        response=None,
        finish_reason=None,
        model=None,
        adapter=None,
        user_id=None,
        users=(),
        first_seen_at=now,
        last_signal_at=now,
        effective_at=now,
    )
    rows: list[Row] = []
    for number, (prompt, answer) in enumerate(said):
        thumb = Scalar(float(score(prompt, answer).score >= bar), 1, now)
        one = replace(asked, interaction_id=f"i{number}", messages=(Message("user", prompt),), response=answer)
        rows += rows_of(replace(one, scalar=thumb), RewardSettings(), now)
    return rows


def _trained(
    rows: Sequence[Row], arm: Preference, seed: int, prompts: Sequence[str], base: Path, kto: KtoSettings
) -> tuple[str, float]:
    """What became of the update, in words, and the score after it."""
    methods: Methods = [
        (find_method("sft"), SftSettings(learning_rate=2.5e-3)),
        (find_method("kto"), kto),
    ]
    phases = with_replay(sort_rows(rows, [], [], methods[: 1 + (arm == "kto")], arm).phases, [], arm)
    settings = {method.name: settings.model_dump() for method, settings in methods}
    mine = [rows_to_train(phase) for phase in phases]
    job = TrainJob(
        task="erd",
        update_id=1,
        candidate="erd@v1",
        phases=tuple(
            Phase(method=phase.method, settings=settings[phase.method], rows=len(some), dev_rows=0)
            for phase, some in zip(phases, mine, strict=True)
        ),
        seed=seed,
        base=Base(path=str(base), hash=base_hash(base)),
        start=Start(mode="base"),
        model=ModelShape(max_context=512, lora=Lora(dropout=0.0)),
    )
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        write_job(folder, job)
        write_rows(folder / ROWS, [row for some in mine for row in some])
        write_rows(folder / DEV_ROWS, [])
        perform(folder)
        result = read_result(folder)
        if not isinstance(result, TrainResult) or result.outcome != "trained":
            raise SystemExit(f"seed {seed}, {arm}: {result.reason if result else 'no result'}")
        answers = _answers(base, folder / "adapter", prompts)
    return f"{result.reason}, KL {result.kl:.3f}", mean_score(list(zip(prompts, answers, strict=True)))


def _answers(
    base: Path, adapter: Path | None, prompts: Sequence[str], temperature: float = 0.0, seed: int = 0
) -> list[str]:
    model = Model(base, ModelLimits())
    if adapter is not None:
        model.load("candidate", adapter)
    said: list[str] = []
    for first in range(0, len(prompts), AT_ONCE):
        some = [
            model.prepare(
                (Message("user", prompt),),
                Sampling(max_tokens=200, temperature=temperature, seed=seed * 10_000 + number if temperature else None),
            )
            for number, prompt in enumerate(prompts[first : first + AT_ONCE], first)
        ]
        said += [answer.text for answer in model.generate("candidate" if adapter else None, some)]
    return said


def _table(before: float, trials: Sequence[Trial]) -> str:
    lines = [f"the base, greedy: {100 * before:.1f}"]
    for users in BARS:
        for arm in ARMS:
            mine = [trial for trial in trials if (trial.users, trial.arm) == (users, arm)]
            each = ", ".join(f"{100 * trial.score:.1f}" for trial in mine)
            mean = 100 * fmean(trial.score for trial in mine)
            lines.append(f"{users} users, preference {arm}: mean {mean:.1f} ({each})")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1, help="the first of them")
    parser.add_argument("--seeds", type=int, default=3, help="how many")
    parser.add_argument("--answers", type=int, default=60, help="thumbs of one seed")
    parser.add_argument("--rate", type=float, default=5e-4, help="learning rate of KTO")
    parser.add_argument("--beta", type=float, default=0.1, help="how strongly KTO is held to the base")
    parser.add_argument("--quick", action="store_true", help="40 prompts: to see that it works, not for figures")
    options = parser.parse_args()
    load, began_s, code = os.getloadavg()[0], time.monotonic(), commit()
    kto = KtoSettings(learning_rate=options.rate, beta=options.beta)
    base, prompts = ensure_base(progress=False), score_prompts()[: 40 if options.quick else None]
    with redirect_stderr(open(os.devnull, "w", encoding="utf-8")):
        before = mean_score(list(zip(prompts, _answers(base, None, prompts), strict=True)))
        trials: list[Trial] = []
        for seed in range(options.seed, options.seed + options.seeds):
            for trial in run(seed, options.answers, prompts, base, kto):
                trials.append(trial)
                print(f"seed {seed}, {trial.users}, {trial.arm}: {100 * trial.score:.1f} ({trial.words})", flush=True)
    print(_table(before, trials))
    took_s = time.monotonic() - began_s
    print(f"KTO at {options.rate:g}, beta {options.beta:g}; {options.answers} thumbs, {len(prompts)} prompts")
    print(f"commit {code}; {machine()}; load {load:.1f}; {took_s:.0f} s")


if __name__ == "__main__":
    main()
