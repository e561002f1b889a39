"""Pairs join and leave while the others are traded on."""
