"""The parts of a stream: one connection, its topics, time limits and counters."""
