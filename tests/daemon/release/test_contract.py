"""What every release target must do, whichever it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from daemon.release import targets
from daemon.release.contract import Site, Target
from storage.records.settings import Settings
from tests.daemon.release.wanted import wanted

NAMES = sorted(targets())


def opened(name: str, root: Path) -> Target:
    module = targets()[name]
    target: Target = module.open_target(module.Settings(), Site(root=root))
    return target


def test_targets_are_found_by_their_files_names() -> None:
    assert {"directory", "engine"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_target_says_its_own_name_and_has_settings_with_words(name: str) -> None:
    module = targets()[name]
    assert name == module.NAME
    assert issubclass(module.Settings, Settings)
    assert all(field.description for field in module.Settings.model_fields.values())


@pytest.mark.parametrize("name", NAMES)
def test_there_is_one_outcome_a_champion_and_it_changes_once(name: str, tmp_path: Path) -> None:
    target = opened(name, tmp_path / "out")
    both = [
        wanted(tmp_path, 2),
        wanted(tmp_path, 1, role="pinned"),
        wanted(tmp_path, 1, task="support/reply"),
        wanted(tmp_path, 3, role="judged"),
    ]
    first, second = target.reconcile(both), target.reconcile(both)
    assert [(o.target, o.task, o.adapter) for o in first] == [
        (name, "erd", "erd@v2"),
        (name, "support/reply", "support/reply@v1"),
    ]
    assert all(o.changed for o in first)
    assert not any(o.changed for o in second)
    target.close()


@pytest.mark.parametrize("name", NAMES)
def test_nothing_wanted_is_no_error(name: str, tmp_path: Path) -> None:
    assert opened(name, tmp_path).reconcile([]) == ()
