"""What can go wrong in the store. No message carries user text, ids of users or events, or SQL parameters."""

from __future__ import annotations

from storage.records import AdaptdError


class StorageError(AdaptdError):
    """The store was asked for something that cannot be; also the root of this room's errors.

    To do: correct `storage.url` where the text names it; any other text is a fault of adaptd, so report it.
    """


class StoreUnavailable(StorageError):
    """Disk, lock or connection: nothing of what was asked became durable. Trying again later is safe.

    To do: free the disk or give the right that the text names; adaptd goes on by itself, senders send again.
    """


class StoreBusy(StoreUnavailable):
    """The write waited longer than its caller allowed; it was taken from the queue and did nothing.

    To do: send again. Where it lasts, the disk is too slow for what comes in.
    """


class StoreLocked(StorageError):
    """Another process holds the store for writing.

    To do: stop the process that the text names, or let the running daemon do it (leave out `--to store`, or give
    `--url`).

    Shows as: its exit code alone.
    """


class FolderLocked(StorageError):
    """Another daemon works in the artifacts folder, or releases a task of that name into the same folder.

    To do: stop the process that the text names, or give each daemon a folder of its own: `storage.artifacts`,
    `release.directory.path`.

    Shows as: exit code 5 for the artifacts; for a release, its reason in decisions and log.
    """


class StoreMismatch(StorageError):
    """The schema in the file is not the one that this version of adaptd reads.

    To do: start the daemon once, which brings an older store up to date; for a newer store install the newer adaptd.

    Shows as: its exit code alone.
    """


class NotLocked(StorageError):
    """An example was saved whose interaction had not been locked in the same transaction.

    To do: report it; nothing was written.

    Shows as: a fault of adaptd, in the log.
    """


class StalePool(StorageError):
    """An example of the pool is no longer open (reserved, learned, changed or withdrawn): decide again.

    To do: nothing; the scheduler decides again at its next tick.

    Shows as: nothing: it is caught.
    """


class StaleUpdate(StorageError):
    """Somebody else changed the update or job first, or holds a newer lease: give up this one.

    To do: nothing; the other one goes on.

    Shows as: nothing: it is caught.
    """


class IllegalChange(StorageError):
    """An update or job cannot go from the state it is in to the one asked for.

    To do: report it; nothing was changed.

    Shows as: a fault of adaptd, in the log.
    """


class UnknownAdapter(StorageError):
    """The registry has no adapter of that name, or none that may be put into service.

    To do: choose one that `adaptd adapters list` shows.

    Shows as: exit code 6 and HTTP 403 where it was to be promoted.
    """


class ArtifactRefused(StorageError):
    """A file that may not be published: the wrong kind, a link, or nothing at all.

    To do: look into the update's job directory (`adaptd updates show`) for what the trainer wrote.

    Shows as: the reason of a failed update.
    """


class ArtifactCorrupt(StorageError):
    """A published file is missing or is not what was published.

    To do: restore the artifact folder from a backup, or put another adapter into service: `adaptd adapters promote`.

    Shows as: exit code 6 and HTTP 403 where it was to be promoted; else a line in the log, and no release.
    """
