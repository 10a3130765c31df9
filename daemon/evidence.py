"""What a judging reads: the gate's prompts from the store, and the sets that the config names.

Only evaluate jobs see the gate fold. Policies are the gate's (`learners.gate`); this only fetches.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from consumers.cleaning import last_asked, prompt_key
from consumers.rewards import aged_out, decay
from daemon.config import TaskConfig
from learners import job as contract
from learners.comparisons import net
from learners.gate import newest_fairly, read_set
from storage import buffer
from storage.records import Example

HUMAN_TEXTS = 200
MOST_JUDGED = 5000  # examples of the train fold that are looked at for pairs
MOST_PAIRS = 2000  # pairs that the win-rate head learns from
OF_EACH_PROMPT = 5  # examples that are looked at of a prompt of which nobody spoke lately: some have nothing to read
LOOK_PAST = 5  # times the gate's cap are looked at, to find what others said behind one user's flood


def gate_prompts(tx: Connection, task: TaskConfig, now: datetime) -> tuple[tuple[contract.Prompt, ...], int]:
    """What one judgement asks, and how many different prompts the gate holds for it: more, once those are capped."""
    examples = examples_read(tx, task)
    prompts = prompts_of(examples, task, now)
    return prompts, _entries(tx, task, prompts, capped=len(examples) >= task.holdout.cap)


def set_prompts(task: TaskConfig) -> tuple[contract.Prompt, ...]:
    """Those of the golden file and of the retention set. Raises SetUnreadable."""
    return read_set("golden", task.gate.golden) + read_set("retention", task.gate.retention)


def examples_read(tx: Connection, task: TaskConfig) -> list[Example]:
    """The gate's examples that one judgement reads: the newest, but no user's flood instead of everybody else's, and no
    prompt a second time instead of another."""
    found = _newest_in_gate(tx, task)
    users = [example.user_id for example in found]
    asked = [prompt_key(example.messages) for example in found]
    return [found[at] for at in newest_fairly(users, task.holdout.cap, task.batching.max_share_per_user, asked)]


def _newest_in_gate(tx: Connection, task: TaskConfig) -> list[Example]:
    """The newest of the gate; where these repeat a few prompts, also the newest of the prompts that they lack."""
    places = task.holdout.cap
    found = buffer.gate_examples(tx, task.name, limit=LOOK_PAST * places)
    known = {prompt_key(example.messages) for example in found}
    if len(found) < LOOK_PAST * places or len(known) >= places:
        return found
    lacking = [key for key in buffer.newest_gate_prompts(tx, task.name, limit=2 * places) if key not in known]
    found += buffer.gate_examples_of(tx, task.name, lacking[:places], each=OF_EACH_PROMPT)
    return sorted(found, key=lambda example: example.effective_at, reverse=True)


def prompts_of(examples: Sequence[Example], task: TaskConfig, now: datetime) -> tuple[contract.Prompt, ...]:
    """What candidate and champion are asked; users become numbers that mean nothing outside this job.

    Where only human texts decide, what has none (a tie, a thumb) is not asked.
    """
    numbers: dict[str, int] = {}
    fresh = [e for e in examples if e.messages and not aged_out(e.effective_at, now, task.rewards)]
    if task.validator is None and not _generates(task):
        fresh = [example for example in fresh if _target(example) or _compared(example)]
    return tuple(
        contract.Prompt(
            id=example.interaction_id,
            messages=example.messages,
            target=_target(example),
            pair=_compared(example),
            weight=decay(example.effective_at, now, task.rewards.half_life),
            user=numbers.setdefault(example.user_id, len(numbers)) if example.user_id else None,
        )
        for example in fresh
    )


def _generates(task: TaskConfig) -> bool:
    """Whether generated answers decide for sure, so that a prompt without any human text is worth asking."""
    if task.gate.primary == "auto":
        return task.validator is not None or task.gate.judge is not None
    return task.gate.primary != "nll"


def train_pairs(tx: Connection, task: TaskConfig, now: datetime) -> tuple[contract.TrainPair, ...]:
    """What people chose in the train fold, the newest, no user more than their share, for the win-rate head; none where
    it cannot be what decides."""
    better = task.validator is not None or task.gate.judge is not None
    if task.gate.primary != "win_rate" and (task.gate.primary != "auto" or better):
        return ()
    fresh = [
        (example, compared)
        for example in buffer.labelled_examples(tx, task.name, MOST_JUDGED)
        if (compared := _compared(example)) and not aged_out(example.effective_at, now, task.rewards)
    ]
    users = [next(iter(example.users), None) for example, _ in fresh]
    kept = newest_fairly(users, MOST_PAIRS, task.batching.max_share_per_user)
    return tuple(
        contract.TrainPair(
            prompt=last_asked(example.messages),
            chosen=compared.chosen,
            rejected=compared.rejected,
            weight=decay(example.effective_at, now, task.rewards.half_life),
        )
        for example, compared in (fresh[at] for at in kept)
    )


def _target(example: Example) -> str | None:
    """The text that a human wrote last, where there is one."""
    written = [text for text in (example.demonstration, example.correction) if text is not None]
    return max(written, key=lambda text: text.effective_at).text if written else None


def _compared(example: Example) -> contract.Compared | None:
    """The latest of its comparisons that most who made it agree on."""
    agreed = [comparison for comparison in net(example.pairs) if not comparison.split]
    newest = max(agreed, key=lambda comparison: comparison.effective_at, default=None)
    return None if newest is None else contract.Compared(chosen=newest.chosen, rejected=newest.rejected)


def _entries(tx: Connection, task: TaskConfig, prompts: Sequence[contract.Prompt], *, capped: bool) -> int:
    """How many different prompts the primary could be read on; those beyond the cap too, once these are enough."""
    generates = _generates(task)
    asked = [prompt for prompt in prompts if generates or prompt.target is not None or prompt.pair is not None]
    different = len({prompt_key(prompt.messages) for prompt in asked})
    if capped and different >= task.gate.min_prompts:
        return max(different, count_entries(tx, task))
    return different


def count_entries(tx: Connection, task: TaskConfig) -> int:
    """How many different prompts the gate holds that its primary can be read on, without reading them."""
    return buffer.gate_prompts(tx, task.name, labelled=not _generates(task))


def human_texts(tx: Connection, task: TaskConfig, now: datetime) -> list[str]:
    """What humans wrote in train and dev lately, one text a prompt: the yardstick of the guards."""
    examples = buffer.dev_examples(tx, task.name, HUMAN_TEXTS) + buffer.learned_examples(tx, task.name, HUMAN_TEXTS)
    examples += buffer.open_examples(tx, task.name, settled_before=now, limit=HUMAN_TEXTS)
    fresh = [example for example in examples if not aged_out(example.effective_at, now, task.rewards)]
    texts: dict[str, str] = {}
    for example in fresh:
        if (text := _target(example)) is not None:
            texts.setdefault(prompt_key(example.messages), text)
    return list(texts.values())
