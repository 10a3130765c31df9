"""The engine target against an engine in memory: it converges, and never routes to what is not proved."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from daemon.release.engine import RETRY_FAILED_S, EngineTarget, Settings
from daemon.release.names import engine_name
from learners.engines.client import EngineClient, EngineModel, Scored
from learners.engines.errors import EngineRefused, EngineUnreachable
from learners.probes import PROBES
from storage.records import Message
from tests.daemon.release.wanted import wanted


class FakeEngine(EngineClient):
    """Holds names; can be away, refuse names, or score oddly."""

    def __init__(self, url: str = "http://engine", slots: int = 4) -> None:
        self.url = url
        self.slots = slots
        self.held: dict[str, str] = {}
        self.loads: list[str] = []
        self.away = False
        self.refused: set[str] = set()
        self.unlisted: set[str] = set()
        self.nll = 5.0
        self.drift = 0.0

    def models(self) -> list[EngineModel]:
        self._reach()
        adapters = [EngineModel(n, root, "base") for n, root in self.held.items() if n not in self.unlisted]
        return [EngineModel("base", "base", None), *adapters]

    def load(self, name: str, path: Path | str) -> None:
        self._reach()
        self.loads.append(name)
        if name in self.refused:
            raise EngineRefused(400, f"{name} is corrupt.", "Publish it again.")
        if len(self.held) >= self.slots:
            raise EngineRefused(409, "full")
        self.held[name] = str(path)

    def unload(self, name: str) -> None:
        self._reach()
        if self.held.pop(name, None) is None:
            raise EngineRefused(404, "not loaded")

    def score(self, model: str, items: Sequence[tuple[Sequence[Message], str]]) -> list[Scored]:
        self._reach()
        assert model == "base" or model in self.held
        self.nll += self.drift
        return [Scored(self.nll, 4) for _ in items]

    def close(self) -> None:
        pass

    def _reach(self) -> None:
        if self.away:
            raise EngineUnreachable("The engine cannot be reached.")


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def target(engine: FakeEngine, clock: Clock) -> EngineTarget:
    return EngineTarget(Settings(), engine.slots, engine.url, lambda *_: engine, clock)


def test_a_champion_is_loaded_proved_and_routed(target: EngineTarget, engine: FakeEngine, tmp_path: Path) -> None:
    one = wanted(tmp_path, 1)
    (outcome,) = target.reconcile([one])
    name = engine_name(one.adapter)
    assert (outcome.state, outcome.changed) == ("serving", True)
    assert engine.held == {name: str(one.path)}
    assert target.routes().model_dump() == {
        "tasks": {
            "erd": {"champion": "erd@v1", "engine_model": name, "engine_url": engine.url, "versions": {"erd@v1": name}}
        }
    }


def test_a_second_pass_does_nothing(target: EngineTarget, engine: FakeEngine, tmp_path: Path) -> None:
    target.reconcile([wanted(tmp_path, 1)])
    (outcome,) = target.reconcile([wanted(tmp_path, 1)])
    assert (outcome.state, outcome.changed) == ("serving", False)
    assert len(engine.loads) == 1


def test_the_base_serves_under_the_engines_name_for_it(
    target: EngineTarget, engine: FakeEngine, tmp_path: Path
) -> None:
    target.reconcile([wanted(tmp_path, 0)])
    assert target.routes().tasks["erd"].engine_model == "base"
    assert engine.loads == []


def test_the_former_champion_is_unloaded_when_nobody_pins_it(
    target: EngineTarget, engine: FakeEngine, tmp_path: Path
) -> None:
    target.reconcile([wanted(tmp_path, 1)])
    target.reconcile([wanted(tmp_path, 2)])
    assert list(engine.held) == [engine_name(wanted(tmp_path, 2).adapter)]
    assert list(target.routes().tasks["erd"].versions) == ["erd@v2"]


def test_pinned_versions_are_served_beside_the_champion(target: EngineTarget, tmp_path: Path) -> None:
    target.reconcile([wanted(tmp_path, 2), wanted(tmp_path, 1, role="pinned"), wanted(tmp_path, 0, role="pinned")])
    route = target.routes().tasks["erd"]
    assert (route.champion, list(route.versions)) == ("erd@v2", ["erd@v2", "erd@v1", "erd@v0"])
    assert route.versions["erd@v0"] == "base"


def test_an_adapter_under_judgement_is_neither_loaded_nor_unloaded(
    target: EngineTarget, engine: FakeEngine, tmp_path: Path
) -> None:
    judged = wanted(tmp_path, 2, role="judged")
    target.reconcile([wanted(tmp_path, 1), judged])
    name = engine_name(judged.adapter)
    assert name not in engine.held
    engine.held[name] = "by the evaluate job"
    target.reconcile([wanted(tmp_path, 1), judged])
    assert name in engine.held
    target.reconcile([wanted(tmp_path, 1)])
    assert name not in engine.held


def test_what_others_loaded_under_their_own_names_stays(
    target: EngineTarget, engine: FakeEngine, tmp_path: Path
) -> None:
    engine.held["somebodys-adapter"] = "elsewhere"
    target.reconcile([wanted(tmp_path, 1)])
    assert "somebodys-adapter" in engine.held


def test_a_restarted_engine_is_filled_again(target: EngineTarget, engine: FakeEngine, tmp_path: Path) -> None:
    both = [wanted(tmp_path, 2), wanted(tmp_path, 1, role="pinned")]
    target.reconcile(both)
    engine.held.clear()
    (outcome,) = target.reconcile(both)
    assert outcome.state == "serving"
    assert len(engine.held) == 2


def test_an_engine_that_came_back_elsewhere_is_routed_there(engine: FakeEngine, tmp_path: Path) -> None:
    engines = {"http://one": FakeEngine("http://one"), "http://two": FakeEngine("http://two")}
    target = EngineTarget(Settings(), 4, "http://one", lambda url, _: engines[url])
    target.reconcile([wanted(tmp_path, 2), wanted(tmp_path, 1, role="pinned")])
    target.moved(None)
    (outcome,) = target.reconcile([wanted(tmp_path, 2)])
    assert (outcome.state, outcome.reason) == ("waiting", "the engine is not ready yet")
    assert target.routes().tasks["erd"].engine_url == "http://one", "the last good route stays"
    target.moved("http://two")
    target.reconcile([wanted(tmp_path, 2)])
    route = target.routes().tasks["erd"]
    assert (route.engine_url, list(route.versions)) == ("http://two", ["erd@v2"])
    assert list(engines["http://two"].held) == [route.engine_model]


def test_an_engine_that_is_away_is_waited_for(target: EngineTarget, engine: FakeEngine, tmp_path: Path) -> None:
    engine.away = True
    (outcome,) = target.reconcile([wanted(tmp_path, 1)])
    assert (outcome.state, target.routes().tasks) == ("waiting", {})
    engine.away = False
    (outcome,) = target.reconcile([wanted(tmp_path, 1)])
    assert (outcome.state, outcome.changed) == ("serving", True)


def test_a_champion_that_cannot_be_loaded_leaves_the_former_serving(
    target: EngineTarget, engine: FakeEngine, clock: Clock, tmp_path: Path
) -> None:
    target.reconcile([wanted(tmp_path, 1)])
    second = wanted(tmp_path, 2)
    name = engine_name(second.adapter)
    engine.refused.add(name)
    (outcome,) = target.reconcile([second])
    assert outcome.state == "failed"
    assert outcome.reason == f"{name} is corrupt. Publish it again. erd@v1 goes on serving."
    assert target.routes().tasks["erd"].champion == "erd@v1"
    assert engine_name(wanted(tmp_path, 1).adapter) in engine.held


def test_what_failed_is_tried_again_but_not_in_every_pass(
    target: EngineTarget, engine: FakeEngine, clock: Clock, tmp_path: Path
) -> None:
    one = wanted(tmp_path, 1)
    engine.refused.add(engine_name(one.adapter))
    assert [target.reconcile([one])[0].changed for _ in range(3)] == [True, False, False]
    assert len(engine.loads) == 1
    engine.refused.clear()
    clock.now += RETRY_FAILED_S
    assert target.reconcile([one])[0].state == "serving"


def test_likelihoods_that_are_no_numbers_are_not_routed(
    target: EngineTarget, engine: FakeEngine, tmp_path: Path
) -> None:
    engine.nll = float("nan")
    (outcome,) = target.reconcile([wanted(tmp_path, 1)])
    assert (outcome.state, "no numbers" in outcome.reason) == ("failed", True)
    assert (engine.held, target.routes().tasks) == ({}, {})


def test_an_engine_that_reads_differently_each_time_is_not_routed(
    target: EngineTarget, engine: FakeEngine, tmp_path: Path
) -> None:
    engine.drift = 1.0
    (outcome,) = target.reconcile([wanted(tmp_path, 1)])
    assert "two likelihoods for one text" in outcome.reason


@pytest.mark.parametrize(("trained", "state"), [(5.0, "serving"), (5.05, "serving"), (6.0, "failed")])
def test_likelihoods_must_be_those_of_training(
    trained: float, state: str, target: EngineTarget, tmp_path: Path
) -> None:
    probes = [{"prompt": prompt, "completion": text, "nll": trained, "tokens": 4} for prompt, text in PROBES]
    (outcome,) = target.reconcile([wanted(tmp_path, 1, manifest={"probes": probes})])
    assert outcome.state == state


def test_an_adapter_that_is_not_listed_after_loading_is_not_routed(
    target: EngineTarget, engine: FakeEngine, tmp_path: Path
) -> None:
    one = wanted(tmp_path, 1)
    engine.unlisted.add(engine_name(one.adapter))
    (outcome,) = target.reconcile([one])
    assert "does not list it" in outcome.reason


def test_a_champion_takes_the_slot_of_the_last_pinned_version(
    target: EngineTarget, engine: FakeEngine, tmp_path: Path
) -> None:
    pinned = [wanted(tmp_path, version, role="pinned") for version in (3, 2)]
    target.reconcile([wanted(tmp_path, 4), *pinned])
    (outcome,) = target.reconcile([wanted(tmp_path, 5), wanted(tmp_path, 4, role="pinned"), *pinned])
    assert outcome.state == "serving"
    assert "erd@v2" not in target.routes().tasks["erd"].versions
    assert len(engine.held) <= engine.slots


def test_a_slot_is_left_for_a_candidate_to_be_judged_in(
    target: EngineTarget, engine: FakeEngine, tmp_path: Path
) -> None:
    pinned = [wanted(tmp_path, version, role="pinned") for version in (8, 7, 6, 5, 4)]
    target.reconcile([wanted(tmp_path, 9), *pinned])
    assert len(engine.held) == engine.slots - 1


def test_more_tasks_than_slots_say_so(tmp_path: Path) -> None:
    small = FakeEngine(slots=1)
    target = EngineTarget(Settings(), 1, small.url, lambda *_: small)
    first, second = target.reconcile([wanted(tmp_path, 1, task="a"), wanted(tmp_path, 1, task="b")])
    assert (first.state, second.state) == ("serving", "failed")
    assert "All 1 adapter slots of the engine are in use; give it more" in second.reason


def test_a_task_that_is_gone_loses_its_route(target: EngineTarget, engine: FakeEngine, tmp_path: Path) -> None:
    target.reconcile([wanted(tmp_path, 1, task="a"), wanted(tmp_path, 1, task="b")])
    target.reconcile([wanted(tmp_path, 1, task="b")])
    assert list(target.routes().tasks) == ["b"]
    assert len(engine.held) == 1
