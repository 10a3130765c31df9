"""What a fork server imports once, so that every worker starts with it: the slow libraries, and nothing computed.

Importing them takes seconds, forking after it a fraction of one. No tensor may be touched here: threads that torch
starts do not survive a fork. Without `adaptd[train]` the import fails here, and the executor has said so before.
"""

from learners.training.orphans import leaving_with_parent

with leaving_with_parent():
    import accelerate  # noqa: F401
    import datasets  # noqa: F401
    import peft  # noqa: F401
    import safetensors.torch  # noqa: F401
    import tokenizers  # noqa: F401
    import torch  # noqa: F401
    import transformers.models.auto.modeling_auto
    import transformers.models.auto.tokenization_auto
    import transformers.models.llama.modeling_llama
    import transformers.models.qwen2.modeling_qwen2  # noqa: F401

    import learners.training.dpo
    import learners.training.kto
    import learners.training.phases
    import learners.training.sft
    import learners.training.worker  # noqa: F401
