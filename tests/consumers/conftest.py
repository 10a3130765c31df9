"""Property tests judge answers, not the machine's speed: no deadline for one example, none for making it."""

from hypothesis import HealthCheck, settings

settings.register_profile("adaptd", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("adaptd")
