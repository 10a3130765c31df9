"""The golden file and the retention set: read whole, or refused with the line that is wrong and without its text."""

import json
from pathlib import Path

import pytest

from learners.gate import SetUnreadable, read_set
from storage.records import Message


def write(folder: Path, lines: list[object]) -> Path:
    path = folder / "golden.jsonl"
    path.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines), encoding="utf-8")
    return path


GOOD = [{"prompt": f"secret {at}", "target": f"answer {at}"} for at in range(12)]


def test_prompts_and_messages_are_read_with_their_targets(tmp_path: Path) -> None:
    turns = {"messages": [{"role": "system", "content": "be brief"}, {"role": "user", "content": "x"}], "target": "y"}
    found = read_set("golden", write(tmp_path, [*GOOD, "", turns]))
    assert (len(found), found[0].part, found[0].id, found[0].target) == (13, "golden", "golden-1", "answer 0")
    assert found[0].messages == (Message("user", "secret 0"),)
    assert found[-1].messages[0] == Message("system", "be brief")


def test_general_prompts_come_with_adaptd() -> None:
    found = read_set("retention", "general")
    assert len(found) >= 40
    assert all(prompt.target and prompt.part == "retention" for prompt in found)
    assert len({prompt.messages for prompt in found}) == len(found)


@pytest.mark.parametrize("source", [None, "off"])
def test_a_set_that_is_off_is_empty(source: None) -> None:
    assert read_set("retention", source) == ()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{not json secret", "line 13 is not JSON"),
        ({"prompt": "secret"}, "line 13 has no text `target`"),
        ({"prompt": "secret", "target": "  "}, "line 13 has no text `target`"),
        ({"target": "secret"}, "line 13 has neither"),
        ({"messages": [{"role": "nobody", "content": "secret"}], "target": "secret"}, "line 13 has neither"),
        (["secret"], "line 13 has no text `target`"),
    ],
)
def test_a_line_that_is_wrong_is_named_and_not_quoted(tmp_path: Path, line: object, said: str) -> None:
    with pytest.raises(SetUnreadable, match=said) as refused:
        read_set("golden", write(tmp_path, [*GOOD, line]))
    assert "secret" not in str(refused.value)


def test_a_file_that_is_not_there_or_too_short_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SetUnreadable, match="cannot be read: No such file"):
        read_set("golden", tmp_path / "none.jsonl")
    with pytest.raises(SetUnreadable, match="has 9 lines; 10 to 1000"):
        read_set("golden", write(tmp_path, list(GOOD[:9])))


def test_the_same_prompts_over_and_over_are_refused_for_they_prove_nothing(tmp_path: Path) -> None:
    again = [{"prompt": f"Secret  {at % 9}", "target": f"answer {at}"} for at in range(40)]
    with pytest.raises(SetUnreadable, match="9 different prompts in 40 lines; 10 are needed"):
        read_set("golden", write(tmp_path, [*again]))
    assert len(read_set("golden", write(tmp_path, [*again, *GOOD]))) == 52


def test_a_byte_order_mark_and_the_line_ends_inside_a_text_are_read(tmp_path: Path) -> None:
    path = tmp_path / "golden.jsonl"
    lines = [json.dumps({**item, "target": "one\u2028two\x85three"}, ensure_ascii=False) for item in GOOD]
    path.write_text("\r\n".join(lines), encoding="utf-8-sig", newline="")
    assert {prompt.target for prompt in read_set("golden", path)} == {"one\u2028two\x85three"}
