"""Method `dpo`: TRL's direct preference optimisation of a LoRA adapter, as the last phase of a train job.

The reference is the policy as this phase found it: TRL copies the adapter to a frozen one called `ref`, which is
deleted at the end, so that the published adapter has no trace of it. What the daemon knows of this method is in
`learners.methods.dpo`.
"""

from __future__ import annotations

from trl.trainer.dpo_config import DPOConfig

from learners.methods.dpo import DpoSettings
from learners.training.bench import Bench, Fitted, run_trainer, trainer_arguments
from learners.training.rows import as_pairs
from learners.training.weighted_pairs import WeightedPairCollator, WeightedPairTrainer

REFERENCE = "ref"  # TRL's name for its copy


def fit(bench: Bench) -> Fitted:
    """Trains the model's adapter on exactly that plan, in its order; leaves the best weights in it."""
    settings = DpoSettings.model_validate(bench.phase.settings)
    trainer = WeightedPairTrainer(
        plan=bench.plan,
        model=bench.model,
        args=DPOConfig(
            **trainer_arguments(bench.directory, bench.job, settings, bench.steps),
            beta=settings.beta,
            loss_type=["sigmoid", "sft"],
            loss_weights=[1.0, settings.sft_weight],
        ),
        data_collator=WeightedPairCollator(pad_token_id=bench.tokenizer.pad_token_id),
        train_dataset=as_pairs(bench.rows.rows),
        eval_dataset=as_pairs(bench.dev.rows) if bench.has_dev else None,
        processing_class=bench.tokenizer,
    )
    try:
        return run_trainer(bench, trainer, settings.patience)
    finally:
        bench.model.delete_adapter(REFERENCE)
