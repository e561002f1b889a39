"""The database of facts: append-only, one sequence over all tables, one writer lease per actor."""
