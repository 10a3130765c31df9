"""Which machine runs a job: one executor a file, found by its name; all obey the protocol in `protocol`."""

from daemon.executors.protocol import (
    Executor,
    ExecutorError,
    ExecutorUnavailable,
    Handle,
    JobStatus,
    TrainingNotInstalled,
)

__all__ = ["Executor", "ExecutorError", "ExecutorUnavailable", "Handle", "JobStatus", "TrainingNotInstalled"]
