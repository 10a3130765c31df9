"""`adaptd ask TASK`: what to judge next."""

from __future__ import annotations

import unicodedata
from typing import Annotated
from urllib.parse import quote

import typer

from daemon.actions.ask import MOST_QUESTIONS, ask_people
from daemon.cli.options import DEFAULT_CONFIG, ConfigOption, JsonOption, UrlOption, out, print_json
from daemon.cli.options import ask as ask_daemon

_DIRECTIONS = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
HOW = (
    'To answer, send an event with that interaction_id to POST /v1/events, such as {"kind": "thumb", "thumb": "up"} or '
    '{"kind": "correction", "corrected": "..."}.'
)


def ask(
    task: Annotated[str, typer.Argument(help="The task.")],
    count: Annotated[int, typer.Option(help="How many, best first.", min=1, max=MOST_QUESTIONS)] = 10,
    config: ConfigOption = DEFAULT_CONFIG,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Answers without feedback whose judgement would teach most, with what users wrote; asking is written down."""
    path = f"/v1/ask?task={quote(task, safe='')}&count={count}"
    found = ask_daemon(config, url, "GET", path, lambda context: ask_people(context, task, count), writing=True)
    if as_json:
        print_json(found)
        return
    out.print(found["reason"], soft_wrap=True)
    for number, question in enumerate(found["questions"], start=1):
        out.print(f"\n{number}. interaction_id {question['interaction_id']}: {question['reason']}", soft_wrap=True)
        out.print(f"prompt: {_shown(question['prompt'])}", soft_wrap=True)
        out.print(f"answer: {_shown(question['response'])}", soft_wrap=True)
    if found["questions"]:
        out.print(f"\n{HOW}", soft_wrap=True)


def _shown(text: str) -> str:
    """Without what a terminal would obey, such as an escape or a change of the text's direction."""
    lines = text.replace("\r\n", "\n")
    return "".join("\N{REPLACEMENT CHARACTER}" if _obeyed(character) else character for character in lines)


def _obeyed(character: str) -> bool:
    return character not in "\n\t" and (unicodedata.category(character) in ("Cc", "Cs") or character in _DIRECTIONS)
