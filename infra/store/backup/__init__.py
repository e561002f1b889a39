"""Backups of a journal: chains of sealed segments in a folder or at a URL, and restoring them."""
