"""How often `mermaid_erd` is right about what parses: real diagrams judged by Mermaid, and mutants judged by hand.

    python -m bench.validators            print the tables, and the time an answer takes
    python -m bench.validators --write    put the tables into docs/validators.md as well

The tables depend on the seed alone; a test holds that the docs have those of a fresh run.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.er_mutations import KINDS, Kind, mutants
from learners.validators import Validator, open_validator

ROOT = Path(__file__).resolve().parent.parent
DIAGRAMS = ROOT / "tests/data/mermaid_er/diagrams.jsonl"
DOCS = ROOT / "docs/validators.md"
BEGIN, END = "<!-- bench.validators: begin -->", "<!-- bench.validators: end -->"
SEED = 3
MUTANTS = 200


@dataclass(frozen=True)
class Judged:
    """One text with what is true of it and what the validator said."""

    parses: bool
    accepted: bool
    kind: Kind | None = None


def real_diagrams() -> list[tuple[str, bool]]:
    """The diagrams from Mermaid's repository, each with whether Mermaid parses it."""
    rows = map(json.loads, DIAGRAMS.read_text(encoding="utf-8").splitlines())
    return [(row["code"], row["parses"]) for row in rows]


def judge_real(validator: Validator) -> list[Judged]:
    """The validator's sub-check `parses` on every real diagram."""
    return [Judged(parses, _accepts(validator, code)) for code, parses in real_diagrams()]


def judge_mutants(validator: Validator, count: int = MUTANTS, seed: int = SEED) -> list[Judged]:
    """The validator's sub-check `parses` on mutants of the real diagrams that parse."""
    good = [code for code, parses in real_diagrams() if parses]
    return [Judged(m.kind.parses, _accepts(validator, m.text), m.kind) for m in mutants(good, count, seed)]


def _accepts(validator: Validator, answer: str) -> bool:
    return validator.validate("", answer).checks["parses"]


def report(count: int = MUTANTS, seed: int = SEED) -> str:
    """Both confusion matrices and the table of kinds, in Markdown."""
    validator = open_validator("mermaid_erd")
    real, mutated = judge_real(validator), judge_mutants(validator, count, seed)
    sections = (
        f"{len(real)} real diagrams, judged by Mermaid 11.17.2:",
        _matrix(real, "Mermaid parses it", "Mermaid does not"),
        f"{len(mutated)} mutants of the real diagrams that parse, seed {seed}, judged by how they were made:",
        _matrix(mutated, "must parse", "must not parse"),
        _kinds(mutated),
    )
    return "\n\n".join(sections)


def _matrix(judged: Sequence[Judged], good: str, bad: str) -> str:
    counts = Counter((one.parses, one.accepted) for one in judged)
    lines = ["| | accepted | refused |", "| --- | --- | --- |"]
    lines += [
        f"| {name} | {counts[truth, True]} | {counts[truth, False]} |" for name, truth in ((good, True), (bad, False))
    ]
    return "\n".join(lines)


def _kinds(judged: Iterable[Judged]) -> str:
    counts = Counter((one.kind, one.parses == one.accepted) for one in judged)
    lines = ["| mutation | must it parse | since | mutants | judged right |", "| --- | --- | --- | --- | --- |"]
    for kind in sorted(KINDS, key=lambda kind: not kind.parses):
        right, wrong = counts[kind, True], counts[kind, False]
        since = kind.why.replace("|", "\\|")
        lines.append(f"| {kind.name} | {'yes' if kind.parses else 'no'} | {since} | {right + wrong} | {right} |")
    return "\n".join(lines)


def documented() -> str:
    """The tables as they stand in the docs."""
    return DOCS.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0].strip()


def write(tables: str) -> None:
    """Replace the tables in the docs."""
    before, _, rest = DOCS.read_text(encoding="utf-8").partition(BEGIN)
    DOCS.write_text(f"{before}{BEGIN}\n\n{tables}\n\n{END}{rest.partition(END)[2]}", encoding="utf-8")


def mean_time_ms(rounds: int = 20) -> float:
    """Milliseconds an answer, over the real diagrams."""
    validator, diagrams = open_validator("mermaid_erd"), real_diagrams()
    started = time.perf_counter()
    for _ in range(rounds):
        for code, _parses in diagrams:
            validator.validate("", code)
    return (time.perf_counter() - started) / rounds / len(diagrams) * 1000


def main() -> None:
    """Print the report, and write it where asked to."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--seed", type=int, default=SEED)
    options.add_argument("--mutants", type=int, default=MUTANTS)
    options.add_argument("--write", action="store_true", help="put the tables into docs/validators.md")
    chosen = options.parse_args()
    tables = report(chosen.mutants, chosen.seed)
    print(f"{tables}\n\n{mean_time_ms():.2f} ms an answer")
    if chosen.write:
        write(tables)


if __name__ == "__main__":
    main()
