"""What can go wrong in the store. No message carries user text, ids of users or events, or SQL parameters."""

from __future__ import annotations

from storage.records import AdaptdError


class StorageError(AdaptdError):
    """Root of this room's errors; itself: the store was asked for something that cannot be."""


class StoreUnavailable(StorageError):
    """Disk, lock or connection: nothing of what was asked became durable. Trying again later is safe."""


class StoreBusy(StoreUnavailable):
    """The write waited longer than its caller allowed; it was taken from the queue and did nothing."""


class StoreLocked(StorageError):
    """Another process holds the store for writing."""


class StoreMismatch(StorageError):
    """The schema in the file is not the one that this version of adaptd reads."""


class NotLocked(StorageError):
    """An example was saved whose interaction had not been locked in the same transaction."""


class StalePool(StorageError):
    """An example of the pool is no longer open (reserved, learned, changed or withdrawn): decide again."""


class StaleUpdate(StorageError):
    """Somebody else changed the update or job first, or holds a newer lease: give up this one."""


class IllegalChange(StorageError):
    """An update or job cannot go from the state it is in to the one asked for."""


class UnknownAdapter(StorageError):
    """The registry has no adapter of that name, or none that may be put into service."""


class ArtifactRefused(StorageError):
    """A file that may not be published: the wrong kind, a link, or nothing at all."""


class ArtifactCorrupt(StorageError):
    """A published file is missing or is not what was published."""
