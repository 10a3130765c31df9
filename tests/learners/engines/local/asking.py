"""What the tests of the local engine ask it: prompts of several lengths, and answers short enough for a test."""

from __future__ import annotations

from learners.engines.wire import Sampling
from storage.records import Message

PROMPTS = [(Message("user", text),) for text in ("hi", "what is the time?", "x" * 40, "draw a cat and a dog", "?")]
SHORT = Sampling(max_tokens=24)
