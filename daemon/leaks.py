"""What training may not see because the gate would know it again. Read from the store; the policy is the router's."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from sqlalchemy import Connection

from consumers.cleaning import prompt_key
from daemon.config import TaskConfig
from daemon.evidence import examples_read, set_prompts
from learners.gate import read_set
from learners.router import answer_key
from storage.records import Example


def gate_keys(tx: Connection, task: TaskConfig) -> Collection[str]:
    """For `router.drop_leaks`: of prompts, or, where folds go by user, of prompts with what was answered.

    Of what a judgement would read now, the golden file with it; what comes into the gate later, an adapter may have
    learned already. Raises SetUnreadable.
    """
    gate, golden = examples_read(tx, task), read_set("golden", task.gate.golden)
    if task.holdout.split == "prompt":
        return {prompt_key(messages) for messages in [e.messages for e in gate] + [p.messages for p in golden]}
    known = {answer_key(example.messages, text) for example in gate for text in _texts(example)}
    return known | {answer_key(prompt.messages, prompt.target or "") for prompt in golden}


def every_key(tx: Connection, task: TaskConfig) -> Collection[str]:
    """Of prompts, and of prompts with what was answered, whichever way folds go: no row that a learner makes may ask
    what the gate asks, nor what the golden file or the retention set does. Raises SetUnreadable."""
    gate, sets = examples_read(tx, task), set_prompts(task)
    answered = {answer_key(example.messages, text) for example in gate for text in _texts(example)}
    answered |= {answer_key(prompt.messages, prompt.target or "") for prompt in sets}
    return answered | {prompt_key(messages) for messages in [e.messages for e in gate] + [p.messages for p in sets]}


def _texts(example: Example) -> Iterator[str]:
    """What the gate may measure the likelihood of. A rejected text is not among them: nobody is rewarded for it."""
    yield from (target.text for target in (example.correction, example.demonstration) if target is not None)
    yield from (pair.chosen for pair in example.pairs if not pair.tie)
    if example.response:
        yield example.response
