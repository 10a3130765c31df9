"""Method `kto`: TRL's Kahneman-Tversky optimisation of a LoRA adapter, as the last phase of a train job.

The reference is the policy as this phase found it: TRL copies the adapter to a frozen one called `ref`, which is
deleted at the end, as for `dpo`. What the daemon knows of this method is in `learners.methods.kto`.
"""

from __future__ import annotations

from collections.abc import Sequence

from datasets import Dataset
from trl.trainer.kto_config import KTOConfig

from learners.methods.kto import KtoSettings, balanced
from learners.plan import once_each
from learners.training.bench import Bench, Fitted, run_trainer, trainer_arguments
from learners.training.dpo import REFERENCE
from learners.training.rows import EncodedRow, as_judged
from learners.training.weighted_judgements import WeightedJudgementCollator, WeightedJudgementTrainer


def fit(bench: Bench) -> Fitted:
    """Trains the model's adapter on exactly that plan, in its order; leaves the best weights in it.

    A dev fold that is there can be read (`parts.readable`): TRL gives no loss at all where no step has a row.
    """
    settings = KtoSettings.model_validate(bench.phase.settings)
    trainer = WeightedJudgementTrainer(
        plan=bench.plan,
        sft_weight=settings.sft_weight,
        dev_steps=once_each([row.prompt_ids for row in bench.dev.rows], settings.batch_size) if bench.has_dev else (),
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


def _weighed(rows: Sequence[EncodedRow], settings: KtoSettings) -> Dataset:
    weights = balanced([row.weight for row in rows], [row.desirable for row in rows], settings.balance)
    return as_judged(rows, weights)
