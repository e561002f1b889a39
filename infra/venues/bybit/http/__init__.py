"""Sending requests to the venue, and interpreting the responses."""
