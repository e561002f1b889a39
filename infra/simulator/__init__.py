"""A simulated exchange that speaks Bybit's V5 over real sockets."""
