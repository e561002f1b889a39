"""The calls of the venue's API, by subject."""
