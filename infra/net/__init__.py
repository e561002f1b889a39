"""Stream connections, rate limits and clock offsets, whatever the venue."""
