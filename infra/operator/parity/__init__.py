"""Compares what a run did on a day with what the rules decide."""
