"""The local engine: a worker process that holds the base and named LoRA adapters, generates and scores.

It is here so that one machine needs no other serving software; it is not built to compete with one. Start it with
`python -m learners.engines.local`; talk to it through `learners.engines.client`. Only `model`, `adapters` and
`sampling` load torch.
"""
