"""Secrets on disk: keys, and data encrypted with them."""
