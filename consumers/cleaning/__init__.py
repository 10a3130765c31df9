"""Is it fit to keep? Checks of names, texts, times and loose values, the canonical messages, the hashes of content."""

from storage.records.prompts import prompt_key

from .hashes import canonical_json, content_hash, self_contained_id
from .messages import canonical_messages, last_asked
from .names import check_name, check_task
from .times import parse_time
from .values import check_loose, check_no_nul, check_text

__all__ = [
    "canonical_json",
    "canonical_messages",
    "check_loose",
    "check_name",
    "check_no_nul",
    "check_task",
    "check_text",
    "content_hash",
    "last_asked",
    "parse_time",
    "prompt_key",
    "self_contained_id",
]
