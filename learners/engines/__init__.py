"""Engines: what answers prompts. One client for all that speak the OpenAI API with load, unload and score.

`client`, `wire`, `process` and `probes` hold no torch and may be used by daemon, gateway and workers; `local` is the
worker process that holds the base and the adapters. An engine of another kind is served by the same client.
"""
