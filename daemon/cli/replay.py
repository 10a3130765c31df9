"""`adaptd replay`: send recorded events again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress

from daemon.actions.context import utc_now
from daemon.actions.local import local_context
from daemon.actions.replay import Receiver, ReplayReport, count, to_http, to_kafka, to_store
from daemon.actions.replay import replay as send_again
from daemon.cli.options import DEFAULT_CONFIG, ConfigOption, JsonOption, UrlOption, address, notes, out, print_json
from daemon.config import load
from daemon.errors import UsageError


class Door(StrEnum):
    """Where events go in."""

    http = "http"
    kafka = "kafka"
    store = "store"


class Times(StrEnum):
    """Which times the events carry."""

    original = "original"
    shift_to_now = "shift-to-now"


def replay(
    files: Annotated[list[Path], typer.Argument(help="JSON lines, plain or gz.")],
    task: Annotated[str | None, typer.Option(help="The task of events that name none.")] = None,
    to: Annotated[Door, typer.Option(help="Where the events go in.")] = Door.http,
    times: Annotated[Times, typer.Option(help="Keep the recorded times, or let the newest be now.")] = Times.original,
    speed: Annotated[
        float | None, typer.Option(help="1 keeps the recording's pace; left out: at once.", min=0.001)
    ] = None,
    topic: Annotated[str, typer.Option(help="For --to kafka.")] = "feedback",
    bootstrap: Annotated[str, typer.Option(help="For --to kafka: the brokers.")] = "localhost:9092",
    config: ConfigOption = DEFAULT_CONFIG,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Send recorded events again; sending twice stores once. Where all of them are dead letters it ends with code 2."""
    total = count(files)  # a file that cannot be read is said before anything is sent
    with _receiver(to, task, topic, bootstrap, config, url) as receiver, Progress(console=notes) as progress:
        bar = progress.add_task("events", total=total)
        report = send_again(
            files,
            receiver,
            task=task,
            times=times.value,
            speed=speed,
            now=utc_now(),
            advance=lambda sent: progress.advance(bar, sent),
        )
    if as_json:
        print_json(asdict(report))
    else:
        _print(report, to)
    if report.none_taken:
        raise UsageError("nothing was stored: correct the events after the reasons above, and send them again")


@contextmanager
def _receiver(
    to: Door, task: str | None, topic: str, bootstrap: str, config: Path, url: str | None
) -> Iterator[Receiver]:
    if to is Door.http:
        with to_http(url or address(config)) as receiver:
            yield receiver
    elif to is Door.kafka:
        with to_kafka(bootstrap, topic) as receiver:
            yield receiver
    else:
        if not config.exists():
            raise UsageError(
                f"--to store needs the configuration that names it; {config} is not there (-c names another)"
            )
        with local_context(load(config), writing=True) as context:
            yield to_store(context, task)


def _print(report: ReplayReport, to: Door) -> None:
    if to is Door.kafka:
        out.print(f"{report.sent} sent to Kafka; `adaptd status` shows what became of them")
        return
    became = f"{report.stored} stored, {report.duplicates} duplicates, {report.dead_letters} dead letters"
    out.print(f"{report.sent} sent: {became}")
    if report.refused:
        out.print(f"  {report.refused} refused: larger than api.max_body")
    for reason, times in sorted(report.reasons.items(), key=lambda pair: -pair[1]):
        out.print(f"  {times} x {reason}")
