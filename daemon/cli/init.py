"""`adaptd init`: write a commented adaptd.yaml."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from daemon.actions.init import write_config
from daemon.cli.options import DEFAULT_CONFIG, ConfigOption, out


class Users(StrEnum):
    """Who gives feedback."""

    one = "one"
    many = "many"


def init(
    users: Annotated[Users, typer.Option(help="One person's own model, or an app with many users.")] = Users.many,
    config: ConfigOption = DEFAULT_CONFIG,
    force: Annotated[bool, typer.Option("--force", help="Write over a file that is there.")] = False,
) -> None:
    """Write a commented adaptd.yaml to start from."""
    written = write_config(config, users.value, force=force)
    out.print(f"{written} written. Set model.base and the tasks, then: adaptd run")
    out.print("To collect feedback first, without a model: adaptd run --role intake,api")
