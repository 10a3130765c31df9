"""The services that judge answers: a judge, a validator of one's own. Nothing is sent to them to be judged."""

from __future__ import annotations

from daemon.config import Config
from daemon.doctor.checks import EXIT_CONFIG, EXIT_UNREACHABLE, Check, fail, ok
from learners.pairwise.judge import Judge, JudgeSettings, JudgeUnreachable, JudgeUnusable
from learners.validators import http

ASK_TIMEOUT_S = 3.0


def check_services(config: Config) -> list[Check]:
    """One line a service, which is asked once, also where several tasks name it."""
    tasks = [task for name in config.tasks if (task := config.task(name)) is not None]
    judges = dict.fromkeys(task.gate.judge for task in tasks if task.gate.enabled)
    chosen = [task.validator.settings for task in tasks if task.validator and task.validator.name == "http"]
    services = dict.fromkeys(http.Settings.model_validate(settings) for settings in chosen)
    return [*(_judge(settings) for settings in judges if settings), *map(_service, services)]


def _judge(settings: JudgeSettings) -> Check:
    try:
        Judge(settings).probe(ASK_TIMEOUT_S)
    except JudgeUnreachable as error:
        return fail("judge", str(error), EXIT_UNREACHABLE)
    except JudgeUnusable as error:
        return fail("judge", str(error), EXIT_CONFIG)
    return ok("judge", f"{settings.url} answers")


def _service(settings: http.Settings) -> Check:
    try:
        http.open(settings).probe(ASK_TIMEOUT_S)
    except http.ServiceUnusable as error:
        return fail("validator", str(error), EXIT_UNREACHABLE)
    return ok("validator", f"{settings.url} answers")
