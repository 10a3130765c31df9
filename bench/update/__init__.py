"""What an update costs beyond training: the worker's start, the daemon's part, the way into service."""
