"""Pictures: they hold what the history says, in both kinds of file, and say what is missing instead of failing."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

pytest.importorskip("matplotlib", reason="drawing needs adaptd[plot]")

from daemon.actions.history import task_history, update_history
from daemon.errors import UsageError
from daemon.plots import PlotsNotInstalled, check_plots, draw_task, draw_update
from daemon.plots.task import draw
from storage import updates
from storage.store import Store
from tests.daemon.past import TASK, change_validator, context_of, live_through
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
    assert "on +20.0 (3), off +7.5 (2)" in words, "the mean gain with and without the curriculum"


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
