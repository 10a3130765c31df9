"""The daemon without claim and unique keys, for the negative control: `python -m tests.soak.unsafe_daemon run ...`.

It loses or doubles events by design; a kill test that it passes tests nothing.
"""

from __future__ import annotations

import functools

from daemon.cli.main import main
from storage.store import Store


def take_the_guards_off() -> None:
    """Every store that this process opens for writing from now on is without them."""
    setattr(Store, "open", functools.partial(Store.open, unsafe_without_claim=True))  # noqa: B010


if __name__ == "__main__":
    take_the_guards_off()
    main()
