"""Does a learner help? Measured on tasks whose answers a program can score. `docs/results.md` has the figures.

tasks/          erd and booking: what is asked, good and faulty answers, the score
pretraining.py  trains a base on faulty answers (torch); bases.py caches, measures and records bases (bases.json)
users.py        what simulated users say of answers, as the product's examples
settings.py     every way of learning that is compared, as the product's configuration
updates.py      from what was told to a train job, by the daemon's own steps
gym.py          the process that trains real jobs, answers and scores (torch); metrics.py what an exam says
cells.py        what is run: one file a cell; seeds.py which seeds choose and which report
single.py attacks.py drift.py   cells of one update, of hostile users, of fifty updates in a row
tuning.py asking.py   what comes before an update: a search for settings, people who are asked
run.py          runs cells in worker processes; quick.py the two-minute check
results.py      what is committed of them (results.json); statistics.py intervals and corrections
claims.py report.py report_learners.py tried.py tables.py plots.py    the page
"""
