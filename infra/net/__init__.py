"""Stream connections, rate limits and clock offsets, independent of the venue."""
