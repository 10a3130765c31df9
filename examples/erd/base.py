"""The small base model of the example, trained once and cached.

`ensure_base()` gives the folder of a Hugging Face model, which `AutoModelForCausalLM` and `AutoTokenizer` load offline.
The first call trains it, about a minute of CPU, in a process of its own, so that neither torch nor its threads and
seeds enter the caller's. The folder's name carries a hash of the recipe and of the code that makes the training texts:
a change of either trains anew and leaves the older folder alone. Two callers at once train once: the second waits.

Run `python -m examples.erd.base [--out DIRECTORY]` to train or find it and print where it is.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from storage.records.errors import AdaptdError

from .recipe import Recipe

_SOURCES = ("world.py", "tokenizer.py", "pretraining.py", "recipe.py")


class BaseNotTrained(AdaptdError):
    """The small base model could not be trained.

    To do: what the text says; its last lines are those of the training.

    Shows as: its exit code alone.
    """


def ensure_base(cache_dir: Path | None = None, progress: bool = True, recipe: Recipe | None = None) -> Path:
    """The folder of the trained base, in `cache_dir` or the user's cache; trains it first where it is not there yet.

    Raises BaseNotTrained when the training process fails, with what to do.
    """
    recipe = recipe or Recipe()
    target = (cache_dir or default_cache_dir()).absolute() / f"erd-base-{recipe_hash(recipe)}"
    make_once(target, lambda: _train_into(target, recipe, progress))
    return target


def make_once(target: Path, make: Callable[[], None]) -> None:
    """Calls `make` where the target is not there yet; a second caller at the same time waits, and finds it made."""
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        with _lock(target.with_suffix(".lock")):
            if not target.exists():
                make()


def default_cache_dir() -> Path:
    """`$XDG_CACHE_HOME/adaptd`, or `~/.cache/adaptd`."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "adaptd"


def recipe_hash(recipe: Recipe) -> str:
    """Twelve hex digits over the recipe and the source files that make the training texts."""
    digest = hashlib.sha256(repr(sorted(asdict(recipe).items())).encode())
    for name in _SOURCES:
        digest.update((Path(__file__).parent / name).read_bytes())
    return digest.hexdigest()[:12]


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    """Held by one process at a time; the system frees it when the holder dies."""
    with path.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


def _train_into(target: Path, recipe: Recipe, progress: bool) -> None:
    train_aside(target, "examples.erd.pretraining", ["--recipe", recipe.to_json(), *([] if progress else ["--quiet"])])


def train_aside(target: Path, module: str, options: Sequence[str]) -> None:
    """Runs a module that trains into `--out`, beside the target, which is renamed when whole; what a killed training
    left is swept first. Call under `make_once`. Raises BaseNotTrained."""
    unfinished = target.with_suffix(".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    command = [sys.executable, "-m", module, "--out", str(unfinished), *options]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], check=False)
    if done.returncode != 0:
        raise BaseNotTrained(
            f"training the small base model ended with exit code {done.returncode}; its messages are above. It needs "
            "the training extra (pip install 'adaptd[train]') and about 1 GiB of memory"
        )
    unfinished.rename(target)


def main(arguments: list[str]) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m examples.erd.base", description="Train or find the small base.")
    parser.add_argument("--out", type=Path, help="copy the base to this directory, which must not exist yet")
    options = parser.parse_args(arguments)
    if options.out and options.out.exists():
        parser.error(f"{options.out} exists already; name a directory that does not")
    base = ensure_base()
    print(shutil.copytree(base, options.out) if options.out else base)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
