"""When a position is wanted: signals, regimes and exits of single assets."""
