"""Recorded incarnations of actors, replayed with the current code."""
