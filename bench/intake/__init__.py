"""How fast events become durable scored rows, beside what one would write instead. `python -m bench.intake`."""
