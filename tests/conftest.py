"""Fixtures that several rooms' tests share."""

pytest_plugins = ["tests.services.kafka", "tests.services.erd_base", "tests.services.prometheus"]
