"""Where orders go: Bybit, a paper account, a replay, a simulated exchange."""
