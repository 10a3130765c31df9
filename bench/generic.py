"""How often recorded answers are called generic, and how often the same answers are under other prompts.

    python -m bench.generic FILE.jsonl.gz...     event streams, as `adaptd replay` reads them

Of each prompt the first answer counts: what a human wrote or chose, else what a model said. Answers are told in groups
of 200 prompts, as a gate reads them, and once more each under the prompt seven places on. The first rate should be near
0 and the second near 1 where the measure fits the task; docs/gate.md has what it was for some public data.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
from collections.abc import Iterator, Sequence
from pathlib import Path

from learners.gate.generic import find_generic

GROUP, GROUPS, ON = 200, 5, 7


def answers_of(path: Path) -> dict[str, str]:
    """By prompt, in the order of the file."""
    found: dict[str, str] = {}
    with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as lines:
        for line in lines:
            event = json.loads(line)
            said = event.get("corrected") or event.get("chosen") or event.get("response")
            if said and isinstance(event.get("prompt"), str):
                found.setdefault(event["prompt"], said)
    return found


def rates(answers: dict[str, str], seed: int) -> Iterator[tuple[float, float]]:
    """Of each group that tells something: the share that is generic, and that of the answers handed round."""
    items = list(answers.items())
    random.Random(seed).shuffle(items)
    whole = [items[start : start + GROUP] for start in range(0, len(items), GROUP)][:GROUPS]
    for group in [each for each in whole if len(each) == GROUP] or whole[:1]:
        prompts, said = [prompt for prompt, _ in group], [answer for _, answer in group]
        own, others = find_generic(prompts, said), find_generic(prompts, said[ON:] + said[:ON])
        if any(one is not None for one in own):
            yield _share(own), _share(others)


def _share(found: Sequence[bool | None]) -> float:
    told = [one for one in found if one is not None]
    return sum(told) / len(told)


def main() -> None:
    """A line a file."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("files", type=Path, nargs="+")
    options.add_argument("--seed", type=int, default=1)
    given = options.parse_args()
    print("| answers | prompts | called generic | handed round |\n| --- | --- | --- | --- |")
    for path in given.files:
        answers = answers_of(path)
        found = list(rates(answers, given.seed))
        cells = [" ".join(f"{100 * one[at]:.0f}" for one in found) or "-" for at in (0, 1)]
        print(f"| {path.name.partition('.')[0]} | {len(answers)} | {cells[0]} | {cells[1]} |")


if __name__ == "__main__":
    main()
