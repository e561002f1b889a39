"""The parts of a stream: one connection, its topics, its patience, its counters."""
