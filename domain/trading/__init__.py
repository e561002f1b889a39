"""Orders, positions, books, matching, stops and entry sizes of single assets."""
