"""Method `kto`: TRL's Kahneman-Tversky optimisation of a LoRA adapter, as the last phase of a train job.

The reference is the policy as this phase found it: TRL copies the adapter to a frozen one called `ref`, which is
deleted at the end, as for `dpo`. What the daemon knows of this method is in `learners.methods.kto`.
"""

from __future__ import annotations

from collections.abc import Sequence

from datasets import Dataset
from trl.trainer.kto_config import KTOConfig

from learners.methods.kto import KtoSettings, balanced
from learners.plan import Plan, keep_apart
from learners.training.bench import Bench, Fitted, run_trainer, trainer_arguments
from learners.training.dpo import REFERENCE
from learners.training.rows import EncodedRow, as_judged
from learners.training.weighted_judgements import WeightedJudgementCollator, WeightedJudgementTrainer


def fit(bench: Bench) -> Fitted:
    """Trains the model's adapter on exactly that plan, in its order; leaves the best weights in it."""
    settings = KtoSettings.model_validate(bench.phase.settings)
    trainer = WeightedJudgementTrainer(
        plan=bench.plan,
        sft_weight=settings.sft_weight,
        dev_steps=dev_steps(bench.dev.rows, settings.batch_size) if bench.has_dev else (),
        model=bench.model,
        args=KTOConfig(
            **trainer_arguments(bench.directory, bench.job, settings, bench.steps),
            beta=settings.beta,
        ),
        data_collator=WeightedJudgementCollator(pad_token_id=bench.tokenizer.pad_token_id),
        train_dataset=_weighed(bench.rows.rows, settings),
        eval_dataset=_weighed(bench.dev.rows, settings) if bench.has_dev else None,
        processing_class=bench.tokenizer,
    )
    try:
        return run_trainer(bench, trainer, settings.patience)
    finally:
        bench.model.delete_adapter(REFERENCE)


def dev_steps(rows: Sequence[EncodedRow], size: int) -> tuple[tuple[int, ...], ...]:
    """Each row of the dev fold once, no prompt twice in a step; a row that is left without another is left out."""
    left, steps = list(range(len(rows))), []
    while left:
        (step,) = keep_apart(Plan((tuple(left),)), [row.prompt_ids for row in rows]).steps
        step = step[:size]
        left = [place for place in left if place not in step]
        steps.append(step)
    return tuple(step for step in steps if len(step) > 1)


def _weighed(rows: Sequence[EncodedRow], settings: KtoSettings) -> Dataset:
    weights = balanced([row.weight for row in rows], [row.desirable for row in rows], settings.balance)
    return as_judged(rows, weights)
