"""Backtests: all rules over whole histories, in leaps or close by close with the same results."""
