"""`adaptd demo`: watch a small model get better from simulated feedback."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from daemon.errors import ConfigError


def demo(
    seed: Annotated[int, typer.Option(help="Seed of users, prompts and training.")] = 0,
    output: Annotated[Path | None, typer.Option(help="Write scores and counts as JSON to this file.")] = None,
    folder: Annotated[Path, typer.Option(help="Where the demo keeps its files; emptied first.")] = Path("adaptd-demo"),
    hostile: Annotated[bool, typer.Option(help="One of the ten users means harm.")] = True,
    guarded: Annotated[
        bool, typer.Option(help="Caps per user and the gate; without them you see what they are for.")
    ] = True,
) -> None:
    """Watch a small model learn from ten simulated users: about four minutes, no GPU, no download of weights."""
    try:
        from examples.erd.demo.play import Play, play
        from examples.erd.demo.screen import Screen
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"the demo needs {error.name}; it runs in a clone of the repository with the training extra: "
            "`make run`, or pip install -e '.[train]'"
        ) from None
    how = Play(folder.resolve(), seed, hostile=hostile, guarded=guarded, output=output)
    play(how, Screen(Console(highlight=False)))
