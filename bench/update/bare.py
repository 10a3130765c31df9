"""The bare trainer: TRL and PEFT on the rows of a train job, and nothing of adaptd's between them.

`python -m bench.update.bare JOB_DIRECTORY SCRATCH` prints the seconds from loading the base to the saved adapter, the
imports left out: a warm worker does not pay for them either. Same base, rows, steps, batch size and learning rate as
the job; no weights, no plan, no look at how far the candidate moved, no probes.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

from learners.job import ROWS, TrainJob
from learners.job_files import read_job, read_rows
from learners.methods.sft import SftSettings
from learners.plan import steps_for
from storage.records import Row


def main(directory: Path, scratch: Path) -> float:
    """Seconds of training, from the files to the files."""
    job = read_job(directory)
    assert isinstance(job, TrainJob), "an evaluate job trains nothing"
    os.environ["OMP_NUM_THREADS"] = str(job.threads)
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    import datasets
    import peft
    import torch
    import transformers
    import trl

    torch.set_num_threads(job.threads)
    began = time.monotonic()
    tokenizer = transformers.AutoTokenizer.from_pretrained(job.base.path)
    model = transformers.AutoModelForCausalLM.from_pretrained(job.base.path, dtype=torch.float32)
    lora = job.model.lora
    adapter = peft.LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=lora.target_modules,
        task_type="CAUSAL_LM",
    )
    rows = datasets.Dataset.from_list([_example(row) for row in read_rows(directory / ROWS)])
    trainer = trl.SFTTrainer(
        model=model,
        args=_arguments(trl, job, len(rows), scratch),
        train_dataset=rows,
        processing_class=tokenizer,
        peft_config=adapter,
    )
    trainer.train()
    trainer.model.save_pretrained(scratch / "adapter")
    return time.monotonic() - began


def _example(row: Row) -> dict[str, Any]:
    asked = [{"role": message.role, "content": message.content} for message in row.messages]
    return {"prompt": asked, "completion": [{"role": "assistant", "content": row.completion}]}


def _arguments(trl: Any, job: TrainJob, rows: int, scratch: Path) -> Any:
    settings = SftSettings.model_validate(job.phases[0].settings)
    return trl.SFTConfig(
        output_dir=str(scratch),
        seed=job.seed,
        max_steps=steps_for(rows, settings.batch_size, settings.steps),
        per_device_train_batch_size=settings.batch_size,
        learning_rate=settings.learning_rate,
        max_length=job.model.max_context,
        completion_only_loss=True,
        use_cpu=True,
        bf16=False,
        gradient_checkpointing=False,
        dataloader_drop_last=True,  # every step has as many rows as a step of the plan
        dataloader_num_workers=0,
        dataloader_pin_memory=False,
        save_strategy="no",
        eval_strategy="no",
        logging_steps=1,
        report_to="none",
        disable_tqdm=True,
    )


if __name__ == "__main__":
    print(main(Path(sys.argv[1]), Path(sys.argv[2])))
