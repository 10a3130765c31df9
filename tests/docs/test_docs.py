"""The documents say what is there: links lead somewhere, promises name tests that exist, schemas are the code's."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from consumers.events import json_schema

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
PROMISES = ROOT / "docs" / "promises.md"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_of_a_page_leads_to_a_file(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    targets = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text)
    missing = [t for t in targets if "://" not in t and not (page.parent / t).exists()]
    assert not missing, f"{page.name} links to {missing}"


def test_each_of_the_ten_promises_names_tests_that_exist_or_says_not_yet() -> None:
    rows = re.findall(r"^\| (I\d+) \|(.*)\|$", PROMISES.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert [name for name, _ in rows] == [f"I{number}" for number in range(1, 11)]
    for name, rest in rows:
        tests = re.findall(r"`(tests/[\w/.]+)(?:::(\w+))?`", rest)
        assert tests or "not yet" in rest, f"{name} names no test and does not say `not yet`"
        for path, function in tests:
            assert (ROOT / path).is_file(), f"{name}: there is no {path}"
            assert not function or f"def {function}(" in (ROOT / path).read_text(encoding="utf-8"), (
                f"{name}: {function}"
            )


def test_the_event_schema_on_disk_is_made_from_the_code() -> None:
    on_disk = json.loads((ROOT / "docs" / "schemas" / "event.schema.json").read_text(encoding="utf-8"))
    assert on_disk == json_schema(), "run: python -m bench.write_schemas"


def test_every_path_in_the_contributors_tree_exists() -> None:
    tree = re.findall(r"```\n(storage/.*?)```", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"), re.DOTALL)[0]
    room = Path()
    for line in tree.splitlines():
        names = re.findall(r"^(\s*)((?:[\w/]+(?:\.py|/)\s?)+)", line)
        for indent, found in names:
            for name in found.split():
                if not indent:
                    room = ROOT / name
                    assert room.is_dir(), name
                else:
                    assert (room / name).exists(), f"{room.name}/{name}"
