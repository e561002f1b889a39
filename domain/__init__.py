"""The ground floor: the rules of trading, pure. No I/O, no clock, no randomness, no threads."""
