"""The JSON of the exchange: one function per shape, for answers (row) and streams (push)."""
