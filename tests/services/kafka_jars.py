"""The jars of Apache Kafka, from Maven Central through Maven's own client, kept for the next run.

Why: no container can be counted on, and Java runs the real broker anywhere. The jars lie in
`$XDG_CACHE_HOME/adaptd` (or `~/.cache/adaptd`), about 43 MB, fetched once. Kafka is never bundled.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

KAFKA_VERSION = "4.1.0"
_DOWNLOAD_TIMEOUT_S = 600

_POM = f"""<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>dev.adaptd.tests</groupId><artifactId>kafka</artifactId><version>1</version>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>{KAFKA_VERSION}</version>
    </dependency>
    <dependency>
      <groupId>org.apache.logging.log4j</groupId><artifactId>log4j-slf4j-impl</artifactId><version>2.24.3</version>
    </dependency>
  </dependencies>
</project>
"""


class KafkaUnavailable(Exception):
    """A real Kafka cannot be had on this machine; the text says what to install."""


def java(command: str = "java") -> str:
    """The path of a Java command (`java` or `keytool`); raises KafkaUnavailable when there is none."""
    found = shutil.which(command)
    if not found:
        raise KafkaUnavailable(f"`{command}` not found: install Java 17 or newer (Debian: openjdk-17-jre-headless)")
    return found


def jars() -> Path:
    """The folder with Kafka's jars, downloaded if need be. Raises KafkaUnavailable with what to do."""
    java()
    kept = _cache() / f"kafka-{KAFKA_VERSION}"
    if not kept.is_dir():
        _download(kept)
    return kept


def _cache() -> Path:
    root = os.environ.get("XDG_CACHE_HOME")
    return (Path(root) if root else Path.home() / ".cache") / "adaptd"


def _download(kept: Path) -> None:
    """Into a folder beside it, then renamed, so that an interrupted download is never taken for a whole one."""
    maven = shutil.which("mvn")
    if not maven:
        raise KafkaUnavailable("`mvn` not found: install Maven (Debian: maven); it fetches Apache Kafka once, 43 MB")
    kept.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=kept.parent) as folder:
        Path(folder, "pom.xml").write_text(_POM)
        libs = Path(folder, "libs")
        command = [maven, "-q", "-B", "dependency:copy-dependencies", f"-DoutputDirectory={libs}"]
        _run_maven(command, folder)
        try:
            libs.rename(kept)
        except OSError:
            if not kept.is_dir():  # another process may have been faster
                raise


def _run_maven(command: list[str], folder: str) -> None:
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=_DOWNLOAD_TIMEOUT_S)
    except subprocess.TimeoutExpired as error:
        raise KafkaUnavailable(
            f"Maven did not finish in {_DOWNLOAD_TIMEOUT_S} s: is its registry reachable?"
        ) from error
    if done.returncode:
        last = (done.stdout + done.stderr).strip().splitlines()[-3:]
        raise KafkaUnavailable(f"Maven could not fetch Apache Kafka {KAFKA_VERSION}: {' '.join(last)}")
