"""What is made from code is what the code says, and nothing in it is left without words. Mend with `make docs`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Literal

import pytest
import typer
from pydantic import BaseModel

from consumers.events import KINDS
from daemon.cli.exit_codes import EXIT_UNREACHABLE, MEANINGS, exit_code_of
from daemon.cli.main import app
from daemon.errors import AdaptdError, Unreachable
from docs.generate import DOCS, all_pages, write_all
from docs.generate import cli as cli_page
from docs.generate import errors as errors_page
from docs.generate import events as events_page
from docs.generate import settings as settings_page
from docs.generate.event_words import meaning_of
from docs.generate.setting_words import default_of, type_of, unit_of
from storage.records.settings import DurationS, Settings, SizeBytes, setting

MADE = all_pages()


@pytest.mark.parametrize("name", MADE)
def test_a_committed_page_is_what_the_code_says(name: str) -> None:
    path = DOCS / name
    assert path.is_file(), "run: make docs"
    assert path.read_text(encoding="utf-8") == MADE[name], "stale; run: make docs"


def test_nothing_lies_in_the_folders_of_generated_pages_that_nobody_makes() -> None:
    lying = {str(path.relative_to(DOCS)) for folder in ("reference", "schemas") for path in (DOCS / folder).iterdir()}
    assert lying - set(MADE) == set()


def test_writing_mends_a_stale_page_and_says_which(tmp_path: Path) -> None:
    assert set(write_all(tmp_path)) == set(MADE)
    (tmp_path / "reference" / "cli.md").write_text("old")
    assert write_all(tmp_path) == ["reference/cli.md"]
    assert write_all(tmp_path) == []


def test_making_the_pages_loads_no_training_library() -> None:
    code = "import sys; from docs.generate import all_pages; all_pages(); sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=DOCS.parent)


# Settings.


def test_every_setting_says_what_it_does_and_what_its_number_counts() -> None:
    lacking = {key.where: key.lacks for key in settings_page.all_keys() if key.lacks}
    assert not lacking


def test_every_section_of_the_config_is_on_the_page() -> None:
    from daemon.config import Config

    page = MADE["reference/settings.md"]
    for name in Config.model_fields:
        assert f"\n## {name}\n" in page or f"| `{name}` |" in page


class Sample(Settings):
    """One of everything."""

    wait: DurationS = setting(90.0, doc="wait", gt=0)
    size: SizeBytes = setting(2**20, doc="size", ge=1024)
    share: float = setting(0.2, doc="share", unit="share", gt=0, le=1)
    names: list[Literal["a", "b"]] = setting(["a"], doc="names")
    path: Path | None = setting(None, doc="path")
    must: bool = setting(doc="must")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("wait", ("duration, above 0s", "`90s`", "time")),
        ("size", ("size, at least 1KiB", "`1MiB`", "bytes")),
        ("share", ("number, above 0, at most 1", "`0.2`", "share")),
        ("names", ("list of `a` or `b`", "`[a]`", "")),
        ("path", ("path", "none", "")),
        ("must", ("true or false", "required", "")),
    ],
)
def test_a_setting_is_put_into_words(name: str, words: tuple[str, str, str]) -> None:
    field = Sample.model_fields[name]
    assert (type_of(field), default_of(field), unit_of(field)) == words


def test_a_setting_without_words_or_unit_is_found() -> None:
    class Silent(Settings):
        quiet: bool = setting(False, doc=" ")
        count: int = setting(3, doc="how many")
        undeclared: bool = False

    keys = [settings_page.Key(name, field, True) for name, field in Silent.model_fields.items()]
    assert [key.lacks for key in keys] == [
        "a `doc`: what it does",
        "a `unit`: what its number counts",
        "a `doc`: what it does",
    ]


# Command line.


def test_every_command_and_parameter_has_its_help() -> None:
    for command in cli_page.all_commands():
        assert command.help, f"{command.name} needs a docstring"
        for parameter in command.parameters():
            assert parameter.info.help, f"{command.name}: {parameter.name} needs a `help`"


def test_the_page_has_every_command_and_option_that_the_command_line_takes() -> None:
    page = MADE["reference/cli.md"]
    found = dict(_clicked(typer.main.get_command(app), "adaptd"))
    assert set(found) == {command.name for command in cli_page.all_commands()}
    for name, options in found.items():
        section = page.split(f"\n## {name}\n")[1].split("\n## ")[0]
        assert all(f"`{option}`" in section for option in options), (name, options)


def _clicked(command: object, name: str) -> list[tuple[str, list[str]]]:
    """What Typer made of the application: each command with its options, also a noun that says something alone."""
    params = [p for p in getattr(command, "params", []) if p.name not in ("install_completion", "show_completion")]
    own = (name, [o for p in params for o in (*p.opts, *p.secondary_opts) if o.startswith("-") and o != "--help"])
    inner = getattr(command, "commands", None)
    if not inner:
        return [own]
    alone = [own] if getattr(command, "invoke_without_command", False) else []
    return [*alone, *(each for key, one in inner.items() for each in _clicked(one, f"{name} {key}"))]


def test_every_exit_code_has_its_meaning() -> None:
    from daemon.cli import exit_codes

    codes = {value for name, value in vars(exit_codes).items() if name.startswith("EXIT_")}
    assert codes == set(MEANINGS)
    assert exit_code_of(Unreachable("")) == EXIT_UNREACHABLE


# Errors.


def test_every_error_says_when_it_happens_and_what_to_do() -> None:
    lacking = {each.kind.__qualname__: each.lacks for each in errors_page.all_errors() if each.lacks}
    assert not lacking


def test_every_error_of_a_room_is_found_that_a_running_program_would_know() -> None:
    import daemon.app
    import daemon.cli.main  # noqa: F401

    def below(kind: type[AdaptdError]) -> set[type[AdaptdError]]:
        return {kind}.union(*(below(each) for each in kind.__subclasses__()))

    rooms = set(errors_page.ROOMS)
    known = {kind for kind in below(AdaptdError) if kind.__module__.split(".")[0] in rooms} - {AdaptdError}
    assert known <= {each.kind for each in errors_page.all_errors()}


def test_an_error_without_words_is_found() -> None:
    class Mute(AdaptdError):
        pass

    class Helpless(AdaptdError):
        """It happened."""

    assert errors_page.ErrorKind(Mute).lacks == "a docstring: when it happens"
    assert "To do" in errors_page.ErrorKind(Helpless).lacks


# Events.


def test_every_field_of_an_event_is_described() -> None:
    page = MADE["reference/events.md"]
    for where, field in events_page.all_fields():
        assert events_page.description_of(field), f"{where} needs a description"
        assert f"| `{where.rpartition('.')[2]}` |" in page


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_says_what_it_is_its_signal_and_what_it_teaches(kind: str) -> None:
    meaning = meaning_of(kind)
    assert meaning.what and meaning.signal and meaning.teaches


def test_every_object_inside_an_event_is_on_the_page() -> None:
    parts = {part.__name__ for part in events_page.PARTS}
    assert {model.__name__ for model in _inside(list(KINDS.values()))} == parts


def _inside(models: list[type[BaseModel]]) -> set[type[BaseModel]]:
    """The models that other models' fields hold, all the way down."""
    import typing

    found: set[type[BaseModel]] = set()

    def walk(annotation: object) -> None:
        if isinstance(annotation, type) and issubclass(annotation, BaseModel) and annotation not in found:
            found.add(annotation)
            for field in annotation.model_fields.values():
                walk(field.annotation)
        for part in typing.get_args(annotation):
            walk(part)

    for model in models:
        for field in model.model_fields.values():
            walk(field.annotation)
    return found
