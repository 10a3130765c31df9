"""What a verdict does, and what it does not do once another champion reigns than the one it was judged against."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from daemon.config import Config, TaskConfig
from daemon.jobs import Done
from daemon.judging import EngineAt, Judging
from learners import job as contract
from learners.job_files import read_job, read_prompts, write_answers, write_result
from learners.pairwise.head import MIN_PAIRS
from learners.yardsticks import likelihood_yardstick
from storage import decisions, failures, registry, updates
from storage.artifacts import Artifacts
from storage.records import Adapter, Example, Look, Message, Pair, Tally, Target, Update, UpdateState
from storage.store import Store
from tests.storage.makers import NOW, example, keep

PROMPTS = 24
VALIDATED: dict[str, Any] = {"validator": {"name": "mermaid_erd"}}
ON = {"hard_negatives": True}


class Worker:
    """Answers an evaluate job the moment it is handed out: the candidate's score, and `meanwhile` what else happens."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.score, self.started = folder, 0.5, 0
        self.meanwhile: Callable[[], None] = lambda: None
        self.away = False
        self._done: Path | None = None

    def has(self, update_id: int) -> bool:
        return self._done is not None

    def cancel(self, update_id: int) -> None:
        self._done = None

    def start(self, update: Update, kind: str, write: Callable[[Path, int], None]) -> None:
        self.started += 1
        self._done = self.folder / str(self.started)
        self._done.mkdir(parents=True)
        write(self._done, self.started)
        answers = [self._answer(prompt) for prompt in read_prompts(self._done) if prompt.part == "gate"]
        write_answers(self._done, answers)
        result = contract.EvaluateResult(outcome="evaluated", reason="", prompts=len(answers))
        if self.away:
            result = contract.EvaluateResult(outcome="failed", reason="no answer from the judge", try_again=True)
        write_result(self._done, result)

    def look(self, update: Update) -> Done:
        assert self._done is not None
        folder, self._done = self._done, None
        self.meanwhile()
        return Done(folder)

    def _answer(self, prompt: contract.Prompt) -> contract.AnswerPair:
        own, its = (
            contract.JudgedAnswer(
                text=f"Shop{prompt.id} with Item{prompt.id}", finish_reason="stop", tokens=3, score=one
            )
            for one in (self.score, 0.5)
        )
        return contract.AnswerPair(id=prompt.id, weight=1.0, candidate=own, champion=its, user=prompt.user)


class Bench:
    """A trained candidate, its judging, and a gate of different prompts."""

    def __init__(self, store: Store, folder: Path, **gate: Any) -> None:
        self.store, self.worker = store, Worker(folder / "jobs")
        self.config = Config.model_validate({"gate": {"retention": "off", **gate}, "tasks": {"erd": VALIDATED}})
        artifacts = Artifacts(folder / "artifacts")
        engine = EngineAt("http://127.0.0.1:1", {})
        worker: Any = self.worker
        self.passed = timedelta()
        self.judging = Judging(store, artifacts, worker, lambda: self.config, self.clock, lambda: engine)
        store.write(lambda tx: registry.ensure_line(tx, "erd", "base", NOW))
        self.add("erd@v1")
        self.add("erd@v2")
        made = store.write(lambda tx: updates.create_update(tx, "erd", "erd@v0", "ripe", NOW))
        steps: dict[UpdateState, dict[str, Any]] = {
            "queued": {"report": {"batch": []}},
            "running": {"candidate": "erd@v1"},
            "trained": {},
        }
        for state, values in steps.items():
            made = store.write(partial(updates.change_update, current=made, to_state=state, now=NOW, **values))
        self.number = made.update_id

    def clock(self) -> datetime:
        """No two readings are the same, as of a real one."""
        self.passed += timedelta(microseconds=1)
        return NOW + self.passed

    def add(self, name: str) -> None:
        new = Adapter(name, "erd", int(name[-1]), "base", "erd@v0", None, NOW, "candidate")
        self.store.write(lambda tx: registry.add_candidate(tx, new))

    def crown(self, name: str) -> None:
        self.store.write(lambda tx: registry.set_champion(tx, "erd", name, NOW, "by hand"))

    def fill(self, count: int, first: int = 0, target: str | None = None) -> None:
        written = None if target is None else Target(target, 1.0, NOW, None)
        asked = [
            example(
                f"g{at}",
                messages=(Message("user", f"Draw Thing{at}"),),
                user_id=f"u{at}",
                users=(f"u{at}",),
                demonstration=written,
            )
            for at in range(first, first + count)
        ]
        self.store.write(lambda tx: keep(tx, *asked, fold="gate"))

    def looked(self, times: int) -> None:
        for number in range(1, times + 1):
            one = Look(self.number, number, PROMPTS // 3, "hold", "", NOW)
            self.store.write(lambda tx, one=one: updates.save_look(tx, one))  # type: ignore[misc]

    def step(self, times: int = 1) -> None:
        for _ in range(times):
            if (update := self.now).state in ("trained", "held"):
                self.judging.step(update, self.task)

    @property
    def task(self) -> TaskConfig:
        found = self.config.task("erd")
        assert found is not None
        return found

    @property
    def now(self) -> Update:
        found = self.store.read(lambda tx: updates.get_update(tx, self.number))
        assert found is not None
        return found

    @property
    def looks(self) -> list[Look]:
        return self.store.read(lambda tx: updates.looks(tx, self.number))

    def reasons(self) -> list[str]:
        return [one.reason for _, one in self.store.read(lambda tx: decisions.list_decisions(tx, "erd", "verdict"))]


@pytest.mark.parametrize(
    ("score", "earlier", "ends"),
    [(0.9, 0, "promoted"), (0.1, 0, "rejected"), (0.5, 0, "held"), (0.5, 2, "expired"), (0.9, 2, "promoted")],
)
def test_against_another_champion_than_reigns_now_no_verdict_counts_and_no_look_is_spent(
    store: Store, tmp_path: Path, score: float, earlier: int, ends: str
) -> None:
    bench = Bench(store, tmp_path)
    bench.fill(PROMPTS)
    bench.looked(earlier)
    bench.worker.score = score
    bench.worker.meanwhile = lambda: bench.crown("erd@v2")
    bench.step(2)
    assert (bench.now.state, len(bench.looks)) == ("trained", earlier)
    assert bench.reasons() == ["erd@v0 is no longer the champion; judged again"]
    bench.worker.meanwhile = lambda: None
    bench.step(2)
    assert (bench.now.state, len(bench.looks), bench.worker.started) == (ends, earlier + 1, 2)
    champion = store.read(lambda tx: registry.serving_line(tx, "erd"))
    assert champion is not None
    assert champion.champion == ("erd@v1" if ends == "promoted" else "erd@v2")


def test_with_the_gate_off_it_is_promoted_over_whoever_reigns(store: Store, tmp_path: Path) -> None:
    bench = Bench(store, tmp_path, enabled=False)
    bench.crown("erd@v2")  # after the update began against erd@v0
    bench.step(3)
    assert bench.now.state == "promoted"
    assert bench.reasons() == ["promoted: the gate is off (gate.enabled: false): promoted unseen"]


def test_repeats_of_a_few_prompts_are_waited_with_and_said(store: Store, tmp_path: Path) -> None:
    bench = Bench(store, tmp_path)
    for again in range(5):
        same = [
            example(f"g{at}-{again}", messages=(Message("user", f"Draw  thing{at}"),), user_id=f"u{at}-{again}")
            for at in range(12)
        ]
        store.write(lambda tx, same=same: keep(tx, *same, fold="gate"))  # type: ignore[misc]
    bench.step(2)
    assert (bench.now.state, bench.worker.started) == ("held", 0)
    assert bench.now.reason == "waits for evidence: 12 of 20 different prompts"


def test_where_too_little_could_be_read_it_is_judged_again_only_with_more_prompts(store: Store, tmp_path: Path) -> None:
    bench = Bench(store, tmp_path)
    bench.fill(PROMPTS)
    bench.worker.score = 0.5
    unscored = bench.worker._answer
    lacking = {"score": None}
    bench.worker._answer = lambda prompt: unscored(prompt).model_copy(  # type: ignore[method-assign]
        update={"candidate": unscored(prompt).candidate.model_copy(update=lacking)}
    )
    bench.step(6)
    assert (bench.now.state, bench.worker.started, bench.looks) == ("held", 1, [])
    bench.fill(1, first=PROMPTS)
    bench.step(2)
    assert bench.worker.started == 2


def use_validator(bench: Bench, **settings: Any) -> None:
    changed = {"name": "mermaid_erd", "settings": settings}
    gate = bench.config.gate.model_dump()
    bench.config = Config.model_validate({"gate": gate, "tasks": {"erd": {"validator": changed}}})


def test_a_look_by_another_validator_than_the_one_before_reads_its_own_answers_alone(
    store: Store, tmp_path: Path
) -> None:
    bench = Bench(store, tmp_path)
    bench.fill(PROMPTS)
    bench.worker.score = 0.5
    bench.step(2)
    (first,) = bench.looks
    use_validator(bench, required_fields=["tenant_id"])
    bench.fill(2 * PROMPTS, first=PROMPTS)
    bench.worker.score = 0.9
    bench.step(2)
    second = bench.looks[1]
    assert (bench.now.state, second.report["prompts"]) == ("promoted", 3 * PROMPTS)
    assert second.report["difference"] == pytest.approx(0.4), "nothing of the look before is in it"
    assert first.report["yardstick"] != second.report["yardstick"]
    assert {one.yardstick for one in store.read(lambda tx: updates.scores(tx, "erd"))} == {second.report["yardstick"]}


@pytest.mark.parametrize("outcome", ["evaluated", "failed"])
def test_a_validator_that_was_changed_meanwhile_gives_no_verdict_no_look_no_score_and_no_crash(
    store: Store, tmp_path: Path, outcome: Any
) -> None:
    bench = Bench(store, tmp_path)
    bench.fill(PROMPTS)
    bench.worker.score = 0.1
    bench.step()
    use_validator(bench, required_fields=["tenant_id"])
    write_result(tmp_path / "jobs" / "1", contract.EvaluateResult(outcome=outcome, reason="no service", prompts=1))
    bench.step()
    assert (bench.now.state, bench.looks, bench.now.report.get("evaluate_crashes")) == ("trained", [], None)
    assert store.read(lambda tx: updates.scores(tx, "erd")) == []
    bench.worker.score = 0.9
    bench.step(2)
    assert (bench.now.state, len(bench.looks), bench.worker.started) == ("promoted", 1, 2)
    assert "the validator was changed meanwhile; judged again" in bench.reasons()


def test_what_the_gate_saw_of_sub_checks_is_counted_among_failures(store: Store, tmp_path: Path) -> None:
    bench = Bench(store, tmp_path)
    bench.config = Config.model_validate(
        {**bench.config.model_dump(include={"gate"}), "tasks": {"erd": {**VALIDATED, "learners": ON}}}
    )
    bench.fill(PROMPTS)
    bench.worker.score = 0.9
    unchecked = bench.worker._answer

    def checked(prompt: contract.Prompt) -> contract.AnswerPair:
        """The champion has no keys, the candidate has."""
        pair = unchecked(prompt)
        sides = {"candidate": pair.candidate, "champion": pair.champion}
        return pair.model_copy(
            update={
                side: one.model_copy(update={"checks": {"keys": side == "candidate"}}) for side, one in sides.items()
            }
        )

    bench.worker._answer = checked  # type: ignore[method-assign]
    bench.step(2)
    assert bench.now.state == "promoted"
    tallies = store.read(lambda tx: failures.tallies(tx, "erd"))
    assert tallies == {"check:keys": {"erd@v0": Tally(PROMPTS, PROMPTS), "erd@v1": Tally(0, PROMPTS)}}


@pytest.mark.parametrize(("pairs", "screened"), [(MIN_PAIRS - 1, True), (MIN_PAIRS, False)])
def test_where_the_head_has_pairs_enough_likelihood_rejects_nobody_before_it(
    store: Store, tmp_path: Path, pairs: int, screened: bool
) -> None:
    """With `primary: auto` and no validator, whether the head decides hangs on what people have compared by now."""
    bench = Bench(store, tmp_path)
    bench.config = Config.model_validate({"gate": bench.config.gate.model_dump(), "tasks": {"erd": {}}})
    judged = [with_pair(at, f"Draw Thing{at}") for at in range(PROMPTS)]
    store.write(lambda tx: keep(tx, *judged, fold="gate"))
    store.write(lambda tx: keep(tx, *(with_pair(at, f"Sketch Thing{at}") for at in range(PROMPTS, PROMPTS + pairs))))
    bench.step()
    job = read_job(bench.worker.folder / "1")
    assert isinstance(job, contract.EvaluateJob)
    assert (job.screen is not None) == screened


def with_pair(number: int, prompt: str) -> Example:
    user = f"u{number}"
    pairs = (Pair("better", "worse", False, NOW, user),)
    asked = (Message("user", prompt),)
    return example(f"p{number}", messages=asked, scalar=None, pairs=pairs, user_id=user, users=(user,))


def test_without_a_validator_what_the_gate_read_of_human_texts_is_the_score_of_both(
    store: Store, tmp_path: Path
) -> None:
    bench = Bench(store, tmp_path)
    bench.config = Config.model_validate({"gate": {"retention": "off"}, "tasks": {"erd": {}}})
    bench.fill(PROMPTS, target="Shop with Item")
    likely = bench.worker._answer

    def answer(prompt: contract.Prompt) -> contract.AnswerPair:
        sides = {"candidate": math.log(1 / 0.6), "champion": math.log(1 / 0.5)}
        found = likely(prompt)
        changed = {
            side: getattr(found, side).model_copy(update={"score": None, "nll_per_token": nll})
            for side, nll in sides.items()
        }
        return found.model_copy(update={"target": prompt.target, **changed})

    bench.worker._answer = answer  # type: ignore[method-assign]
    bench.step(2)
    kept = {one.adapter: one for one in store.read(lambda tx: updates.scores(tx, "erd"))}
    assert {one.metric for one in kept.values()} == {"nll"}
    assert {name: one.value for name, one in kept.items()} == pytest.approx({"erd@v0": 0.5, "erd@v1": 0.6})
    (look,) = bench.looks
    assert {one.yardstick for one in kept.values()} == {look.report["yardstick"], likelihood_yardstick("base")}
    assert (look.report["primary"], bench.now.state) == ("nll", "promoted")


def test_a_service_that_is_away_for_minutes_costs_no_candidate(store: Store, tmp_path: Path) -> None:
    bench = Bench(store, tmp_path)
    bench.fill(PROMPTS)
    bench.worker.score, bench.worker.away = 0.9, True
    bench.step(10)
    assert (bench.worker.started, bench.now.state) == (1, "trained"), "not again at once"
    bench.passed = timedelta(seconds=31)
    bench.step(10)
    assert (bench.worker.started, bench.now.report["evaluate_crashes"]) == (2, 2)
    bench.passed += timedelta(seconds=119)
    bench.step(10)
    assert bench.worker.started == 2
    bench.passed += timedelta(seconds=2)
    bench.worker.away = False
    bench.step(2)
    assert bench.now.state == "promoted"


def test_attempts_that_failed_before_a_look_do_not_count_against_the_next_one(store: Store, tmp_path: Path) -> None:
    bench = Bench(store, tmp_path)
    bench.fill(PROMPTS)
    bench.worker.away = True
    bench.step(2)
    assert bench.now.report["evaluate_crashes"] == 1
    bench.passed, bench.worker.away = timedelta(minutes=1), False
    bench.step(2)
    assert bench.now.state == "held"
    assert "evaluate_crashes" not in bench.now.report
