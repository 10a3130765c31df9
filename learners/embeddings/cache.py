"""Vectors that were made before, by hash of their text, in one SQLite file beside the artifacts.

Encoding costs milliseconds a text, and judging asks for the same texts again and again. The file holds no text, only
sha256 hashes and vectors; but a vector says what its text was about, so whoever erases a user's texts must delete this
file, or the rows of those hashes. It is bounded (`MOST`, the longest unused go first) and safe to lose: a file that is
broken, locked or full is done without, and a broken one is deleted.
"""

from __future__ import annotations

import hashlib
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import TypeVar

import numpy as np

from learners.embeddings.contract import Encoder
from learners.ngrams import Vectors

T = TypeVar("T")
FILE = "embeddings.sqlite"
MOST = 50_000  # vectors; 40 MB of MiniLM's
WAIT_S = 5.0
ASKED_AT_ONCE = 500
_MADE = (
    "CREATE TABLE IF NOT EXISTS vector (encoder TEXT, hash BLOB, used_at REAL, halves BLOB, "
    "PRIMARY KEY (encoder, hash)) WITHOUT ROWID"
)


class VectorCache:
    """One file in `folder`, which is made when first written to. Several processes may use it."""

    def __init__(self, folder: Path, most: int = MOST) -> None:
        self._path, self._most = folder / FILE, most

    def get(self, encoder: str, hashes: Sequence[bytes]) -> dict[bytes, Vectors]:
        """Those that are known; asking keeps them from going first."""
        if not self._path.exists():
            return {}
        return self._use(lambda file: _read(file, encoder, hashes)) or {}

    def put(self, encoder: str, vectors: Mapping[bytes, Vectors]) -> None:
        """Keep them, and let the longest unused go where there are too many."""
        self._use(lambda file: _write(file, encoder, vectors, self._most))

    def _use(self, step: Callable[[sqlite3.Connection], T]) -> T | None:
        """One step in a transaction of its own; None where the file cannot be used."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(self._path, timeout=WAIT_S)) as file, file:
                file.execute(_MADE)
                return step(file)
        except (sqlite3.OperationalError, OSError):
            return None  # locked, read-only or full: nothing is lost but time
        except sqlite3.DatabaseError:
            self._path.unlink(missing_ok=True)
            return None


def _read(file: sqlite3.Connection, encoder: str, hashes: Sequence[bytes]) -> dict[bytes, Vectors]:
    found: dict[bytes, Vectors] = {}
    for at in range(0, len(hashes), ASKED_AT_ONCE):
        some = hashes[at : at + ASKED_AT_ONCE]
        where = f"encoder = ? AND hash IN ({','.join('?' * len(some))})"
        rows = file.execute(f"SELECT hash, halves FROM vector WHERE {where}", (encoder, *some)).fetchall()
        found |= {name: _whole(halves) for name, halves in rows}
        file.execute(f"UPDATE vector SET used_at = ? WHERE {where}", (time.time(), encoder, *some))
    return found


def _write(file: sqlite3.Connection, encoder: str, vectors: Mapping[bytes, Vectors], most: int) -> None:
    now = time.time()
    rows = [(encoder, name, now, _halves(vector)) for name, vector in vectors.items()]
    file.executemany("INSERT OR REPLACE INTO vector VALUES (?, ?, ?, ?)", rows)
    (held,) = file.execute("SELECT count(*) FROM vector").fetchone()
    if held > most:
        oldest = "SELECT encoder, hash FROM vector ORDER BY used_at LIMIT ?"
        file.execute(f"DELETE FROM vector WHERE (encoder, hash) IN ({oldest})", (held - most,))


def _halves(vector: Vectors) -> bytes:
    return vector.astype(np.float16).tobytes()


def _whole(halves: bytes) -> Vectors:
    return np.frombuffer(halves, np.float16).astype(np.float32)


class Cached:
    """An encoder that makes each vector once. What it makes is what it would find: the file's half precision."""

    def __init__(self, encoder: Encoder, cache: VectorCache) -> None:
        self._encoder, self._cache = encoder, cache
        self.name, self.identity = encoder.name, encoder.identity

    def encode(self, texts: Sequence[str]) -> Vectors:
        if not texts:
            return self._encoder.encode(texts)
        hashes = [hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest() for text in texts]
        known = self._cache.get(self.identity, list(dict.fromkeys(hashes)))
        missing = {name: text for name, text in zip(hashes, texts, strict=True) if name not in known}
        if missing:
            fresh = self._encoder.encode(list(missing.values()))
            made = {name: _whole(_halves(vector)) for name, vector in zip(missing, fresh, strict=True)}
            self._cache.put(self.identity, made)
            known |= made
        return np.stack([known[name] for name in hashes])
