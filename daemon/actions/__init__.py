"""What an operator can do, one file a thing. CLI and API parse, call one of these, and print; nothing else acts."""
