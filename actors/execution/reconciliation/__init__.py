"""Queries to the exchange, and what follows if its answers differ from the books."""
