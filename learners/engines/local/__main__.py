"""`python -m learners.engines.local`: loads the base, then serves on a loopback port until its parent is gone.

The port is written to `--port-file`, whole, once the engine is ready to answer; until then the file is not there.
"""

from __future__ import annotations

import argparse
import os
import socket
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from learners.base import check_base
from learners.engines.local.worker import WorkerLimits
from learners.engines.parent import watch_parent
from learners.engines.ports import bind_port, write_port
from storage.records import AdaptdError

if TYPE_CHECKING:
    from learners.engines.local.model import Model


@dataclass(frozen=True, slots=True)
class Options:
    """How to run one engine; `process.local_engine_command` writes the same flags."""

    base: str
    base_name: str
    port: int
    port_file: Path | None
    parent_pid: int | None
    threads: int
    max_adapters: int
    max_rank: int
    max_context: int
    max_batch: int
    max_waiting: int
    request_timeout_s: float


def parse(arguments: Sequence[str] | None = None) -> Options:
    """The flags; argparse ends the process (code 2) when they make no sense."""
    parser = argparse.ArgumentParser("python -m learners.engines.local", description=__doc__)
    parser.add_argument("--base", required=True, help="folder of the base model")
    parser.add_argument("--base-name", default="base", help="the name that the base itself answers to")
    parser.add_argument("--port", type=int, default=0, help="loopback port, 0 for any")
    parser.add_argument("--port-file", type=Path, help="where to write the port when ready")
    parser.add_argument("--parent-pid", type=int, help="end when this process is gone")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="threads for computing")
    parser.add_argument("--max-adapters", type=int, default=8, help="adapters in memory at once")
    parser.add_argument("--max-rank", type=int, default=64, help="largest LoRA rank accepted")
    parser.add_argument("--max-context", type=int, default=2048, help="tokens of prompt and answer together")
    parser.add_argument("--max-batch", type=int, default=64, help="requests answered together")
    parser.add_argument("--max-waiting", type=int, default=1024, help="requests that may wait")
    parser.add_argument("--request-timeout-s", type=float, default=120.0, help="longest life of a request")
    return Options(**vars(parser.parse_args(arguments)))


def main(arguments: Sequence[str] | None = None) -> None:
    options = parse(arguments)
    _calm_threads()
    try:
        check_base(Path(options.base))
        listener = bind_port("127.0.0.1", options.port)
    except AdaptdError as error:
        sys.exit(str(error))
    if options.parent_pid is not None:
        watch_parent(options.parent_pid)
    run(options, listener)


def run(options: Options, listener: socket.socket) -> None:
    """Serves until told to stop. Imports torch here, so that bad flags and a taken port are said at once."""
    import uvicorn

    from learners.engines.local.api import make_app
    from learners.engines.local.service import Service

    service = Service(_load_model(options), options.base_name, _worker_limits(options), options.request_timeout_s)
    config = uvicorn.Config(
        make_app(service),
        access_log=False,
        log_level="warning",
        lifespan="off",
        timeout_keep_alive=75,
        timeout_graceful_shutdown=2,
    )
    listener.listen(512)  # before the port is told, or the first caller could be refused
    if options.port_file is not None:
        write_port(options.port_file, listener.getsockname()[1])
    uvicorn.Server(config).run(sockets=[listener])
    service.close()


def _calm_threads() -> None:
    """Lets threads that wait for each other sleep instead of spin: where trainer and engine share the cores, spinning
    costs ten times the work. OpenMP reads this once, when torch is imported, so it comes before everything else."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")


def _load_model(options: Options) -> Model:
    import torch
    from transformers.utils.logging import disable_progress_bar

    from learners.engines.local.model import Model, ModelLimits

    disable_progress_bar()
    torch.set_num_threads(options.threads)
    limits = ModelLimits(options.max_adapters, options.max_rank, options.max_context)
    try:
        return Model(options.base, limits)
    except Exception as error:  # one line for the log of whoever started it, not a page of traceback
        sys.exit(f"The base at {options.base} cannot be loaded ({type(error).__name__}: {str(error)[:300]}).")


def _worker_limits(options: Options) -> WorkerLimits:
    return WorkerLimits(max_batch=options.max_batch, max_waiting=options.max_waiting)


if __name__ == "__main__":
    main()
