"""The daemon as a whole: starts its parts in order, waits for a signal, stops them in order.

Reads top to bottom: start, main loop, stop. Every part is a thread or a process of its own; this file only joins
them. Roles decide which parts there are, and a daemon without the `learn` role needs no model.
"""

from __future__ import annotations

import os
import signal
import socket
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import Connection

from consumers.sources import Clock, Source, SourceSettings, source_types
from daemon.actions.context import Context, EngineRoute, SourceView, utc_now
from daemon.api.app import create_app
from daemon.api.server import ApiServer, bind
from daemon.config import Config
from daemon.errors import ConfigError, StoreBusy, UsageError
from daemon.executors import TrainingNotInstalled
from daemon.gateway_service import gateway_service
from daemon.intake import Intake, Outcome, Parcel
from daemon.intake_loop import IntakeLoop
from daemon.learning import Learning
from daemon.metrics.exposition import Metrics
from daemon.polling import PollLoop
from daemon.reload import ConfigSource, ConfigState, ConfigWatch
from daemon.supervisor import Service
from learners.batching import BatchDecision
from learners.errors import LearnerError
from storage import intake as intake_store
from storage.artifacts import Artifacts
from storage.errors import StorageError
from storage.lockfile import FileLock, lock_folder
from storage.records import Claim, Poll, Stream
from storage.store import Store

log = structlog.get_logger(__name__)

ROLES = ("intake", "learn", "api", "gateway")
TICK_S = 0.2
JOIN_TIMEOUT_S = 10.0


class App:
    """`run` returns when the daemon has stopped; everything it opened is closed by then, on errors too."""

    def __init__(
        self,
        config: Config,
        roles: Sequence[str],
        clock: Callable[[], datetime] = utc_now,
        source: ConfigSource | None = None,
    ) -> None:
        """`source` is where the config came from: given, it is watched and read anew when it changes."""
        unknown = set(roles) - set(ROLES)
        if unknown:
            raise UsageError(f"--role {','.join(sorted(unknown))}: unknown; known are {', '.join(ROLES)}")
        if not roles:
            raise UsageError(f"--role: name at least one of {', '.join(ROLES)}")
        self.config, self.clock = config, clock
        self.roles = tuple(role for role in ROLES if role in roles)
        self.started_at = clock()
        self.metrics = Metrics(self.started_at)
        self._config_watch = ConfigWatch(source, config, self._swap, clock) if source else None
        self._stopping = threading.Event()
        self._closing = ExitStack()
        self._polls: list[PollLoop] = []
        self._intake_loop: IntakeLoop | None = None
        self._learning: Learning | None = None
        self._gateway: Service | None = None
        self._api: ApiServer | None = None
        self._refusing = threading.Lock()
        self._refused: Counter[str] = Counter()

    def run(self) -> None:
        """Start, serve until `stop`, SIGTERM or SIGINT, stop. Signals reach a process's main thread alone."""
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, lambda number, _frame: self._signalled(number))
        with self._closing:
            self._start()
            log.info("adaptd is running", roles=list(self.roles), tasks=sorted(self.config.tasks))
            while not self._stopping.wait(TICK_S):
                self._tick()
            self._wind_down()
            log.info("stopped")

    def stop(self) -> None:
        """Ask it to stop; `run` returns when it has. Safe from any thread."""
        self._stopping.set()

    def _signalled(self, number: int) -> None:
        """The first asks for a stop in order. The second ends the process at once: the store bears that, and every
        child watches its parent."""
        if self._stopping.is_set():
            os.write(2, b"adaptd: ended at once; what was not finished is taken over at the next start\n")
            os._exit(128 + number)
        self.stop()

    def _tick(self) -> None:
        if self._gateway is not None:
            self._gateway.tick(time.monotonic())
        self._count_refused()

    # Start: what can refuse comes first, so that a wrong setting stops everything before anything runs.

    def _start(self) -> None:
        listener = bind(self.config.api.host, self.config.api.port, "api.port") if "api" in self.roles else None
        if listener is not None:
            self._closing.callback(listener.close)
        self.store = Store.open(self.config.storage.url)
        self._closing.callback(self.store.close)
        self._closing.callback(self._count_refused)
        for warning in self.store.warnings:
            log.warning(warning)
        self.artifacts, lock = _artifacts(Path(self.config.storage.artifacts))
        self._closing.callback(lock.release)
        self.intake = Intake(self.store, lambda: self.config, self.clock)
        self.context = Context(self.store, self.artifacts, lambda: self.config, self.clock, live=self)
        if self._config_watch is not None:
            self._config_watch.start()
            self._closing.callback(self._config_watch.stop)
        if "learn" in self.roles:
            self._start_learning()
        if "intake" in self.roles:
            self._start_intake()
        if listener is not None:
            self._start_api(listener)
        if "gateway" in self.roles and self.config.gateway.enabled:
            self._start_gateway()

    def _start_learning(self) -> None:
        self._learning = Learning(self.store, self.artifacts, lambda: self.config, self.clock)
        self._closing.callback(self._learning.stop)
        try:
            self._learning.start()
        except (LearnerError, TrainingNotInstalled) as error:
            raise ConfigError(
                f"{str(error).rstrip('.')}; to collect feedback without training: adaptd run --role intake,api"
            ) from error

    def _start_intake(self) -> None:
        self._intake_loop = IntakeLoop(self.intake, observe=self._observe)
        self._intake_loop.start()
        self._closing.callback(self._stop_intake, self._intake_loop)
        for settings in self.config.sources:
            opener = source_types()[settings.type].open
            if opener is not None:  # HTTP is not polled
                self._start_source(settings, opener)

    def _start_source(self, settings: SourceSettings, opener: Callable[[Any, Clock], Source]) -> None:
        source = opener(settings, self.clock)
        loop = PollLoop(
            source,
            take=self._take,
            look_up=lambda stream: self.store.read(lambda tx: intake_store.claim_of(tx, stream)),
            parcel_of=parcel_maker(settings),
            hand_over=lambda parcel: self._offer(loop, parcel),
        )
        loop.start()
        self._polls.append(loop)

    def _start_api(self, listener: socket.socket) -> None:
        self._api = ApiServer(create_app(self.context, self.metrics), listener)
        self._closing.callback(self._api.stop)
        self._api.start()

    def _start_gateway(self) -> None:
        self._gateway = gateway_service(self.config)
        self._closing.callback(self._gateway.stop)

    # Stop: no more comes in, what came in is finished, the groups are left, the workers come to an end. Then, by the
    # ExitStack, backwards: gateway, API (it answers until here), engine, store.

    def _wind_down(self) -> None:
        """Within `stop_grace` seconds; what is not finished then is ended."""
        until_s = time.monotonic() + self.config.stop_grace
        log.info("stopping", grace_s=self.config.stop_grace)
        if self._learning is not None:
            self._learning.ask_to_end()
        if self._intake_loop is not None:
            self._stop_intake(self._intake_loop)
        if self._learning is not None:
            self._learning.wind_down(until_s)

    def _stop_intake(self, intake_loop: IntakeLoop) -> None:
        """The transaction at hand is finished before the sources are closed: then Kafka is told how far it went, and
        gives the partitions to another daemon at once."""
        for loop in self._polls:
            loop.hold()
        intake_loop.stop()
        intake_loop.join(JOIN_TIMEOUT_S)
        for loop in self._polls:
            loop.stop()
        for loop in self._polls:
            loop.join(JOIN_TIMEOUT_S)

    def _swap(self, config: Config) -> None:
        """Every part asks for the config when it begins something, so one assignment reaches all of them."""
        self.config = config
        self.release_soon()

    # Intake's wiring.

    def _take(self, stream: Stream, start: int) -> Claim:
        return self.store.write(lambda tx: intake_store.take(tx, stream, start))

    def _offer(self, loop: PollLoop, parcel: Parcel) -> bool:
        return self._intake_loop is not None and self._intake_loop.offer(loop, parcel)

    def _observe(self, parcel: Parcel, outcome: Outcome) -> None:
        self.metrics.observe(parcel, outcome, self.config)
        if self._learning is not None and outcome.stored:
            self._learning.look_soon()

    # What actions may see and use (daemon.actions.context.Live).

    def config_state(self) -> ConfigState:
        return self._config_watch.state if self._config_watch else ConfigState(loaded_at=self.started_at)

    def not_ready(self) -> list[str]:
        """Why this daemon cannot do its work, one line each; a broker or engine that is down is not among them."""
        missing = ["stopping"] if self._stopping.is_set() else []
        if self.store.trouble:
            missing.append(f"the store cannot be written: {self.store.trouble}")
        if self._intake_loop is not None and (self._intake_loop.trouble or not self._intake_loop.is_alive()):
            missing.append(self._intake_loop.trouble or "the intake loop has ended")
        if self._learning is not None and not self._learning.ticking():
            missing.append("the scheduler has not ticked for a while")
        return missing

    def sources(self) -> list[SourceView]:
        return [SourceView(loop.source.name, loop.health(), loop.source.lag()) for loop in self._polls]

    def batch_of(self, task: str) -> BatchDecision | None:
        return self._learning.batch_of(task) if self._learning else None

    def routes(self) -> Mapping[str, EngineRoute]:
        return self._learning.routes() if self._learning else {}

    def services(self) -> Mapping[str, str]:
        return {
            name: service.state + (f": {service.reason}" if service.reason else "")
            for name, service in self._services().items()
        }

    def restarts(self) -> Mapping[str, int]:
        return {name: service.restarts for name, service in self._services().items()}

    def _services(self) -> Mapping[str, Service]:
        found = {"gateway": self._gateway} if self._gateway else {}
        return {**found, **self._learning.services()} if self._learning else found

    def ingest(self, parcel: Parcel) -> Outcome:
        """Raises StoreBusy when nothing could be made durable."""
        try:
            outcome = self.intake.ingest(parcel)
        except StorageError as error:
            raise StoreBusy(f"not stored: {error}; send again") from error
        self._observe(parcel, outcome)
        return outcome

    def refused(self, source: str) -> None:
        """Never waits for the store, which may be what the request was turned away for; the next tick counts it."""
        self.metrics.refused(source)
        with self._refusing:
            self._refused[source] += 1

    def _count_refused(self) -> None:
        with self._refusing:
            refused, self._refused = self._refused, Counter()
        for source, times in refused.items():
            try:
                self.store.write(partial(_add_refused, source=source, times=times), timeout_s=TICK_S)
            except StorageError:
                with self._refusing:
                    self._refused[source] += times

    def base_hash(self) -> str | None:
        """Of `model.base`; None without the role that learns."""
        return self._learning.base_hash() if self._learning else None

    def release_soon(self) -> None:
        if self._learning is not None:
            self._learning.look_soon()

    def search_of(self, task: str) -> str:
        return self._learning.search_of(task) if self._learning else "this daemon does not learn"

    def begin(self, task: str) -> None:
        if self._learning is not None:
            self._learning.begin(task)

    def cancel(self, update_id: int) -> None:
        if self._learning is not None:
            self._learning.cancel(update_id)


def _artifacts(root: Path) -> tuple[Artifacts, FileLock]:
    """Of one daemon at a time: its engine's port, jobs and logs lie there. Raises FolderLocked where another has it,
    ConfigError where it cannot be used."""
    try:
        root.mkdir(parents=True, exist_ok=True)
        lock = lock_folder(root, "storage.artifacts")
        artifacts = Artifacts(root)
        artifacts.sweep()
        with tempfile.TemporaryFile(dir=root):  # a folder that can be read is not yet one that can be written
            pass
    except OSError as error:
        raise ConfigError(f"storage.artifacts: {root} cannot be used ({error.strerror}); name another folder") from None
    return artifacts, lock


def _add_refused(tx: Connection, source: str, times: int) -> None:
    intake_store.count(tx, source, refused=times)


def parcel_maker(settings: SourceSettings) -> Callable[[Poll, Mapping[Stream, Claim]], Parcel | None]:
    """Polls become parcels with the claims that hold at that moment; records of unclaimed streams are left out."""
    trusted = frozenset(settings.trusted_apps)

    def parcel_of(poll: Poll, claims: Mapping[Stream, Claim]) -> Parcel | None:
        placed = tuple((batch, claims[batch.stream]) for batch in poll.batches if batch.stream in claims)
        return (
            Parcel(settings.name, placed, default_task=settings.default_task, trusted_apps=trusted) if placed else None
        )

    return parcel_of
