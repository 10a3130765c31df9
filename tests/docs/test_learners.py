"""The table of figures in docs/learners.md is what the learners declare, in their words."""

from __future__ import annotations

import re

from learners.hooks import learners
from tests.docs.shell_blocks import page

ROW = re.compile(r"^\| `(\w+)` \| `(\w+)` \| (.+) \|$", re.MULTILINE)


def test_every_figure_of_a_learner_is_in_the_table_and_no_other() -> None:
    table = page("learners.md").read_text(encoding="utf-8").split("\n## Figures\n")[1].split("\n## ")[0]
    declared = [(name, *one) for name, learner in learners().items() for one in learner.all_figures.items()]
    assert ROW.findall(table) == declared
