"""Orders, positions, books, matching, stops and sizes of single assets."""
