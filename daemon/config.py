"""adaptd.yaml: the only truth, composed of the rooms' own Settings.

`load` takes the file with `ADAPTD_` variables and `--set` flags laid over it, and checks everything at once, so that
one try shows every fault: each with its place, what was wrong and what to write instead. Nothing here watches the file.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Self, TypeVar

from pydantic import BeforeValidator, SerializeAsAny, ValidationError, create_model, model_validator

from consumers.cleaning import check_task
from consumers.errors import Unreadable
from consumers.events import LimitSettings
from consumers.rewards import RewardSettings
from consumers.similarity import SimilaritySettings
from consumers.sources import SourceSettings, source_types
from daemon.config_faults import Fault, describe, not_in_this_version
from daemon.config_layers import Layers, read_layers
from daemon.config_paths import with_absolute_paths
from daemon.errors import ConfigError
from daemon.gateway.settings import GatewaySettings
from daemon.settings import ApiSettings, EngineSettings, ReleaseSettings, UpdateSettings
from learners.batching import BatchingSettings
from learners.folds import HoldoutSettings
from learners.gate import GateSettings
from learners.hooks import learners
from learners.lending import MIN_EACH_SIGN
from learners.methods.dpo import DpoSettings
from learners.methods.kto import KtoSettings
from learners.methods.noop import NoopSettings
from learners.methods.sft import SftSettings
from learners.model import ModelSettings
from learners.off_policy import OffPolicySettings
from learners.preference import MIN_PAIRS, Preference, Wanted, wanted_of
from learners.tuner import TunerSettings
from learners.validators import open_validator, validator
from storage.dialects.sqlite import path_of
from storage.errors import StorageError
from storage.records import AdaptdError
from storage.records.settings import DurationS, Settings, setting
from storage.settings import StorageSettings

ANY_TASK = "*"
SettingsT = TypeVar("SettingsT", bound=Settings)
SwitchesT = TypeVar("SwitchesT", bound="LearnerSwitches")
SectionsT = TypeVar("SectionsT", bound="TaskSettings")


def _source(value: Any) -> Any:
    """The settings of the kind that `type` names."""
    return _source_kind(value).model_validate(value) if isinstance(value, dict) else value


def _source_kind(value: Mapping[str, Any]) -> type[SourceSettings]:
    """Raises ValueError naming the kinds there are."""
    kinds = source_types()
    if (kind := kinds.get(str(value.get("type")))) is None:
        raise ValueError(f"one of {', '.join(kinds)} is needed (it is {value.get('type')!r:.80})")
    return kind.settings


AnySource = Annotated[SerializeAsAny[SourceSettings], BeforeValidator(_source)]


def _off(value: Any) -> Any:
    """To some YAML readers `off` is false."""
    return "off" if value is False else value


def _with_every_switch(switches: type[SwitchesT]) -> type[SwitchesT]:
    """Gives each file in `learners/hooks` its switch."""
    more: dict[str, Any] = {name: (bool, setting(False, doc=learner.doc)) for name, learner in learners().items()}
    return create_model(switches.__name__, __base__=switches, __module__=__name__, __doc__=switches.__doc__, **more)


def _with_every_section(task: type[SectionsT]) -> type[SectionsT]:
    """Gives each file in `learners/hooks` a section in a task, of the keys that differ."""
    more: dict[str, Any] = {
        name: (dict[str, Any], setting({}, doc=f"Keys of `updates.{name}` that differ.")) for name in learners()
    }
    return create_model(task.__name__, __base__=task, __module__=__name__, __doc__=task.__doc__, **more)


@_with_every_switch
class LearnerSwitches(Settings):
    """`learners:` which switchable parts of an update are on."""

    preference: Annotated[Preference, BeforeValidator(_off)] = setting(
        "auto",
        doc=f"Learn from preferences, after SFT: auto by DPO where a batch has {MIN_PAIRS} untied pairs, else by KTO "
        f"where it has {MIN_EACH_SIGN} liked and {MIN_EACH_SIGN} disliked answers, unless `hard_negatives` and a "
        "validator tell which liked ones fail; dpo and kto by that one alone; off never.",
    )

    hyperparameters: bool = setting(
        False, doc="Search the method's settings in idle time, and put those in force that win on the dev fold."
    )

    def on(self, learner: str) -> bool:
        """Whether a learner that has a hook takes part."""
        return bool(getattr(self, learner))


class ValidatorChoice(Settings):
    """A validator by name with its settings; YAML may give the name alone."""

    name: str = setting(doc="One of the files in learners/validators.")
    settings: dict[str, Any] = setting({}, doc="What this validator needs to know.")


@_with_every_section
class TaskSettings(Settings):
    """`tasks.<name>:` what differs for one task; each section holds only the keys that differ."""

    validator: ValidatorChoice | None = setting(None, doc="Judges answers without a human.")
    rewards: dict[str, Any] = setting({}, doc="Keys of `rewards` that differ.")
    batching: dict[str, Any] = setting({}, doc="Keys of `batching` that differ.")
    holdout: dict[str, Any] = setting({}, doc="Keys of `holdout` that differ.", live=False)
    gate: dict[str, Any] = setting({}, doc="Keys of `gate` that differ.")
    learners: dict[str, Any] = setting({}, doc="Keys of `learners` that differ.")
    sft: dict[str, Any] = setting({}, doc="Keys of `updates.sft` that differ.")
    dpo: dict[str, Any] = setting({}, doc="Keys of `updates.dpo` that differ.")
    kto: dict[str, Any] = setting({}, doc="Keys of `updates.kto` that differ.")
    hyperparameters: dict[str, Any] = setting({}, doc="Keys of `updates.hyperparameters` that differ.")


class TaskConfig(Settings):
    """What is in force for one task: the global sections with its own keys laid over them."""

    name: str
    validator: ValidatorChoice | None
    rewards: RewardSettings
    batching: BatchingSettings
    holdout: HoldoutSettings
    gate: GateSettings
    learners: LearnerSwitches
    hooks: dict[str, SerializeAsAny[Settings]]
    method: str
    sft: SftSettings
    dpo: DpoSettings
    kto: KtoSettings
    off_policy: OffPolicySettings
    noop: NoopSettings
    hyperparameters: TunerSettings
    replay_share: float

    @property
    def checks_answers(self) -> bool:
        """Whether it is known which answers fail a check of the task's validator, whoever liked them."""
        return self.learners.on("hard_negatives") and self.validator is not None

    @property
    def preference(self) -> Wanted:
        """What is wanted of preferences, all in all."""
        return wanted_of(self.learners.preference, checked=self.checks_answers)


class Config(Settings):
    """The whole of adaptd.yaml."""

    model: ModelSettings = setting(ModelSettings(), doc="The base model and the shape of its adapters.", live=False)
    engine: EngineSettings = setting(EngineSettings(), doc="What answers prompts.", live=False)
    sources: list[AnySource] = setting([], doc="Where events come from.", live=False)
    storage: StorageSettings = setting(StorageSettings(), doc="Where things are kept.", live=False)
    limits: LimitSettings = setting(LimitSettings(), doc="What an event may hold at most.")
    similarity: SimilaritySettings = setting(SimilaritySettings(), doc="How alike two texts are.")
    rewards: RewardSettings = setting(RewardSettings(), doc="From signals to rewards and weights.")
    batching: BatchingSettings = setting(BatchingSettings(), doc="When a batch is ripe.")
    holdout: HoldoutSettings = setting(HoldoutSettings(), doc="What is held back for judging.", live=False)
    learners: LearnerSwitches = setting(LearnerSwitches(), doc="Switchable parts of an update.")
    updates: UpdateSettings = setting(UpdateSettings(), doc="How training runs.")
    gate: GateSettings = setting(GateSettings(), doc="How a candidate is judged.")
    release: ReleaseSettings = setting(ReleaseSettings(), doc="Where champions go.", live=False)
    gateway: GatewaySettings = setting(GatewaySettings(), doc="The door for apps.", live=False)
    api: ApiSettings = setting(ApiSettings(), doc="Health, metrics, events and status.", live=False)
    stop_grace: DurationS = setting(
        20.0,
        doc="How long a stop in order may take; then what still works is ended, and tried again at the next start.",
    )
    tasks: dict[str, TaskSettings] = setting({}, doc="The tasks that are learned; `*` stands for any other.")

    @model_validator(mode="after")
    def _sources_have_names_of_their_own(self) -> Self:
        names = [source.name for source in self.sources]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two sources are called {twice[0]}; give each a `name` of its own")
        return self

    @property
    def declared(self) -> frozenset[str]:
        """The tasks that are named, which metrics may name too."""
        return frozenset(self.tasks) - {ANY_TASK}

    def task(self, name: str) -> TaskConfig | None:
        """What is in force for a task, or None where it is not learned."""
        own = self.tasks.get(name) or self.tasks.get(ANY_TASK)
        if own is None:
            return None
        return TaskConfig(
            name=name,
            validator=own.validator,
            rewards=_overlaid(self.rewards, own.rewards),
            batching=_overlaid(self.batching, own.batching),
            holdout=_overlaid(self.holdout, own.holdout),
            gate=_overlaid(self.gate, own.gate),
            learners=_overlaid(self.learners, own.learners),
            hooks={part: _overlaid(getattr(self.updates, part), getattr(own, part)) for part in learners()},
            method=self.updates.method,
            sft=_overlaid(self.updates.sft, own.sft),
            dpo=_overlaid(self.updates.dpo, own.dpo),
            kto=_overlaid(self.updates.kto, own.kto),
            off_policy=self.updates.off_policy,
            noop=self.updates.noop,
            hyperparameters=_overlaid(self.updates.hyperparameters, own.hyperparameters),
            replay_share=self.updates.replay_share,
        )


def load(
    path: Path, *, overrides: Sequence[str] = (), environ: Mapping[str, str] | None = None, text: str | None = None
) -> Config:
    """The config in force. `overrides` are `key.path=value`; `text` is read in place of what the file holds.

    Raises ConfigError with every fault, a line each.
    """
    layers = layers_of(path, overrides=overrides, environ=environ, text=text)
    faults = not_in_this_version(layers.raw)
    raw = _with_short_forms(layers.raw)
    faults += _source_faults(raw)
    try:
        config = with_absolute_paths(Config.model_validate(raw), path.parent.resolve())
    except ValidationError as error:
        others = Fault.all_of(error, Config)
        faults += [fault for fault in others if not (fault.where[:1] == ("sources",) and len(fault.where) > 1)]
        raise ConfigError(describe(faults, layers)) from None
    faults += _address_faults(config) + _port_faults(config, layers) + _task_faults(config)
    if faults:
        raise ConfigError(describe(faults, layers))
    return config


def layers_of(
    path: Path, *, overrides: Sequence[str] = (), environ: Mapping[str, str] | None = None, text: str | None = None
) -> Layers:
    """File, variables and flags laid over each other, unchecked; knows where each key was given."""
    return read_layers(path, overrides, os.environ if environ is None else environ, Config.model_fields, text)


def _with_short_forms(raw: dict[str, Any]) -> dict[str, Any]:
    """An empty section means its defaults, and `validator: mermaid_erd` that validator with its own."""
    full = {key: value for key, value in raw.items() if value is not None or key not in Config.model_fields}
    tasks = full.get("tasks")
    if isinstance(tasks, dict):
        full["tasks"] = {name: _full_task(own) for name, own in tasks.items()}
    return full


def _full_task(own: Any) -> Any:
    if own is None:
        return {}
    if not isinstance(own, dict):
        return own
    full = {key: value for key, value in own.items() if value is not None}
    return {**full, "validator": {"name": own["validator"]}} if isinstance(own.get("validator"), str) else full


def _source_faults(raw: Mapping[str, Any]) -> list[Fault]:
    """Each source against the settings of its own kind, which alone know its keys."""
    sources = raw.get("sources")
    faults: list[Fault] = []
    for index, value in enumerate(sources if isinstance(sources, list) else ()):
        where = ("sources", index)
        if not isinstance(value, dict):
            faults.append(Fault(where, "must hold keys, such as {type: http}"))
            continue
        try:
            kind = _source_kind(value)
        except ValueError as error:
            faults.append(Fault((*where, "type"), str(error)))
            continue
        try:
            kind.model_validate(value)
        except ValidationError as error:
            faults += Fault.all_of(error, kind, where)
    return faults


def _address_faults(config: Config) -> list[Fault]:
    try:
        path_of(config.storage.url)
    except StorageError as error:
        return [Fault(("storage", "url"), str(error).removeprefix("storage.url: "))]
    return []


def _port_faults(config: Config, layers: Layers) -> list[Fault]:
    """The gateway is a process of its own: it would be started again and again, and never get the API's port."""
    api, gateway = config.api, config.gateway
    if not gateway.enabled or gateway.port != api.port or not _share_an_address(gateway.host, api.host):
        return []
    where = ("gateway", "port") if layers.given_at(("gateway", "port")) else ("api", "port")
    (other,) = {"api", "gateway"} - {where[0]}
    origin = layers.given_at((other, "port")) or "its default"
    return [Fault(where, f"{api.port} is {other}.port too ({origin}); give each a port of its own")]


def _share_an_address(one: str, other: str) -> bool:
    hosts = {"127.0.0.1" if host == "localhost" else host for host in (one, other)}
    return len(hosts) == 1 or not hosts.isdisjoint({"", "0.0.0.0", "::"})


def _task_faults(config: Config) -> list[Fault]:
    """Sections of tasks are partial, so they are checked after they were laid over the global ones."""
    faults = []
    for name, own in config.tasks.items():
        faults += _name_faults(name, config.limits)
        of_updates = ("sft", "dpo", "kto", "hyperparameters", *learners())
        for section in ("rewards", "batching", "holdout", "gate", "learners", *of_updates):
            whole = getattr(config.updates if section in of_updates else config, section)
            try:
                _overlaid(whole, getattr(own, section))
            except ValidationError as error:
                faults += Fault.all_of(error, type(whole), ("tasks", name, section))
        if own.validator is not None:
            faults += _validator_faults(("tasks", name, "validator"), own.validator)
    return faults


def _name_faults(name: str, limits: LimitSettings) -> list[Fault]:
    """A name that no event can carry would never learn anything."""
    try:
        if name != ANY_TASK:
            check_task(name, limits.max_id_chars)
    except Unreadable as error:
        return [Fault(("tasks", name), error.reason.removeprefix("task: "))]
    return []


def _validator_faults(where: tuple[str, ...], choice: ValidatorChoice) -> list[Fault]:
    try:
        open_validator(choice.name, choice.settings)
    except ValidationError as error:
        return Fault.all_of(error, validator(choice.name).Settings, (*where, "settings"))
    except (ValueError, AdaptdError) as error:
        return [Fault(where, str(error))]
    return []


def _overlaid(whole: SettingsT, own: Mapping[str, Any]) -> SettingsT:
    if not own:
        return whole
    return type(whole).model_validate({**whole.model_dump(), **own})
