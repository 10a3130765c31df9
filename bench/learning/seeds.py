"""Which seeds choose and which report. A cell's seed draws its prompts, users, noise and training alike."""

from __future__ import annotations

DEV = (101, 102, 103)  # settings and bases are chosen on these
REPORT = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10)  # untouched until everything is chosen
