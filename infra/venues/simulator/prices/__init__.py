"""Where prices come from and how they move: plans, sources, candles, paths, the market."""
