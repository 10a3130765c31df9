"""The daemon's own sections of adaptd.yaml: engine, updates, release and API."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, WithJsonSchema, create_model

from daemon.release import targets
from daemon.release.directory import Settings as DirectoryTargetSettings
from daemon.release.engine import Settings as EngineTargetSettings
from learners.hooks import learners
from learners.methods.dpo import DpoSettings
from learners.methods.kto import KtoSettings
from learners.methods.noop import NoopSettings
from learners.methods.sft import SftSettings
from learners.off_policy import OffPolicySettings
from learners.tuner import TunerSettings
from storage.records.settings import DurationS, Settings, SizeBytes, setting

Port = int


class EngineSettings(Settings):
    """`engine:` what answers prompts."""

    type: Literal["local"] = setting("local", doc="Kind of engine; `local` is a worker that adaptd starts.", live=False)
    threads: int = setting(2, doc="CPU threads of the local engine.", unit="threads", live=False, ge=1)
    max_adapters: int = setting(
        8, doc="Adapters that the local engine holds at once.", unit="adapters", live=False, ge=2
    )
    start_timeout: DurationS = setting(180.0, doc="How long the engine may take to load the base.", live=False, ge=1)


def _with_every_learner(settings: type[Settings]) -> type[Settings]:
    """Gives each file in `learners/hooks` its section, by its own Settings."""
    more: dict[str, Any] = {
        name: (learner.Settings, setting(learner.Settings(), doc=f"The learner `{name}`."))
        for name, learner in learners().items()
    }
    return create_model(settings.__name__, __base__=settings, __module__=__name__, __doc__=settings.__doc__, **more)


@_with_every_learner
class UpdateSettings(Settings):
    """`updates:` how training runs."""

    executor: Literal["local"] = setting("local", doc="Which machine trains.", live=False)
    method: Literal["sft", "noop"] = setting(
        "sft",
        doc="`sft` learns, and from preferences as `learners.preference` says; `noop` writes a seeded random adapter, "
        "for tests.",
    )
    max_running: int = setting(1, doc="Updates that may train at the same time, over all tasks.", unit="updates", ge=1)
    time_limit: DurationS = setting(7200.0, doc="An attempt that takes longer is killed and retried.", ge=10)
    heartbeat_limit: DurationS = setting(
        60.0, doc="A worker silent for longer is killed and retried; each says every second that it lives.", ge=5
    )
    max_attempts: int = setting(3, doc="Crashed tries before the batch is set aside.", unit="attempts", ge=1)
    threads: int = setting(2, doc="CPU threads of one training worker.", unit="threads", ge=1)
    start: Literal["auto", "base", "champion"] = setting(
        "auto", doc="Train from the base on everything learned while it fits `start_budget`, else from the champion."
    )
    start_budget: DurationS = setting(600.0, doc="How long training from the base on everything learned may take.")
    checkpoint_every: DurationS = setting(
        60.0,
        doc="A training worker keeps a checkpoint this often, from which an update goes on that a crash ended.",
        ge=1,
    )
    max_retention_kl: float = setting(
        8.0,
        doc="A candidate whose answers to general prompts are further than this from the base's has failed. Generous: "
        "good adapters of the demo's small base reach 6; `adaptd updates show` says how far yours are.",
        unit="nats a token",
        gt=0,
    )
    seed: int = setting(0, doc="Seed of training; each update adds its number.", unit="seed", ge=0, le=2**31 - 1)
    sft: SftSettings = setting(SftSettings(), doc="Supervised fine-tuning.")
    dpo: DpoSettings = setting(DpoSettings(), doc="Learning from preferences.")
    kto: KtoSettings = setting(KtoSettings(), doc="Learning from single judgements.")
    off_policy: OffPolicySettings = setting(OffPolicySettings(), doc="Feedback on answers that are history.")
    noop: NoopSettings = setting(NoopSettings(), doc="The method that learns nothing, for tests.")
    replay_share: float = setting(
        1.0,
        doc="Share of the rows chosen for replay that are replayed; from the champion, never fewer than are new.",
        unit="share",
        ge=0,
        le=1,
    )
    hyperparameters: TunerSettings = setting(TunerSettings(), doc="The search of settings in idle time.")


def _known_target(name: str) -> str:
    if name not in targets():
        raise ValueError(f"there is no release target {name!r}; there are {', '.join(targets())}")
    return name


TargetName = Annotated[str, AfterValidator(_known_target), WithJsonSchema({"type": "string", "enum": [*targets()]})]


def _with_every_target(settings: type[Settings]) -> type[Settings]:
    """Gives each file in `daemon/release` that is not named in the class its section, by its own Settings."""
    more: dict[str, Any] = {
        name: (module.Settings, setting(module.Settings(), doc=f"The target `{name}`.", live=False))
        for name, module in targets().items()
        if name not in settings.model_fields
    }
    if not more:
        return settings
    return create_model(settings.__name__, __base__=settings, __module__=__name__, __doc__=settings.__doc__, **more)


@_with_every_target
class ReleaseSettings(Settings):
    """`release:` where a champion goes."""

    targets: list[TargetName] = setting(
        ["engine"], doc="Where champions are released: any of the files in daemon/release.", live=False
    )
    engine: EngineTargetSettings = setting(EngineTargetSettings(), doc="The target `engine`.", live=False)
    directory: DirectoryTargetSettings = setting(DirectoryTargetSettings(), doc="The target `directory`.", live=False)


class ApiSettings(Settings):
    """`api:` health, metrics, events and status."""

    host: str = setting("127.0.0.1", doc="Address the API listens on.", live=False)
    port: Port = setting(8712, doc="Port the API listens on.", unit="port", live=False, ge=1, le=65535)
    max_body: SizeBytes = setting(8 * 2**20, doc="Largest request body; more is refused with 413.", ge=1024)
    max_waiting: int = setting(
        32, doc="Requests that may wait for the store; more are refused with 429.", unit="requests", ge=1
    )
