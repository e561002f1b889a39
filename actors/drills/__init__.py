"""Deliberate failures of actors, to demonstrate supervision."""
