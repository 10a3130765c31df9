"""`adaptd failures TASK [KIND]`: what answers fail in, and the newest examples of one kind."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import urlencode

import typer
from rich.table import Table

from daemon.actions.failures import list_failures
from daemon.cli.options import (
    DEFAULT_CONFIG,
    ConfigOption,
    JsonOption,
    UrlOption,
    ask,
    out,
    points,
    print_json,
    print_whole,
)

_UNITS = ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))


def failures(
    task: Annotated[str, typer.Argument(help="The task.")],
    kind: Annotated[
        str | None, typer.Argument(help="Show the newest examples of this kind, such as check:keys.")
    ] = None,
    limit: Annotated[int, typer.Option(help="How many examples of the kind, newest first.", min=1, max=1000)] = 10,
    texts: Annotated[
        bool,
        typer.Option(
            "--texts",
            help="With KIND: prompt and answer too, a line of each. They are users' own words, which no log has; mind "
            "where you keep what is printed.",
        ),
    ] = False,
    config: ConfigOption = DEFAULT_CONFIG,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """What a task's answers fail in, by kind, and whether it is on its way out; with KIND, its newest examples."""
    wanted = {"task": task, "limit": limit} | ({"kind": kind} if kind else {}) | ({"texts": "true"} if texts else {})
    path = f"/v1/failures?{urlencode(wanted)}"
    found = ask(config, url, "GET", path, lambda context: list_failures(context, task, kind, limit, texts=texts))
    if as_json:
        print_json(found)
        return
    if not found["on"]:
        out.print("hard_negatives is off: nothing new is examined, and this is what was known", soft_wrap=True)
    if found["examples"] is None:
        _print_kinds(found)
    else:
        _print_examples(found)


def _print_kinds(found: dict[str, Any]) -> None:
    if not found["kinds"]:
        out.print("nothing was found to fail yet: answers are examined once they have feedback")
        return
    table = Table("kind", "an answer of it", "state", "examples", "champion fails", "since", "last seen", box=None)
    for one in found["kinds"]:
        seen = (age_in_words(one["age_s"]), age_in_words(one["last_seen_age_s"]))
        table.add_row(one["kind"], one["words"], one["state"], str(one["count"]), _share(one), *seen)
    print_whole(table)
    out.print(f"adaptd failures {found['task']} KIND shows the newest examples of one", style="dim", soft_wrap=True)


def _print_examples(found: dict[str, Any]) -> None:
    kind, examples = found["kinds"][0], found["examples"]
    out.print(
        f"{kind['kind']}: {kind['words']}; {kind['state']}, {kind['count']} examples, first "
        f"{age_in_words(kind['age_s'])} and last {age_in_words(kind['last_seen_age_s'])}",
        soft_wrap=True,
    )
    if not examples:
        out.print(f"none of the newest {found['searched']} examples fails in it now", soft_wrap=True)
    if examples and examples[0]["prompt"] is not None:
        _print_texts(examples)
    elif examples:
        table = Table("interaction", "age", "adapter", box=None)
        for one in examples:
            table.add_row(one["interaction_id"], age_in_words(one["age_s"]), one["adapter"] or "not said")
        print_whole(table)


def _print_texts(examples: list[dict[str, Any]]) -> None:
    for one in examples:
        adapter = one["adapter"] or "adapter not said"
        out.print(f"\n{one['interaction_id']}, {age_in_words(one['age_s'])}, {adapter}", soft_wrap=True)
        out.print(f"prompt: {one['prompt']}", soft_wrap=True)
        out.print(f"answer: {one['answer']}", soft_wrap=True)


def _share(kind: dict[str, Any]) -> str:
    """Such as `12.5 % of 40`; `-` where nothing of the champion was judged."""
    return "-" if kind["share"] is None else f"{points(kind['share'])} % of {kind['judged']}"


def age_in_words(seconds: float) -> str:
    """In the largest unit that it fills, such as `3 days ago`."""
    for length, unit in _UNITS:
        if seconds >= length:
            number = int(seconds // length)
            return f"{number} {unit}{'' if number == 1 else 's'} ago"
    return "now"
