"""`adaptd`: every command, and the one place where errors become exit codes.

0 ok, 1 bug, 2 usage, 3 config, 4 unreachable, 5 store, 6 denied, 130 interrupted.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer
from rich.console import Console

from daemon.actions.status import adaptd_version
from daemon.cli import (
    adapters,
    ask,
    batches,
    config,
    demo,
    doctor,
    events,
    failures,
    init,
    learners,
    replay,
    run,
    status,
    tasks,
    updates,
)
from daemon.cli.exit_codes import EXIT_BUG, EXIT_INTERRUPTED, EXIT_USAGE, exit_code_of
from daemon.cli.options import out
from daemon.errors import AdaptdError

app = typer.Typer(
    name="adaptd",
    help="Keeps LoRA adapters of a language model learning from the feedback its users give.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
)
app.command("run")(run.run)
app.command("demo")(demo.demo)
app.command("init")(init.init)
app.command("ask")(ask.ask)
app.command("status")(status.status)
app.command("replay")(replay.replay)
app.command("doctor")(doctor.doctor)
app.command("batches")(batches.batches)
app.command("failures")(failures.failures)
app.add_typer(adapters.app, name="adapters", help="The succession of a task's adapters.")
app.add_typer(config.app, name="config", help="What is in force, and whether the file is right.")
app.add_typer(events.app, name="events", help="What came in, and what could not be read.")
app.add_typer(learners.app, name="learners", help="Switchable parts of an update, per task.")
app.add_typer(tasks.app, name="tasks", help="What is learned, and how far each task is.")
app.add_typer(updates.app, name="updates", help="What was trained, why, and what became of it.")


def _print_version(wanted: bool) -> None:
    if wanted:
        out.print(f"adaptd {adaptd_version()}")
        raise typer.Exit


@app.callback()
def _before_commands(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and end.", is_eager=True, callback=_print_version)
    ] = False,
) -> None:
    """The options of `adaptd` itself."""


def main() -> None:
    """The console script."""
    errors = Console(stderr=True, soft_wrap=True, highlight=False)
    try:
        code = app(prog_name="adaptd", standalone_mode=False)
    except (typer.Abort, KeyboardInterrupt):
        code = EXIT_INTERRUPTED
    except AdaptdError as error:
        for line in str(error).splitlines():
            errors.print(f"adaptd: {line}", style="red", markup=False)
        code = exit_code_of(error)
    except Exception as error:
        show = getattr(error, "show", None)  # a usage error of Typer, which brings a click of its own or not
        if callable(show):
            show()
            code = EXIT_USAGE
        else:
            errors.print_exception()
            errors.print("adaptd: this is a bug; please report it with the lines above", style="red")
            code = EXIT_BUG
    sys.exit(code or 0)


if __name__ == "__main__":
    main()
