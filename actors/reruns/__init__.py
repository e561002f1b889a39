"""Recorded lives of actors, run again under the code of today."""
