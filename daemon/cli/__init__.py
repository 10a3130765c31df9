"""The command line: parses, calls one action (over HTTP where a daemon runs), prints. Only this package exits."""
