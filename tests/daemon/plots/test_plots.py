"""Pictures: they hold what the history says, in both kinds of file, and say what is missing instead of failing."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

pytest.importorskip("matplotlib", reason="drawing needs adaptd[plot]")

from daemon.actions.history import RewardBand, UpdateHistory, task_history, update_history
from daemon.errors import UsageError
from daemon.plots import PlotsNotInstalled, check_plots, draw_task, draw_update
from daemon.plots.gains import PARTS
from daemon.plots.style import METRICS, mark_size
from daemon.plots.task import draw
from daemon.plots.update import draw as draw_one
from storage import updates
from storage.store import Store
from tests.daemon.past import TASK, change_validator, context_of, judge_by, live_through, rebase, use_likelihood
from tests.storage.makers import NOW


def words_of(svg: Path) -> str:
    return " ".join(text for text in ElementTree.parse(svg).getroot().itertext() if text.strip())


def test_a_tasks_picture_names_its_panels_units_fates_and_learners(store: Store, tmp_path: Path) -> None:
    live_through(store)
    draw_task(task_history(context_of(store, tmp_path), TASK), tmp_path / "task.svg")
    words = words_of(tmp_path / "task.svg")
    for said in ("Task erd", "points of 100", "95 % intervals", "reward, -1 to 1", "rewards rising"):
        assert said in words
    for said in ("promoted", "rejected", "held", "in service", "curriculum", "batch: trained on", "easy", "hard"):
        assert said in words
    assert "with +20.0 (3), without +7.5 (2)" in words, "the mean gain with and without the curriculum"


def test_an_updates_picture_names_losses_best_step_rewards_and_verdict(store: Store, tmp_path: Path) -> None:
    live_through(store)
    draw_update(update_history(context_of(store, tmp_path), 2), tmp_path / "update.svg")
    words = words_of(tmp_path / "update.svg")
    for said in ("Update 2 of task erd: promoted", "nats a token", "dev fold", "best step, 4: kept", "easy", "60.0"):
        assert said in words


def test_png_and_svg_are_by_the_ending_and_the_same_history_gives_the_same_bytes(store: Store, tmp_path: Path) -> None:
    live_through(store)
    history = update_history(context_of(store, tmp_path), 1)
    for name in ("a.png", "a.svg", "b.svg"):
        draw_update(history, tmp_path / name)
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


def test_a_task_without_a_past_and_an_update_that_waits_are_drawn_with_the_reason(store: Store, tmp_path: Path) -> None:
    context = context_of(store, tmp_path)
    draw_task(task_history(context, TASK), tmp_path / "task.svg")
    assert "no adapter has been judged yet" in words_of(tmp_path / "task.svg")
    update = store.write(lambda tx: updates.create_update(tx, TASK, "erd@v0", "ripe", NOW))
    draw_update(update_history(context, update.update_id), tmp_path / "update.svg")
    assert "not judged yet" in words_of(tmp_path / "update.svg")


def test_another_ending_or_a_missing_folder_is_refused_before_anything_is_asked(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"ends in \.png or \.svg"):
        check_plots(tmp_path / "x.pdf")
    with pytest.raises(UsageError, match="no folder"):
        check_plots(tmp_path / "gone" / "x.png")


def test_without_matplotlib_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    absent: Any = lambda name, *more: None if name == "matplotlib" else find(name, *more)  # noqa: E731
    monkeypatch.setattr(importlib.util, "find_spec", absent)
    with pytest.raises(PlotsNotInstalled, match=r"pip install 'adaptd\[plot\]'"):
        check_plots(tmp_path / "x.png")


def test_scores_of_two_validators_are_not_joined_and_the_change_is_said(store: Store, tmp_path: Path) -> None:
    live_through(store)
    context = context_of(store, tmp_path)

    def drawn() -> tuple[list[list[float]], str]:
        axis = draw(task_history(context, TASK)).axes[0]
        said = " ".join([axis.get_xlabel(), *axis.get_legend_handles_labels()[1]])
        return [list(line.get_xdata()) for line in axis.lines if line.get_linewidth() == 1.6], said

    lines, words = drawn()
    assert lines == [[0, 1, 2, 4]]
    assert "validator changed" not in words
    change_validator(store)
    lines, words = drawn()
    assert lines == [[0, 1, 2], [4]]
    assert "validator changed" in words
    assert "pale: by another validator, not to be compared" in words


def test_where_the_gate_reads_by_another_validator_the_gains_are_told_apart(store: Store, tmp_path: Path) -> None:
    live_through(store)
    found = task_history(context_of(store, tmp_path), TASK)
    by = (None, "old", None, "old", "new", None)  # None: judged before it was kept, or by something else
    told = [one.model_copy(update={"yardstick": name}) for one, name in zip(found.updates, by, strict=True)]
    figure = draw(found.model_copy(update={"updates": told}))
    marks = [line.get_xdata()[0] for line in figure.axes[1].lines if line.get_label() == "validator changed"]
    assert marks == [4.5]


def axis_of(figure: Any, title: str) -> Any:
    return next(axis for axis in figure.axes if axis.get_title(loc="left").startswith(title))


def shown(axis: Any) -> str:
    return " ".join(
        [axis.get_xlabel(), *(text.get_text() for text in axis.texts), *axis.get_legend_handles_labels()[1]]
    )


def drawn(store: Store, folder: Path, **changes: Any) -> Any:
    return draw(task_history(context_of(store, folder), TASK).model_copy(update=changes))


def test_each_measure_has_a_panel_of_its_own(store: Store, tmp_path: Path) -> None:
    live_through(store)
    use_likelihood(store)
    axes = drawn(store, tmp_path).axes[:2]
    titles = [axis.get_title(loc="left") for axis in axes]
    assert titles == ["Score over versions: validator's score", "Score over versions: likelihood of human texts"]
    lines = [[list(line.get_xdata()) for line in axis.lines if line.get_linewidth() == 1.6] for axis in axes]
    assert lines == [[[0, 1, 2, 4]], [[2, 4]]]
    assert "on the texts of its last judging" in shown(axes[1])
    assert axes[0].get_xlim() == axes[1].get_xlim()


def test_likelihoods_on_two_bases_are_not_joined_and_no_validator_is_blamed(store: Store, tmp_path: Path) -> None:
    live_through(store)
    rebase(store, served=True)
    found = task_history(context_of(store, tmp_path), TASK)
    newest = max(found.versions, key=lambda one: one.version).base
    told = [
        one.model_copy(update={"metric": "nll", "yardstick": one.base, "comparable": one.base == newest})
        for one in found.versions
    ]
    axis = draw(found.model_copy(update={"versions": told})).axes[0]
    assert [list(line.get_xdata()) for line in axis.lines if line.get_linewidth() == 1.6] == [[0, 1, 2, 4], [6, 7]]
    assert "pale: on another base" in shown(axis)
    assert "new base" in shown(axis)
    assert "validator" not in shown(axis)


def test_where_two_adapters_are_compared_it_says_that_there_are_gains_alone(store: Store, tmp_path: Path) -> None:
    live_through(store)
    judge_by(store, "win_rate")
    figure = drawn(store, tmp_path)
    assert "no adapter has a score of its own: the gate went by the win rate of the head" in shown(figure.axes[0])
    assert "win rate of the head" in shown(axis_of(figure, "What each update gained"))
    assert all("_" not in words for words in METRICS.values())


def test_a_learner_is_drawn_as_what_it_did_and_gains_by_another_measure_are_in_no_mean(
    store: Store, tmp_path: Path
) -> None:
    live_through(store)
    axis = axis_of(drawn(store, tmp_path), "Which learners")
    marks = {line.get_label(): list(zip(line.get_xdata(), line.get_ydata(), strict=True)) for line in axis.lines}
    assert marks["took part"] == [(3, 0), (4, 0), (5, 0)]
    assert marks["on, nothing to do"] == [(at, 1) for at in range(1, 6)], "no preference phase ever ran"
    assert marks["not known"] == [(6, 0), (6, 1)], "it failed, and has no report"
    assert len({str(how) for how in PARTS.values()}) == 4
    found = task_history(context_of(store, tmp_path), TASK)
    mixed = [one.model_copy(update={"metric": "judge"}) if one.update_id > 3 else one for one in found.updates]
    figure = draw(found.model_copy(update={"updates": mixed}))
    assert "with +22.5 (2)" in shown(axis_of(figure, "Which learners"))
    assert "mean gain by win rate of the judge" in shown(axis_of(figure, "Which learners"))
    assert "another measure" in shown(axis_of(figure, "What each update gained"))


def test_marks_of_a_hundred_updates_do_not_touch() -> None:
    width_points = 6.5 * 72  # of an axis beside the longest legend
    for count in (1, 3, 10, 50, 100):
        assert 2 < mark_size(count, 9) <= min(9, 0.8 * width_points / count + 0.2)


def test_every_panel_over_updates_says_what_its_axis_is(store: Store, tmp_path: Path) -> None:
    live_through(store)
    later = RewardBand(update_id=None, count=1, mean=0.2)
    found = task_history(context_of(store, tmp_path), TASK)
    figure = draw(found.model_copy(update={"rewards": [*found.rewards, later]}))
    assert all("update" in axis.get_xlabel() for axis in figure.axes[1:])
    assert "7: since the last one" in axis_of(figure, "Rewards").get_xlabel()


@pytest.mark.parametrize("bands", [[], [RewardBand(update_id=None, count=1, mean=0.2)]])
def test_a_task_without_updates_says_what_is_missing_and_shows_a_single_reward(
    store: Store, tmp_path: Path, bands: list[RewardBand]
) -> None:
    figure = drawn(store, tmp_path, rewards=bands)
    for title, words in (("Score", "no adapter has been judged"), ("Batch", "the first begins when a batch is ripe")):
        assert words in shown(axis_of(figure, title))
    rewards = axis_of(figure, "Rewards")
    assert ("mean" in shown(rewards), "no feedback yet" in shown(rewards)) == (bool(bands), not bands)


def of_two_phases(history: UpdateHistory) -> UpdateHistory:
    (first,) = history.phases
    assert first.curve is not None
    moved = first.curve.model_copy(update={"steps": (5, 6, 7, 8), "dev_steps": (6, 8), "method": "dpo"})
    told = {"method": "dpo", "steps_before": 4, "best_step": 2, "early_stopping": "on: stopped early, best at step 2"}
    return history.model_copy(update={"phases": [first, first.model_copy(update={**told, "curve": moved})]})


def test_a_second_phase_counts_the_steps_of_the_update_and_stages_are_named_above_the_curves(
    store: Store, tmp_path: Path
) -> None:
    live_through(store)
    figure = draw_one(of_two_phases(update_history(context_of(store, tmp_path), 1)))
    axis = axis_of(figure, "Losses of dpo")
    assert "best step, 6: kept" in shown(axis)
    assert "stopped early, best at step 6" in axis.get_xlabel()
    names = {text.get_text(): text.get_position()[1] for text in axis.texts}
    assert names.keys() == {"easy", "hard"}
    assert min(names.values()) >= 1, "1 is the top of the axis"


def test_a_failed_update_says_why_and_a_long_reason_is_cut(store: Store, tmp_path: Path) -> None:
    live_through(store)
    failed = update_history(context_of(store, tmp_path), 6)
    draw_update(failed, tmp_path / "update.svg")
    words = words_of(tmp_path / "update.svg")
    assert "Failed: no change" in words
    assert "learners: not known" in words
    assert "it ended before a step was trained" in words
    figure = draw_one(failed.model_copy(update={"reason": "so it was " * 90}))
    (said,) = [text.get_text() for text in figure.texts if "so it was" in text.get_text()]
    assert said.endswith("...")
    assert said.count("\n") <= 3
