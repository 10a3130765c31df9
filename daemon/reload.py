"""Hot reload: watches the folder of adaptd.yaml, reads the file anew when it changes, and swaps the config in force.

The folder is watched, not the file, because editors write beside it and rename over it, and a Kubernetes ConfigMap
swaps a symlink called `..data`; where the file is a link, the folders on the way are watched too. What wakes us is only
a hint: the file is read when its content differs from what was last read, and it is looked at from time to time even
when nothing was heard, because not every file system tells.

A file with a fault changes nothing. A setting that a running daemon cannot change stays as it was, and is named.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

import structlog
from watchfiles import watch

from daemon.config import Config, load
from daemon.config_changes import changes, held_back
from daemon.errors import ConfigError
from daemon.faults import fault_of

log = structlog.get_logger(__name__)

NOISE_MS = 400  # a folder that never rests (a store lies beside the file) wakes us this seldom
SETTLE_S = 0.25
LOOK_EVERY_S = 2.0  # even when nothing was heard
MOST_LINKS = 16
STOP_S = 5.0


@dataclass(frozen=True)
class ConfigSource:
    """Where the config comes from, so that it can be read again: the file, with the same flags and variables."""

    path: Path
    overrides: Sequence[str] = ()
    environ: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))

    def load(self, text: str | None = None) -> Config:
        """Of the file, or of `text` in its place. Raises ConfigError with every fault, a line each."""
        return load(self.path, overrides=self.overrides, environ=self.environ, text=text)


@dataclass(frozen=True)
class ConfigState:
    """What status and metrics say of the config. `last_reload` is `ok` or what is wrong with the file."""

    loaded_at: datetime
    last_reload: str = "ok"
    reloads_ok: int = 0
    reloads_failed: int = 0
    needs_restart: tuple[str, ...] = ()


class ConfigWatch:
    """A thread from `start` to `stop`. `swap` is handed each new config; `state` is safe from any thread."""

    def __init__(
        self, source: ConfigSource, current: Config, swap: Callable[[Config], None], clock: Callable[[], datetime]
    ) -> None:
        self._source, self._current, self._swap, self._clock = source, current, swap, clock
        self._seen = _content(source.path)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="config", daemon=True)
        self.state = ConfigState(loaded_at=clock())

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """A second call does nothing."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(STOP_S)

    def look(self) -> None:
        """Read the file if it is not what was last read."""
        if _content(self._source.path) == self._seen:
            return
        self._seen = self._settled()
        try:
            if self._seen is not None and not self._seen.strip():
                raise ConfigError(f"{self._source.path}: is empty")
            found = self._source.load()
        except ConfigError as error:
            self._refuse(str(error))
        except Exception as error:  # a bug, and still no reason to lose the config in force
            self._refuse(f"{self._source.path}: cannot be taken: {fault_of(error)}")
        else:
            self._take(found)

    def _settled(self) -> bytes | None:
        """The content once it rests: half of a file that is being written may be valid, and mean something else."""
        content = _content(self._source.path)
        while not self._stopping.wait(SETTLE_S) and (now := _content(self._source.path)) != content:
            content = now
        return content

    def _refuse(self, faults: str) -> None:
        first, *more = faults.splitlines()
        words = f"{first} (and {len(more)} more)" if more else first
        self.state = replace(self.state, last_reload=words, reloads_failed=self.state.reloads_failed + 1)
        log.error("config not reloaded; the one in force stays", reason=words, see="adaptd config check")

    def _take(self, found: Config) -> None:
        merged, waiting = held_back(self._current, found)
        changed = changes(self._current, merged)
        self._current = merged
        self._swap(merged)
        counts = (self.state.reloads_ok + 1, self.state.reloads_failed)
        self.state = ConfigState(self._clock(), "ok", *counts, needs_restart=tuple(waiting))
        log.info("config reloaded", changed=changed)
        for key in waiting:
            log.warning(f"{key}: needs a restart; what was set at the start stays in force")

    def _run(self) -> None:
        trouble = ""
        while not self._stopping.is_set():
            try:
                self.look()
                self._watch()
                trouble = ""
            except Exception as error:  # no watch left to be had, or the folder is away: look by the clock
                if trouble != (trouble := fault_of(error)):
                    log.warning("the config's folder cannot be watched; looking by the clock", reason=trouble)
                self._stopping.wait(LOOK_EVERY_S)

    def _watch(self) -> None:
        """Looks at each hint, until stopped, or until a link leads elsewhere and other folders are to be watched."""
        folders = watched_folders(self._source.path)
        for _ in watch(
            *folders,
            watch_filter=None,
            debounce=NOISE_MS,
            rust_timeout=int(LOOK_EVERY_S * 1000),
            yield_on_timeout=True,
            stop_event=self._stopping,
            recursive=False,
            raise_interrupt=False,
        ):
            self.look()
            if watched_folders(self._source.path) != folders:
                return


def watched_folders(path: Path) -> tuple[Path, ...]:
    """The folder of the file, and, where it is a link, of each that it leads to."""
    folders = [path.absolute().parent]
    for _ in range(MOST_LINKS):
        if not path.is_symlink():
            break
        path = path.parent / path.readlink()
        folders.append(path.absolute().parent)
    return tuple(dict.fromkeys(folder for folder in folders if folder.is_dir()))


def _content(path: Path) -> bytes | None:
    """None where it cannot be read."""
    try:
        return path.read_bytes()
    except OSError:
        return None
