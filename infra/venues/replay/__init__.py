"""Recorded candles instead of a market: a clock, a feed and an exchange driven in lock-step."""
