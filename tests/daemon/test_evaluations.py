"""What an evaluate job is told, and what is kept of its answers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from consumers.cleaning import prompt_key
from daemon.config import Config, TaskConfig, load
from daemon.doctor.gate import check_gate
from daemon.evaluations import contender, evaluate_job, kl_of, likelihoods_of, scores_of, yardstick_of_primary
from daemon.evidence import set_prompts
from daemon.leaks import every_key, gate_keys
from daemon.power import power_now
from learners.gate import Answer, GateRow, Judgement
from learners.job import EvaluateJob
from learners.router import answer_key
from learners.yardsticks import likelihood_yardstick, validator_yardstick
from storage import updates
from storage.artifacts import Artifacts
from storage.records import Adapter, Look, Update
from storage.store import Store
from tests.storage.makers import NOW

UPDATE = Update(7, "erd", "trained", 1, 0, 1, 1, "erd@v0", "erd@v1", "", NOW, NOW, {})
ADAPTER = Adapter("erd@v1", "erd", 1, "base", "erd@v0", 7, NOW, "candidate", "erd/v1-ab", {"a.safetensors": "1"}, {})


def config(**gate: object) -> tuple[Config, TaskConfig]:
    whole = Config.model_validate({"gate": gate, "tasks": {"erd": {}}})
    task = whole.task("erd")
    assert task is not None
    return whole, task


def test_a_first_look_has_a_screen_and_later_ones_have_none(tmp_path: Path) -> None:
    whole, task = config()
    one = contender(ADAPTER, Artifacts(tmp_path), {})
    job = evaluate_job(UPDATE, 1, whole, task, (one, one), (), "http://x", tmp_path)
    assert job.screen is not None
    assert job.screen.prompts == 30
    assert job.screen.level == pytest.approx(0.005)
    assert job.kept_answers == str(tmp_path / "answers")
    held = Look(7, 1, 60, "hold", "", NOW)
    assert evaluate_job(UPDATE, 1, whole, task, (one, one), (held,), "http://x", tmp_path).screen is None
    whole, task = config(screen=0)
    assert evaluate_job(UPDATE, 1, whole, task, (one, one), (), "http://x", tmp_path).screen is None


def test_where_a_judge_or_the_head_decides_there_is_no_screen(tmp_path: Path) -> None:
    one = contender(ADAPTER, Artifacts(tmp_path), {})
    for gate in ({"judge": {"url": "http://judge/v1", "model": "wise"}}, {"primary": "win_rate"}):
        whole = Config.model_validate({"tasks": {"erd": {"gate": gate}}})
        task = whole.task("erd")
        assert task is not None
        job = evaluate_job(UPDATE, 1, whole, task, (one, one), (), "http://x", tmp_path)
        assert job.screen is None
        assert (job.judge is not None) == ("judge" in gate)


def test_an_adapter_s_identity_is_its_base_and_its_files(tmp_path: Path) -> None:
    def identity(adapter: Adapter) -> str | None:
        return contender(adapter, Artifacts(tmp_path), {}).identity

    assert identity(ADAPTER) == identity(replace(ADAPTER, name="erd@v9", directory="elsewhere"))
    assert identity(ADAPTER) != identity(replace(ADAPTER, base_hash="other"))
    assert identity(ADAPTER) != identity(replace(ADAPTER, files={"a.safetensors": "2"}))


def test_the_farthest_phase_is_how_far_training_moved_a_candidate() -> None:
    training = {"kl": 0.5, "phases": [{"kl": None}, {"kl": 2.5}]}
    assert kl_of(replace(UPDATE, report={"training": training})) == 2.5
    assert kl_of(UPDATE) is None


def row(part: str, target: str | None = None, **known: object) -> GateRow:
    sides = (Answer("", **known), Answer("", **known))  # type: ignore[arg-type]
    return GateRow(part, 1.0, *sides, part=part, target=target)  # type: ignore[arg-type]


def judged_by(folder: Path, validator: str | None = None, **more: object) -> EvaluateJob:
    whole = Config.model_validate({**more, "tasks": {"erd": {"validator": validator and {"name": validator}}}})
    task = whole.task("erd")
    assert task is not None
    both = [contender(one, Artifacts(folder), {}) for one in (ADAPTER, replace(ADAPTER, name="erd@v0"))]
    return evaluate_job(UPDATE, 1, whole, task, (both[0], both[1]), (), "http://x", folder)


def test_scores_of_the_gate_and_of_what_must_be_kept_are_apart(tmp_path: Path) -> None:
    rows = [
        row("gate", score=0.4, measures={"similarity": 1.0}),
        row("golden", score=1.0, measures={"similarity": 0.7}),
        row("retention", nll_per_token=0.0),
    ]
    found = {(one.adapter, one.metric): one.value for one in scores_of(judged_by(tmp_path), rows, NOW)}
    assert found == {
        (name, metric): value
        for name in ("erd@v1", "erd@v0")
        for metric, value in (("validator", 0.4), ("golden", 0.7), ("retention", 1.0))
    }


def test_a_score_says_by_which_yardstick_it_was_measured(tmp_path: Path) -> None:
    def yardsticks(job: EvaluateJob, *more: GateRow) -> dict[str, str | None]:
        rows = [row("gate", score=0.4), row("golden", "x", measures={"similarity": 0.7}), *more]
        rows.append(row("retention", "y", nll_per_token=0.0))
        return {one.metric: one.yardstick for one in scores_of(job, rows, NOW)}

    job = judged_by(tmp_path, "mermaid_erd")
    found = yardsticks(job)
    assert found["validator"] == job.yardstick == validator_yardstick("mermaid_erd", {})
    assert yardsticks(judged_by(tmp_path)) == found | {"validator": None}, "no validator is configured"
    other = yardsticks(job, row("golden", "a new line", measures={"similarity": 0.7}), row("gate", score=0.9))
    assert {name for name in found if other[name] != found[name]} == {"golden"}
    other = yardsticks(judged_by(tmp_path, "mermaid_erd", similarity={"bleu": 0}))
    assert {name for name in found if other[name] != found[name]} == {"golden"}


def test_golden_paths_start_at_the_folder_of_the_file(tmp_path: Path) -> None:
    text = "gate: {golden: a.jsonl}\ntasks: {erd: {gate: {retention: b.jsonl}}, sql: {gate: {retention: off}}}\n"
    found = load(tmp_path / "adaptd.yaml", text=text, environ={})
    erd, sql = found.task("erd"), found.task("sql")
    assert erd is not None
    assert sql is not None
    assert (erd.gate.golden, erd.gate.retention) == (tmp_path / "a.jsonl", tmp_path / "b.jsonl")
    assert sql.gate.retention == "off"


def test_doctor_names_the_line_of_a_set_that_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"prompt": "secret"}\n')
    text = "storage: {url: 'sqlite:///none.db'}\ngate: {golden: a.jsonl}\ntasks: {erd: {}, sql: {}}\n"
    (check,) = check_gate(load(tmp_path / "adaptd.yaml", text=text, environ={}))
    assert check.state == "fail"
    assert "line 1 has no text `target`" in check.words
    assert "secret" not in check.words


def test_golden_prompts_are_known_to_the_gate_and_so_not_trained_on(tmp_path: Path, store: Store) -> None:
    lines = [f'{{"prompt": "draw {at}", "target": "x"}}' for at in range(10)]
    (tmp_path / "a.jsonl").write_text("\n".join(lines))
    for by in ("prompt", "user"):
        text = f"gate: {{golden: a.jsonl}}\nholdout: {{by: {by}}}\ntasks: {{erd: {{}}}}\n"
        task = load(tmp_path / "adaptd.yaml", text=text, environ={}).task("erd")
        assert task is not None
        assert len(store.read(lambda tx, task=task: gate_keys(tx, task))) == 10  # type: ignore[misc]
        made = store.read(lambda tx, task=task: every_key(tx, task))  # type: ignore[misc]
        golden, *_, general = set_prompts(task)
        for asked in (golden, general):  # nor may a learner make rows of them, whichever way folds go
            assert {prompt_key(asked.messages), answer_key(asked.messages, asked.target or "")} <= set(made)


def test_the_power_of_a_task_reads_the_spread_of_its_own_looks(store: Store) -> None:
    _, task = config()
    assert not store.read(lambda tx: power_now(tx, task)).measured
    made = store.write(lambda tx: updates.create_update(tx, "erd", "erd@v0", "ripe", NOW))
    report = {"standard_error": 0.01, "effective_prompts": 100.0, "prompts": 100}
    store.write(lambda tx: updates.save_look(tx, Look(made.update_id, 1, 100, "hold", "", NOW, report)))
    power = store.read(lambda tx: power_now(tx, task))
    assert (power.measured, power.prompts) == (True, 0)
    assert power.spread == pytest.approx(0.1)


def test_likelihoods_are_scores_by_their_base_and_what_compares_two_adapters_is_none(tmp_path: Path) -> None:
    job = judged_by(tmp_path)
    read = {"champion_score": 0.4, "candidate_score": 0.6}

    def scores(primary: str, **changes: float | None) -> dict[str, float]:
        found = Judgement("hold", "", primary, 60, 60, True, **{**read, **changes})  # type: ignore[arg-type]
        kept = likelihoods_of(found, job, "a" * 64, NOW)
        assert {(one.metric, one.count, one.yardstick) for one in kept} <= {
            (primary, 60, likelihood_yardstick("a" * 64))
        }
        return {one.adapter: one.value for one in kept}

    assert scores("nll") == scores("nll_chosen") == {"erd@v1": 0.6, "erd@v0": 0.4}
    assert scores("nll", champion_score=None, candidate_score=None) == {}, "too little was read"
    assert scores("judge") == scores("win_rate") == {}
    assert scores("validator") == {}, "those are the mean of all its answers"
    assert yardstick_of_primary("judge", job, "a" * 64) is None
