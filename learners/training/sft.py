"""Method `sft`: TRL's supervised fine-tuning of a LoRA adapter, as one phase of a train job.

It trains exactly its plan and puts back the weights that did best on the dev fold. What the daemon knows of this method
is in `learners.methods.sft`.
"""

from __future__ import annotations

from trl.trainer.sft_config import SFTConfig

from learners.methods.sft import SftSettings
from learners.training.bench import Bench, Fitted, run_trainer, trainer_arguments
from learners.training.rows import as_dataset
from learners.training.weighted import WeightedCollator, WeightedTrainer


def fit(bench: Bench) -> Fitted:
    """Trains the model's adapter on exactly that plan, in its order; leaves the best weights in it."""
    settings = SftSettings.model_validate(bench.phase.settings)
    trainer = WeightedTrainer(
        plan=bench.plan,
        model=bench.model,
        args=SFTConfig(
            **trainer_arguments(bench.directory, bench.job, settings, bench.steps),
            dataset_kwargs={"skip_prepare_dataset": True},
        ),
        data_collator=WeightedCollator(pad_token_id=bench.tokenizer.pad_token_id),
        train_dataset=as_dataset(bench.rows.rows),
        eval_dataset=as_dataset(bench.dev.rows) if bench.has_dev else None,
        processing_class=bench.tokenizer,
    )
    return run_trainer(bench, trainer, settings.patience)
