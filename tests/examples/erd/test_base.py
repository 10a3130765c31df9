from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from examples.erd import base
from examples.erd.base import BaseNotTrained, default_cache_dir, ensure_base, recipe_hash
from examples.erd.recipe import Recipe

TINY = Recipe(steps=5, batch_size=4, width=32, layers=1, heads=2, inner_width=48, warm_up_steps=2)


def test_the_recipe_passes_through_its_own_json() -> None:
    assert Recipe.from_json(TINY.to_json()) == TINY


def test_another_recipe_has_another_folder() -> None:
    assert recipe_hash(TINY) == recipe_hash(Recipe.from_json(TINY.to_json()))
    assert recipe_hash(TINY) != recipe_hash(Recipe())


def test_the_cache_is_where_the_user_keeps_caches(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_cache_dir() == tmp_path / "adaptd"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert default_cache_dir() == Path.home() / ".cache" / "adaptd"


def test_a_trained_base_is_not_trained_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    trained: list[Path] = []

    def train(target: Path, recipe: Recipe, progress: bool) -> None:
        trained.append(target)
        target.mkdir()

    monkeypatch.setattr(base, "_train_into", train)
    assert ensure_base(tmp_path, recipe=TINY) == ensure_base(tmp_path, recipe=TINY)
    assert len(trained) == 1


def test_of_two_callers_at_once_one_trains_and_the_other_waits(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    inside, proceed, trained = threading.Event(), threading.Event(), []

    def train(target: Path, recipe: Recipe, progress: bool) -> None:
        trained.append(target)
        inside.set()
        assert proceed.wait(20)
        target.mkdir()

    monkeypatch.setattr(base, "_train_into", train)
    callers = [threading.Thread(target=ensure_base, args=(tmp_path, False, TINY)) for _ in range(2)]
    for caller in callers:
        caller.start()
    assert inside.wait(20)
    proceed.set()
    for caller in callers:
        caller.join(20)
    assert len(trained) == 1


def test_a_failed_training_leaves_no_base_and_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(BaseNotTrained, match=r"adaptd\[train\]"):
        ensure_base(tmp_path, progress=False, recipe=TINY)
    assert not [path for path in tmp_path.iterdir() if path.is_dir()]


def test_the_command_refuses_a_directory_that_exists(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        base.main(["--out", str(tmp_path)])
    assert ended.value.code == 2
    assert "exists already" in capsys.readouterr().err


def test_asking_for_the_base_does_not_load_torch_into_the_caller() -> None:
    code = "import sys, examples.erd.base, examples.erd.correct; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, cwd=Path(base.__file__).parents[2]).returncode == 0
