"""The store of failures follows feedback and the gate's judgements, and the worker is told of what is not fixed."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from consumers.cleaning import prompt_key
from daemon.batches import Batches
from daemon.config import Config, TaskConfig
from daemon.failures import AT_ONCE, Failures
from daemon.material import gather
from daemon.standing import standing_of
from learners.gate import Answer, GateRow
from learners.router import answer_key
from storage import asked, buffer, decisions, failures, registry, updates
from storage.records import Adapter, Example, FailureState, Message, Pair, Scalar, Target
from storage.store import Store
from tests.learners.slow_service import slow_service
from tests.learners.validators.score_service import ScoreService
from tests.storage.makers import NOW, example, keep, later

GOOD = "erDiagram\n  Shop {\n    int id PK\n  }"
KEYLESS = "erDiagram\n  Shop {\n    string name\n  }"
CHECKS = dict.fromkeys(("parses", "entities", "keys", "relations", "placeholders"), True)


def task(**learners: Any) -> TaskConfig:
    config = Config.model_validate(
        {
            "rewards": {"settle": "0s"},
            "batching": {"min": 4, "max": 4, "max_share_per_user": 1, "min_users": 1},
            "learners": learners or {"hard_negatives": True},
            "tasks": {"erd": {"validator": {"name": "mermaid_erd"}}},
        }
    )
    found = config.task("erd")
    assert found is not None
    return found


ON = task()


def said(name: str, response: str, prompt: str = "Draw these entities: Shop.", **changes: Any) -> Example:
    return example(name, messages=(Message("user", prompt),), response=response, **changes)


def corrected(name: str) -> Example:
    return said(name, KEYLESS, scalar=None, correction=Target(GOOD, 0.6, NOW, "u1"))


@pytest.fixture
def line(store: Store) -> Store:
    store.write(lambda tx: registry.ensure_line(tx, "erd", "hash", NOW))
    return store


def crown(store: Store, version: int) -> None:
    name = f"erd@v{version}"
    new = Adapter(name, "erd", version, "hash", None, None, NOW, "candidate")
    store.write(lambda tx: registry.add_candidate(tx, new))
    assert store.write(lambda tx: registry.promote(tx, "erd", name, f"erd@v{version - 1}", NOW))


def states(store: Store) -> dict[str, tuple[FailureState, int]]:
    found = store.read(lambda tx: failures.list_failures(tx, "erd"))
    return {one.kind: (one.state, one.count) for one in found}


def judged(count: int, failing: int) -> list[Answer]:
    bad = {**CHECKS, "keys": False}
    return [Answer("x", 1.0, bad if at < failing else CHECKS, None, 1, "stop") for at in range(count)]


def judge(watch: Failures, *, candidate: tuple[str, int], champion: tuple[str, int], count: int = 60) -> None:
    answers = zip(judged(count, candidate[1]), judged(count, champion[1]), strict=True)
    rows = [GateRow(str(at), 1.0, mine, its, None, None) for at, (mine, its) in enumerate(answers)]
    watch.judged(ON, rows, candidate[0], champion[0])


def test_what_comes_is_examined_once_and_again_when_more_is_said(line: Store) -> None:
    watch, one = Failures(line, lambda: later(9)), corrected("a")
    line.write(lambda tx: keep(tx, one, said("b", GOOD)))
    for _ in range(2):
        watch.look(ON, [one, said("b", GOOD)], "erd@v0")
    assert states(line) == {"check:keys": ("open", 1), "feedback:correction": ("open", 1), "prompts:1": ("open", 1)}
    again = replace(one, scalar=Scalar(0.1, 1, NOW), last_signal_at=later(5))
    watch.look(ON, [again], "erd@v0")
    assert states(line)["feedback:score"] == ("open", 1)
    assert states(line)["check:keys"] == ("open", 1)


def test_a_look_examines_while_time_goes_on(line: Store) -> None:
    """A clock that answers the same twice would hide a comparison of it with itself."""
    ticks = itertools.count()
    line.write(lambda tx: keep(tx, corrected("a")))
    Failures(line, lambda: later(9) + timedelta(microseconds=next(ticks))).look(ON, [corrected("a")], "erd@v0")
    assert states(line)["feedback:correction"] == ("open", 1)


def test_a_new_daemon_does_not_count_again_what_an_earlier_one_examined(line: Store) -> None:
    line.write(lambda tx: keep(tx, corrected("a")))
    for _ in range(2):
        Failures(line, lambda: NOW).look(ON, [corrected("a")], "erd@v0")
    assert states(line)["check:keys"] == ("open", 1)
    assert line.read(lambda tx: failures.tallies(tx, "erd"))["check:keys"]["erd@v0"].judged == 1


def test_a_look_is_bounded_and_the_next_goes_on(line: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("daemon.failures.LONGEST_S", 60.0)
    watch, many = Failures(line, lambda: NOW), [corrected(str(at)) for at in range(AT_ONCE + 5)]
    line.write(lambda tx: keep(tx, *many))
    watch.look(ON, many, "erd@v0")
    assert states(line)["check:keys"][1] == AT_ONCE
    watch.look(ON, many, "erd@v0")
    assert states(line)["check:keys"][1] == AT_ONCE + 5


def test_time_that_is_up_leaves_the_rest_to_the_next_look(line: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("daemon.failures.LONGEST_S", -1.0)
    line.write(lambda tx: keep(tx, corrected("a"), corrected("b")))
    watch = Failures(line, lambda: NOW)
    for count in (1, 2):
        watch.look(ON, [corrected("a"), corrected("b")], "erd@v0")
        assert states(line)["check:keys"][1] == count


def test_a_liked_answer_that_fails_a_check_is_kept_out_of_the_batch_of_the_same_look(line: Store) -> None:
    """With the learner off nothing is changed, whatever was found before."""
    liked = [said(f"good{at}", GOOD) for at in range(4)] + [said("keyless", KEYLESS)]
    line.write(lambda tx: keep(tx, *(replace(one, scalar=Scalar(1.0, 1, NOW)) for one in liked)))
    batches = Batches(line, lambda: later(10))
    batches.consider(ON, ["erd"], "erd@v0", None)
    decision = batches.last("erd")
    assert decision is not None
    assert "not counted: 1 failed check" in decision.reason
    assert {origin.interaction_id for origin in decision.pool} == {f"good{at}" for at in range(4)}
    off = task(hard_negatives=False)
    assert off.validator is not None
    examples = line.read(lambda tx: buffer.open_examples(tx, "erd", settled_before=later(10), limit=9))
    for one, kept_out in ((ON, {"keyless"}), (off, set())):
        standing = line.read(lambda tx, one=one: standing_of(tx, one, examples))  # type: ignore[misc]
        assert standing.failing == kept_out


def test_what_would_be_in_the_batch_is_examined_before_what_is_newer(
    line: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Newer are four of which nothing can be learned."""
    liked = [replace(said(f"keyless{at}", KEYLESS), scalar=Scalar(1.0, 1, NOW)) for at in range(4)]
    tie = Pair("x", "y", True, NOW, "u1")
    newer = [said(f"tie{at}", GOOD, scalar=None, pairs=(tie,), effective_at=later(5)) for at in range(4)]
    line.write(lambda tx: keep(tx, *liked, *newer))
    monkeypatch.setattr("daemon.failures.AT_ONCE", 4)
    batches = Batches(line, lambda: later(10))
    batches.consider(ON, ["erd"], "erd@v0", None)
    decision = batches.last("erd")
    assert decision is not None
    assert (decision.ripe, decision.have) == (False, 0)
    assert "4 failed check" in decision.reason


def test_a_liked_answer_that_fails_a_check_is_not_imitated_though_the_batch_was_drawn_before(line: Store) -> None:
    liked = [said(f"good{at}", GOOD) for at in range(3)] + [said("keyless", KEYLESS)]
    line.write(lambda tx: keep(tx, *(replace(one, scalar=Scalar(1.0, 1, NOW)) for one in liked)))
    Batches(line, lambda: later(10)).consider(task(hard_negatives=False), ["erd"], "erd@v0", None)
    (update,) = line.read(lambda tx: updates.list_updates(tx, "erd"))
    Failures(line, lambda: NOW).look(ON, liked, "erd@v0")
    found = line.read(lambda tx: gather(tx, update, ON, NOW))
    assert sorted(row.origin.interaction_id for row in found.batch) == ["good0", "good1", "good2"]
    assert found.sorted.no_method == {"failed check": 1}


def test_nothing_is_examined_where_the_learner_is_off(line: Store) -> None:
    line.write(lambda tx: keep(tx, corrected("a")))
    Failures(line, lambda: NOW).look(task(curriculum=True), [corrected("a")], "erd@v0")
    assert states(line) == {}


def test_an_answer_is_held_against_the_adapter_that_gave_it_if_there_is_such(line: Store) -> None:
    crown(line, 1)
    given = {"a": "erd@v0", "b": "gpt-9", "c": None}
    examples = [replace(corrected(name), adapter=adapter) for name, adapter in given.items()]
    line.write(lambda tx: keep(tx, *examples))
    Failures(line, lambda: NOW).look(ON, examples, "erd@v1")
    tallies = line.read(lambda tx: failures.tallies(tx, "erd"))["check:keys"]
    assert {name: tally.judged for name, tally in tallies.items()} == {"erd@v0": 1, "erd@v1": 2}


def test_what_people_were_asked_about_is_of_its_kinds_and_changes_no_tally_and_no_state(line: Store) -> None:
    """Of the doubtful answers every one failed: that says nothing of how often the champion does."""
    watch, many = Failures(line, lambda: later(9)), [corrected(str(at)) for at in range(40)]
    line.write(lambda tx: keep(tx, *many))
    watch.look(ON, many, "erd@v0")
    crown(line, 1)
    judge(watch, candidate=("erd@v1", 0), champion=("erd@v0", 50))
    before = line.read(lambda tx: failures.tallies(tx, "erd"))
    doubtful = [corrected(f"asked {at}") for at in range(6)]
    line.write(lambda tx: keep(tx, *doubtful))
    line.write(lambda tx: asked.mark_asked(tx, "erd", [one.interaction_id for one in doubtful], NOW))
    watch.look(ON, [*doubtful, *many], "erd@v1")
    assert line.read(lambda tx: failures.tallies(tx, "erd")) == before
    assert states(line)["check:keys"] == ("fixed", 46)
    found = line.read(lambda tx: failures.kinds_of(tx, "erd", {"asked 0"}))
    assert "feedback:correction" in found["asked 0"], "so it may fill the quota"


def test_a_promotion_that_fixes_a_kind_and_one_that_brings_it_back_are_decisions(line: Store) -> None:
    watch, many = Failures(line, lambda: later(9)), [corrected(str(at)) for at in range(40)]
    line.write(lambda tx: keep(tx, *many))
    watch.look(ON, many, "erd@v0")
    crown(line, 1)
    judge(watch, candidate=("erd@v1", 0), champion=("erd@v0", 50))
    assert states(line)["check:keys"][0] == "fixed"
    assert states(line)["feedback:correction"][0] == "open"  # of that the gate knows nothing
    crown(line, 2)
    judge(watch, candidate=("erd@v2", 30), champion=("erd@v1", 0))
    assert states(line)["check:keys"][0] == "back again"
    found = line.read(lambda tx: decisions.list_decisions(tx, "erd", kind="failure"))
    assert [one.reason for _, one in found] == [
        "check:keys is fixed, 40 examples in all",
        "check:keys is back again, 40 examples in all",
    ]


def test_a_candidate_that_is_not_promoted_changes_no_state(line: Store) -> None:
    watch, many = Failures(line, lambda: later(9)), [corrected(str(at)) for at in range(40)]
    line.write(lambda tx: keep(tx, *many))
    watch.look(ON, many, "erd@v0")
    judge(watch, candidate=("erd@v1", 0), champion=("erd@v0", 50))
    assert states(line)["check:keys"][0] == "open"
    assert line.read(lambda tx: failures.tallies(tx, "erd"))["check:keys"].keys() == {"erd@v0"}


def test_the_worker_is_told_what_each_example_fails_in_but_not_of_what_is_fixed(line: Store) -> None:
    line.write(lambda tx: keep(tx, *(corrected(str(at)) for at in range(4))))
    Batches(line, lambda: NOW).consider(ON, ["erd"], "erd@v0", None)
    (update,) = line.read(lambda tx: updates.list_updates(tx, "erd"))
    pool = line.read(lambda tx: gather(tx, update, ON, NOW)).pool
    assert {one.failures for one in pool} == {("check:keys", "feedback:correction", "prompts:1")}
    fixed = line.read(lambda tx: failures.list_failures(tx, "erd"))[0]
    line.write(lambda tx: failures.save_failures(tx, [replace(fixed, state="fixed")]))
    pool = line.read(lambda tx: gather(tx, update, ON, NOW)).pool
    assert {one.failures for one in pool} == {("feedback:correction", "prompts:1")}


def test_the_worker_may_make_nothing_that_the_gate_asks(line: Store) -> None:
    gate = said("g", GOOD, "Sketch these entities: Shop.")
    line.write(lambda tx: keep(tx, *(corrected(str(at)) for at in range(4))))
    line.write(lambda tx: keep(tx, gate, fold="gate"))
    augmented = task(augmentation=True)
    Batches(line, lambda: NOW).consider(augmented, ["erd"], "erd@v0", None)
    (update,) = line.read(lambda tx: updates.list_updates(tx, "erd"))
    keys = line.read(lambda tx: gather(tx, update, augmented, NOW)).gate_keys
    assert set(keys) >= {prompt_key(gate.messages), answer_key(gate.messages, GOOD)}
    assert line.read(lambda tx: gather(tx, update, task(active=True), NOW)).gate_keys == ()


def by_service(url: str, **settings: Any) -> TaskConfig:
    service = {"name": "http", "settings": {"url": url, "attempts": 1, "timeout": "20s", **settings}}
    validator = Config.model_validate({"tasks": {"erd": {"validator": service}}}).tasks["erd"].validator
    return ON.model_copy(update={"validator": validator})


def look_until(true: Callable[[], object], watch: Failures, by: TaskConfig, examples: list[Example]) -> None:
    began = time.monotonic()
    while not true():
        assert time.monotonic() - began < 30
        time.sleep(0.01)
        watch.look(by, examples, "erd@v0")


def test_what_a_service_says_is_examined_at_a_later_look(line: Store) -> None:
    watch, said_so = Failures(line, lambda: later(9)), [said(name, KEYLESS) for name in "ab"]
    line.write(lambda tx: keep(tx, *said_so))
    with ScoreService() as service:
        watch.look(by_service(service.url), said_so, "erd@v0")
        assert states(line) == {}
        look_until(lambda: states(line), watch, by_service(service.url), said_so)
        watch.stop()
        assert len(service.asked) == 2
    assert states(line)["check:says_fine"] == ("open", 2)


def test_a_service_that_hangs_holds_up_no_batch(line: Store) -> None:
    line.write(lambda tx: keep(tx, corrected("a")))
    batches, began = Batches(line, lambda: later(10)), time.monotonic()
    with slow_service("silent") as url:
        for _ in range(3):
            batches.consider(by_service(url, timeout="60s"), ["erd"], "erd@v0", None)
        decision = batches.last("erd")
        assert decision is not None
        assert decision.have == 1
        assert time.monotonic() - began < 15  # the service hangs up after 20 s
        batches.stop()
    assert states(line) == {}


def test_a_service_that_is_away_is_asked_again_after_a_while(line: Store) -> None:
    clock, one = [later(9)], [corrected("a")]
    watch = Failures(line, lambda: clock[0])
    line.write(lambda tx: keep(tx, *one))
    with ScoreService([404]) as service:
        by = by_service(service.url)
        with capture_logs() as logged:
            look_until(lambda: logged, watch, by, one)
        assert logged[0]["event"] == "failures wait for the validator"
        for _ in range(5):
            watch.look(by, one, "erd@v0")
        assert len(service.asked) == 1
        clock[0] = later(90)
        look_until(lambda: states(line), watch, by, one)
        watch.stop()
        assert len(service.asked) == 2
    assert "feedback:correction" in states(line)


class Stumbling(ScoreService):
    """Gives no score for one answer, whenever it is asked."""

    def reply(self, body: dict[str, Any]) -> tuple[int, bytes]:
        answered = super().reply(body)
        return (404, b"no") if body["answer"] == "odd" else answered


def test_an_answer_that_a_service_stumbles_over_does_not_keep_it_from_the_others(line: Store) -> None:
    clock, examples = [later(9)], [said("odd", "odd"), said("a", KEYLESS), said("b", KEYLESS)]
    watch = Failures(line, lambda: clock[0])
    line.write(lambda tx: keep(tx, *examples))
    with Stumbling() as service, capture_logs() as logged:
        by = by_service(service.url)
        look_until(lambda: logged, watch, by, examples)
        clock[0] = later(90)
        look_until(lambda: states(line), watch, by, examples)
        watch.stop()
        assert [body["answer"] for body in service.asked][:3] == ["odd", KEYLESS, KEYLESS]
    assert states(line)["check:says_fine"] == ("open", 2)
