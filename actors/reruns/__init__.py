"""Recorded incarnations of actors, run again under the code of today."""
