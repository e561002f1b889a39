"""Failures of actors that are ordered, so that supervision can be watched at work."""
