"""Backtests in leaps: all rules over whole histories at once, in the figures of the plain loop."""
