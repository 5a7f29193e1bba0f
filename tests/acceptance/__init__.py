"""The promise held against the emulated provider: the real command in its own process, faults of every kind."""
