"""What is traded and at which prices: candles, instruments, exact numbers, indicators."""
