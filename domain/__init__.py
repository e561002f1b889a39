"""The rules of trading, pure: no I/O, no clock, no randomness, no threads."""
