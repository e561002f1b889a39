"""Manual actions on the exchange, and faults that perform them."""
