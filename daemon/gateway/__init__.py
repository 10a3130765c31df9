"""The gateway: an OpenAI-compatible door to the champions, always a process of its own (`python -m daemon.gateway`).

Why its own process: a busy thread beside it would cost each request milliseconds. It knows the daemon only by HTTP
(`GET /v1/routes`, `POST /v1/events`) and goes on serving what it last knew while the daemon is away.

    settings  what an operator may set, and the flags that carry it into the process
    routes    which engine and model answer for a task or a pinned version
    upstream  the request to the engine
    recorder  interactions on their way to the daemon
    app       the HTTP door;  measures: its metrics
"""
