"""The daemon's HTTP door: health, metrics, events, status and what an operator can do. Routes parse, call, print."""
