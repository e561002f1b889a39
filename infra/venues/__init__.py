"""Venues that orders go to: Bybit, a paper account, a replay, a simulated exchange."""
