"""The small base's tokenizer: byte-level BPE, and a chat template of plain tags.

Text is first cut into chunks that no merge crosses: words with the space before them, the parts of camelCase names,
`\\n    type` of an attribute line, and relation operators. An answer is then about 57 tokens, and a name has the same
tokens in the prompt and in the answer, so that the base can learn to copy it. All 256 bytes are in the vocabulary:
any text passes through and comes back unchanged, however many tokens it takes. The vocabulary should be large enough
to hold every word of the world whole: words that share pieces with a new word are spoiled when LoRA learns that one.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

END, PAD = "<|end|>", "<|pad|>"
SPECIAL = (PAD, END, "<|system|>", "<|user|>", "<|assistant|>", "<|tool|>")

CHUNKS = "|".join(
    (
        r"\n {4}(?:int|string|float|date|boolean)(?= )",
        r"\n {2}\}",
        r"\n (?= )",  # the rest of the indent goes with the word after it, as in the prompt
        r" ?[|}][|o](?:--|\.\.)[|o][|{]",
        r" ?[A-Z]?[a-z]+",
        r" ?[A-Z]+(?![a-z])",
        r" ?\d",
        r" ?[^\sA-Za-z\d]+",
        r"\s+",
    )
)

_TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|' + message['role'] + '|>' + message['content'] + '<|end|>' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)


def train_tokenizer(texts: Iterable[str], vocabulary_size: int, chunks: str = CHUNKS) -> Any:
    """A `PreTrainedTokenizerFast` with `vocabulary_size` tokens, its merges learned from `texts`.

    No merge crosses a match of `chunks`, a regular expression that matches every text from end to end."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    split = pre_tokenizers.Split(Regex(chunks), behavior="isolated")
    as_bytes = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, as_bytes])
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary_size, special_tokens=list(SPECIAL), initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token=END, pad_token=PAD, clean_up_tokenization_spaces=False
    )
    fast.chat_template = _TEMPLATE
    return fast
