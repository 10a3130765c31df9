"""Ways to fill each kind of source, behind one face, so that the contract test need not know the kind."""

from __future__ import annotations

import gzip
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from consumers.sources import Source, jsonl, kafka, memory
from tests.consumers.sources.driving import now
from tests.services.kafka import KafkaBroker


class Feed(ABC):
    """One place that events come from; `open` may be called again, as after a restart."""

    grows = True

    def __init__(self) -> None:
        self.opened: list[Source] = []

    def open(self, *, start: Literal["earliest", "latest"] = "earliest") -> Source:
        source = self.make(start=start)
        self.opened.append(source)
        return source

    @abstractmethod
    def write(self, lines: Sequence[bytes]) -> None: ...

    @abstractmethod
    def make(self, **settings: Any) -> Source: ...

    def close(self) -> None:
        for source in self.opened:
            source.close()


class MemoryFeed(Feed):
    def __init__(self) -> None:
        super().__init__()
        self._lines: list[bytes] = []

    def write(self, lines: Sequence[bytes]) -> None:
        self._lines += lines
        for source in self.opened:
            assert isinstance(source, memory.MemorySource)
            for line in lines:
                source.put(line)

    def make(self, **settings: Any) -> Source:
        source = memory.open(memory.Settings(**settings), now)
        for line in self._lines:
            source.put(line)
        return source


class FileFeed(Feed):
    """A plain file that is followed."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path

    def write(self, lines: Sequence[bytes]) -> None:
        with self.path.open("ab") as file:
            file.write(b"".join(line + b"\n" for line in lines))

    def make(self, **settings: Any) -> Source:
        return jsonl.open(jsonl.Settings(path=self.path, follow=True, **settings), now)


class ArchiveFeed(FileFeed):
    """A .gz file, which is as it is."""

    grows = False

    def write(self, lines: Sequence[bytes]) -> None:
        with gzip.open(self.path, "ab") as file:
            file.write(b"".join(line + b"\n" for line in lines))

    def make(self, **settings: Any) -> Source:
        return jsonl.open(jsonl.Settings(path=self.path, **settings), now)


class KafkaFeed(Feed):
    """One topic with one partition."""

    def __init__(self, broker: KafkaBroker) -> None:
        super().__init__()
        self._broker = broker
        self.topic = broker.create_topic()

    def write(self, lines: Sequence[bytes]) -> None:
        self._broker.produce(self.topic, lines, partition=0)

    def make(self, **settings: Any) -> Source:
        return open_kafka(self._broker, self.topic, **settings)


def open_kafka(broker: KafkaBroker, topic: str, **settings: Any) -> Source:
    """A member of the group named after the topic."""
    fields = {
        "bootstrap_servers": broker.bootstrap_servers,
        "topics": [topic],
        "group_id": f"group-{topic}",
        **settings,
    }
    return kafka.open(kafka.Settings.model_validate(fields), now)
