"""Texts as words. White space parts them; in scripts that write none, every character is a word of its own."""

from __future__ import annotations

import re

# Thai, Lao, Khmer, Burmese; kana; CJK ideographs with extension A, compatibility forms and the planes beyond.
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
_WORD = re.compile(f"[{_UNSPACED}]|[^\\s{_UNSPACED}]+")
_PIECE = re.compile(f"[^\\W{_UNSPACED}]+|.", re.DOTALL)


def words(text: str) -> list[str]:
    """The words of a text for BLEU: `text.split()` with unspaced scripts taken apart."""
    return text.split() if text.isascii() else _WORD.findall(text)


def pieces(text: str) -> list[str]:
    """Words and every single character between them: joined again they are the text."""
    return _PIECE.findall(text)


def head_and_tail(tokens: list[str], most: int) -> tuple[list[str], bool]:
    """The first and the last `most / 2` tokens, and whether anything between was left out."""
    if len(tokens) <= most:
        return tokens, False
    half = most // 2
    return tokens[:half] + tokens[-half:], True
