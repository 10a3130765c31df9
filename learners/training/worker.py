"""The worker's entry: does the job in one directory, then ends.

It leads its own session, so that it can be killed with everything it started; touches `heartbeat` every second, and
ends at once when that fails (its directory is gone) or when the daemon that started it is dead: two workers must never
believe in the same update. What libraries print goes to `worker.log` in the job directory, never to the daemon's log.

SIGTERM asks a train or search job to leave off between two steps (`stopping`), and ends an evaluate job.

Foreseen trouble becomes a result with `outcome: failed`; anything else ends the process with a non-zero exit code,
which the executor reports as a crash, and may be tried again.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
import threading
import time
from multiprocessing import connection, parent_process
from pathlib import Path

from pydantic import ValidationError

from learners.engines.errors import EngineUnreachable
from learners.errors import LearnerError
from learners.job import HEARTBEAT, LOG, EvaluateJob, EvaluateResult, SearchJob, SearchResult, TrainResult
from learners.job_files import Job, Result, read_job, write_result
from learners.methods import find_method
from learners.training.errors import NothingToTrain, Outgrown
from learners.training.stopping import Interrupted, listen
from learners.validators import ValidatorUnavailable
from storage.records import AdaptdError

HEARTBEAT_S = 1.0
SLOWEST = "trl.trainer.kto_trainer"  # the last that `preload` imports
EXIT_ALONE = 70  # nobody to work for: the daemon died or the job directory is gone


def run(directory: str) -> None:
    """What a fork server calls in a new process."""
    path = Path(directory)
    with contextlib.suppress(PermissionError):  # already leads a session
        os.setsid()
    _log_to(path / LOG)
    beat(path)
    threading.Thread(target=_keep_beating, args=(path, os.getppid()), name="heartbeat", daemon=True).start()
    if not isinstance(read_job(path), EvaluateJob):
        listen()
    try:
        perform(path)
    except Interrupted as ended:
        sys.exit(str(ended))


def perform(directory: Path) -> None:
    """Does the job in this process and writes its result; what it did not foresee it raises."""
    job = read_job(directory)
    warm = SLOWEST in sys.modules
    limit_threads(job.threads)
    started = time.monotonic()
    try:
        result = _work(directory, job)
    except AdaptdError as error:
        result = _failed(job, error)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        words = f"{error.title}: {where or 'the whole'}: {first['msg']}; correct it in adaptd.yaml"
        result = _failed(job, LearnerError(words))
    seconds = {**result.seconds, "total": round(time.monotonic() - started, 3)}
    write_result(directory, result.model_copy(update={"seconds": seconds, "warm": warm}))


def limit_threads(threads: int) -> None:
    """Both for libraries that read the environment when they load, and for a torch that is there already."""
    os.environ["OMP_NUM_THREADS"] = str(threads)
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    if (torch := sys.modules.get("torch")) is not None:
        torch.set_num_threads(threads)


def beat(directory: Path) -> None:
    """Says that the worker lives: sets the time of the file `heartbeat`. Raises OSError when it cannot."""
    heartbeat = directory / HEARTBEAT
    heartbeat.touch()


def _work(directory: Path, job: Job) -> Result:
    if isinstance(job, EvaluateJob):
        evaluate = importlib.import_module("learners.training.evaluate")
        result: EvaluateResult = evaluate.run_evaluation(directory, job)
        return result
    if isinstance(job, SearchJob):
        searched: SearchResult = importlib.import_module("learners.training.search").run_search(directory, job)
        return searched
    first = find_method(job.phases[0].method)
    module = importlib.import_module(f"learners.training.{first.name if first.alone else 'phases'}")
    trained: TrainResult = module.train(directory, job)
    return trained


def _failed(job: Job, error: AdaptdError) -> Result:
    away = isinstance(error, EngineUnreachable | ValidatorUnavailable)
    if isinstance(job, EvaluateJob):
        return EvaluateResult(outcome="failed", reason=str(error), try_again=away)
    if isinstance(job, SearchJob):
        return SearchResult(outcome="failed", reason=str(error))
    known, unfit = isinstance(error, Outgrown), error.unfit if isinstance(error, NothingToTrain) else {}
    why = str(error)
    return TrainResult(
        outcome="failed", reason=why, candidate=job.candidate, outgrown=known, try_again=away, unfit=unfit
    )


def _keep_beating(directory: Path, fork_server: int) -> None:
    """Ends the process when the daemon or the fork server is gone, or when the heartbeat cannot be written."""
    daemon = parent_process()
    watched = [] if daemon is None else [daemon.sentinel]
    while True:
        if connection.wait(watched, timeout=HEARTBEAT_S) or os.getppid() != fork_server:
            os._exit(EXIT_ALONE)
        try:
            beat(directory)
        except OSError:
            os._exit(EXIT_ALONE)


def _log_to(path: Path) -> None:
    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for stream in (1, 2):
        os.dup2(log, stream)
    os.close(log)
