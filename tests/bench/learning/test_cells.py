"""The cells that are planned: no two alike, the report's seeds untouched by choosing, and none run twice."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import psutil
import pytest

from bench.learning import run
from bench.learning.bases import recorded
from bench.learning.cells import (
    BY_ROWS,
    CENTRE,
    ERD,
    FEW,
    KTO_TRIED,
    PICKS,
    PREFERENCE,
    RATES,
    SHARES,
    THUMBS,
    TUNED,
    Cell,
    all_cells,
    not_in_this_version,
    read_cells,
    write_cell,
)
from bench.learning.seeds import DEV, REPORT
from bench.learning.settings import LEARNERS, TRIED_KTO, TRIED_SHARES, find_setting, in_force, settings
from bench.learning.tasks import find_task
from learners.hooks.active import ActiveSettings

CELL = Cell("update", "erd", "weak", "sft", 1, CENTRE)


def test_no_cell_is_planned_twice() -> None:
    counts = Counter(cell.path for cell in all_cells())
    assert max(counts.values()) == 1


def test_settings_are_chosen_on_seeds_that_do_not_report() -> None:
    assert not set(DEV) & set(REPORT)
    for cell in all_cells():
        assert cell.seed in (DEV if cell.point in (*RATES, KTO_TRIED, *PICKS, SHARES) else REPORT)


def test_the_tuner_is_measured_at_the_centre_alone_for_it_is_dear() -> None:
    found = [cell for cell in all_cells() if cell.setting == TUNED]
    assert {(cell.kind, cell.point, cell.seed) for cell in found} == {("update", CENTRE, seed) for seed in FEW}
    assert len(found) == len(FEW) * len(ERD)


def test_preference_is_measured_where_feedback_makes_a_preference_phase() -> None:
    found = [cell for cell in all_cells() if cell.setting in PREFERENCE]
    assert {cell.point.feedback for cell in found} == {"thumbs"}
    reported = [cell for cell in found if cell.seed in REPORT]
    assert len(reported) == len(PREFERENCE) * len(FEW) * len(ERD)
    assert {cell.point for cell in reported} == {THUMBS}


def test_asking_is_measured_against_lots_for_every_number_of_labels() -> None:
    found = {(cell.setting, cell.point.rows) for cell in all_cells() if cell.kind == "ask"}
    assert found == {(name, rows) for name in ("ask", "ask-random") for rows in (6, 12, 24, 36, 48, 60)}
    assert [point.rows for point in BY_ROWS] == [6, 12, 24, 36, 48, 60]


def test_every_learner_is_measured_alone_and_left_out() -> None:
    names = {setting.name for setting in settings()}
    for learner in LEARNERS:
        assert f"only-{learner}" in names
    assert names >= {"arrival", "sft", "everything", "full", "without-curriculum"}


def test_every_setting_of_this_version_is_configuration_that_the_product_takes() -> None:
    task = find_task("erd")
    for setting in settings():
        if not setting.missing:
            found = in_force(task, setting, rows=12, steps=10).task("erd")
            assert found is not None
            assert (found.batching.min, found.sft.steps) == (12, 10)
            for learner in setting.learners:
                assert found.learners.model_dump()[learner] not in (False, "off")


def test_shares_that_are_tried_are_configuration_that_the_product_takes() -> None:
    for tried in TRIED_SHARES:
        found = in_force(find_task("erd"), find_setting(tried.name), rows=24, steps=25).task("erd")
        assert found is not None
        active = found.hooks["active"]
        assert isinstance(active, ActiveSettings)
        wanted = {name: share for name, share in tried.updates["active"].items() if share}
        assert {name: share for name, share in active.shares.items() if share} == pytest.approx(wanted)


def test_the_shares_of_the_product_are_among_those_that_were_tried() -> None:
    assert [ActiveSettings(**tried.updates["active"]) for tried in TRIED_SHARES].count(ActiveSettings()) == 1


def test_the_caps_can_be_taken_away() -> None:
    found = in_force(find_task("erd"), settings()[1], rows=24, steps=25, guarded=False)
    assert (found.batching.max_share_per_user, found.batching.min_users) == (1.0, 1)


def test_what_is_done_is_not_done_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[Cell] = []

    def run_cell(cell: Cell, folder: Path, stamp: dict[str, str]) -> Path:
        ran.append(cell)
        write_cell(folder, cell, {"metrics": {}, **stamp})
        return cell.path

    monkeypatch.setattr(run, "run_cell", run_cell)
    cells = [CELL, Cell("update", "erd", "weak", "sft", 2, CENTRE)]
    assert run.run_cells(cells[:1], tmp_path) == 1
    assert run.run_cells(cells, tmp_path) == 1
    assert ran == cells
    assert [one["seed"] for one in read_cells(tmp_path)] == [1, 2]


def test_a_deadline_takes_on_no_new_cell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "run_cell", lambda *_: pytest.fail("there was no time for it"))
    assert run.run_cells([CELL], tmp_path, deadline_s=-1.0) == 0


def test_a_setting_whose_learner_is_not_there_waits(tmp_path: Path) -> None:
    waiting = [cell for cell in all_cells() if not_in_this_version(cell)]
    assert run.run_cells(waiting, tmp_path) == 0


def test_nothing_is_run_from_a_base_that_is_not_frozen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    records = {name: record.model_copy(update={"frozen": None}) for name, record in recorded().items()}
    monkeypatch.setattr(run, "recorded", lambda: records)
    assert run.run_cells([CELL], tmp_path) == 0


def test_a_cells_file_says_what_it_was(tmp_path: Path) -> None:
    write_cell(tmp_path, CELL, {"cpu_s": 1.5})
    found = json.loads((tmp_path / CELL.path).read_text())
    assert (found["setting"], found["seed"], found["point"]["rows"], found["cpu_s"]) == ("sft", 1, 24, 1.5)


def test_a_worker_ends_when_whoever_runs_the_cells_is_killed() -> None:
    code = (
        "import multiprocessing, sys, time\n"
        "from bench.learning.run import end_with_parent\n"
        "def work(pids):\n"
        "    end_with_parent()\n"
        "    pids.put(multiprocessing.current_process().pid)\n"
        "    time.sleep(300)\n"
        "context = multiprocessing.get_context('fork')\n"
        "pids = context.Queue()\n"
        "context.Process(target=work, args=(pids,)).start()\n"
        "print(pids.get(), flush=True)\n"
        "time.sleep(300)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        worker = int(parent.stdout.readline())
        parent.kill()
        until = time.monotonic() + 60
        while psutil.pid_exists(worker) and psutil.Process(worker).status() != psutil.STATUS_ZOMBIE:
            assert time.monotonic() < until, "the worker outlived its parent"
            time.sleep(0.05)


def test_what_kto_is_set_to_is_among_what_was_tried() -> None:
    found = in_force(find_task("erd"), find_setting("only-preference"), rows=24, steps=25).task("erd")
    assert found is not None
    tried = [in_force(find_task("erd"), one, rows=24, steps=25).task("erd") for one in TRIED_KTO]
    assert [one.kto for one in tried if one].count(found.kto) == 1
