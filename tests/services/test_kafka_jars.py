"""Without Java or Maven the Kafka tests say what to install: a skip on a laptop, a failure in CI."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.services.kafka import give_up
from tests.services.kafka_jars import KafkaUnavailable, jars


def test_a_missing_java_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(KafkaUnavailable, match="install Java 17"):
        jars()


def test_a_missing_maven_is_named_when_the_jars_are_not_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fake_java = tmp_path / "java"
    fake_java.write_text("#!/bin/sh\n")
    fake_java.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(KafkaUnavailable, match="install Maven"):
        jars()


def test_a_laptop_skips_and_ci_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="install Java"):
        give_up(KafkaUnavailable("install Java"))
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="CI needs a real Kafka"):
        give_up(KafkaUnavailable("install Java"))
