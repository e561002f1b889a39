"""How the process, its machine and its connections are: figures, limits, and what reads them."""
