"""Strategies: signals, regimes and exits of single assets."""
