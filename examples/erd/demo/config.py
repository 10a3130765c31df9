"""The demo's adaptd.yaml: what differs from `adaptd init`, and why."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

TEMPLATE = """\
# The demo's configuration. Each line that differs from the defaults says why.
model:
  # trained on this machine: nothing is downloaded
  base: {base}
  max_context: 512                      # its prompts and answers are short
  lora: {{rank: 16, alpha: 32, dropout: 0.0}}  # a small model has nothing to spare for dropout
engine: {{type: local, threads: {threads}}}
sources:
  - {{type: http}}                        # no broker needed
storage: {{url: "sqlite:///adaptd.db", artifacts: ./artifacts}}
rewards:
  settle: 0s                            # simulated users do not change their minds within minutes
  half_life: {half_life}                       # a demo minute stands for months: what users wished before must fade
  max_age: 10m
holdout: {{by: prompt, min: 120, share: 0.3}} # half of the prompts, until 120, then 3 of 10: it must see a change soon
batching:
  min: 20
  max: 30                               # small batches: an update every half minute instead of every day
  max_wait: 20s                         # nobody waits a day for a demo
  max_share_per_user: {share}             # the hostile user may not fill a batch
  min_users: {min_users}
updates:
  threads: {threads}
  seed: {seed}
  sft: {{learning_rate: 2.5e-3, steps: 60}} # a model of under a million parameters wants a large rate
gate:
  enabled: {gate}
  primary: nll                          # judge by what users write now: a fixed validator cannot see a new wish
release: {{targets: [engine, directory]}}
gateway: {{enabled: true, port: {gateway_port}}}    # the app asks here, and its interactions are recorded
api: {{port: {api_port}}}
tasks:
  erd: {{validator: mermaid_erd}}         # scores and sub-checks guard what must not get worse
"""


@dataclass(frozen=True)
class DemoSettings:
    """What varies between demos. `guarded` false takes caps and gate away, to show what they are for."""

    base: Path
    api_port: int
    gateway_port: int
    seed: int = 0
    threads: int = 1
    guarded: bool = True


def text_of(settings: DemoSettings) -> str:
    """The file's text."""
    return TEMPLATE.format(
        base=settings.base,
        threads=settings.threads,
        half_life="20s",
        share=0.2 if settings.guarded else 1.0,
        min_users=5 if settings.guarded else 1,
        seed=settings.seed,
        gate="true" if settings.guarded else "false",
        gateway_port=settings.gateway_port,
        api_port=settings.api_port,
    )
