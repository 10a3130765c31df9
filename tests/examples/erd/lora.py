"""A plain LoRA fine-tuning and greedy generation with nothing of adaptd's own: the measure of what the task allows."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerBase

from examples.erd.pretraining import batch_tensors, tokenized

Pairs = list[tuple[str, str]]


class SmallModel:
    """The base, and what LoRA makes of it."""

    def __init__(self, base: Path) -> None:
        self.tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(base)
        self.model: Any = AutoModelForCausalLM.from_pretrained(base)

    def learn(self, pairs: Pairs, steps: int, seed: int = 0) -> None:
        """Rank 16 on all linear layers, AdamW at 5e-3 falling to nothing, batches of 8 in random order."""
        torch.manual_seed(seed)
        config = LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM")
        self.model = get_peft_model(self.model, config)
        trained = [p for p in self.model.parameters() if p.requires_grad]
        optimizer = torch.optim.AdamW(trained, lr=5e-3, weight_decay=0.0)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / steps)
        texts, rng = tokenized(pairs, self.tokenizer), random.Random(seed)
        order = [text for _ in range(8 * steps // len(texts) + 1) for text in rng.sample(texts, len(texts))]
        self.model.train()
        for step in range(steps):
            self.model(**batch_tensors(order[8 * step : 8 * step + 8], self.tokenizer.pad_token_id)).loss.backward()
            torch.nn.utils.clip_grad_norm_(trained, 1.0)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()

    def answers(self, prompts: list[str], max_tokens: int = 200) -> list[str]:
        """Greedy answers, batched with padding on the left."""
        self.model.eval()
        self.tokenizer.padding_side = "left"
        asked = [[{"role": "user", "content": prompt}] for prompt in prompts]
        inputs = self.tokenizer.apply_chat_template(
            asked, add_generation_prompt=True, return_tensors="pt", return_dict=True, padding=True
        )
        with torch.inference_mode():
            made = self.model.generate(
                input_ids=inputs["input_ids"],
                attention_mask=inputs["attention_mask"],
                max_new_tokens=max_tokens,
                do_sample=False,
            )
        fresh = made[:, inputs["input_ids"].shape[1] :]
        return [str(text) for text in self.tokenizer.batch_decode(fresh, skip_special_tokens=True)]
