"""The demo behind `adaptd demo`: a real daemon, and beside it a simulated app that uses its public doors alone.

config.py   the daemon's configuration, each line with its reason
users.py    ten simulated people: what they write about an answer they see
app.py      the app: asks the gateway, sends feedback as events, some late, some early
scoring.py  200 fixed prompts through the gateway, pinned to one adapter
screen.py   what the terminal shows
play.py     the story: ask, learn, change of wish, learn again
report.py   summary, plot and JSON
"""
