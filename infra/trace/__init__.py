"""The trace of a run: every message with its cause and outcome, in append-only segments.

Read in this order: `records` (what is stored), `frames` (its layout in a file), `series`
(candles, stored once), `encode`, `recorder` (the writing thread), `reader`.
"""
