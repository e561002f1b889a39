"""Copies of the facts elsewhere: encrypted segments, each bound to the one before."""
