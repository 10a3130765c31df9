"""`adaptd doctor`: looks at everything that a daemon will need, says how it is and what to do, and changes nothing.

Each check is a function that returns its lines; one that cannot be made because an earlier one failed is left out. The
checks are made from outside, with the daemon running or not.
"""

from __future__ import annotations

from daemon.doctor.checks import Check
from daemon.doctor.config import check_config
from daemon.doctor.environment import check_environment
from daemon.doctor.gate import check_gate
from daemon.doctor.model import check_model
from daemon.doctor.network import check_network
from daemon.doctor.places import check_places
from daemon.doctor.services import check_services
from daemon.doctor.tasks import check_tasks
from daemon.reload import ConfigSource

__all__ = ["Check", "examine"]


def examine(source: ConfigSource) -> list[Check]:
    """Every check, in the order in which to mend what failed. Takes seconds where a broker does not answer."""
    found = check_environment()
    config, lines = check_config(source)
    found += lines
    if config is not None:
        found += check_places(config) + check_model(config) + check_network(config) + check_services(config)
        found += check_tasks(config) + check_gate(config)
    return found
