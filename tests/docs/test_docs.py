"""The documents say what is there: links lead somewhere, promises name tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
PROMISES = ROOT / "docs" / "promises.md"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_of_a_page_leads_to_a_file_and_a_heading_in_it(page: Path) -> None:
    missing = []
    for target in re.findall(r"\]\(([^)\s]+)\)", _without_code(page.read_text(encoding="utf-8"))):
        path, _, anchor = target.partition("#")
        file = page.parent / path if path else page
        if "://" not in target and not (file.exists() and (not anchor or anchor in _anchors(file))):
            missing.append(target)
    assert not missing, f"{page.name} links to {missing}"


def _without_code(text: str) -> str:
    return re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)


def _anchors(page: Path) -> list[str]:
    """The anchors that GitHub gives the headings: lower case, spaces as dashes, marks gone, repeated ones numbered."""
    found: list[str] = []
    for heading in re.findall(r"^#+ (.*)$", _without_code(page.read_text(encoding="utf-8")), flags=re.MULTILINE):
        slug = re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")
        found.append(f"{slug}-{found.count(slug)}" if slug in found else slug)
    return found


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
