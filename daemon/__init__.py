"""What runs: configuration, loops, supervisor, release, gateway, API and command line.

The daemon conducts; policies live in `consumers` and `learners`, data in `storage`. No torch is ever imported here.
"""
