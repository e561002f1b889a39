"""The stops of the open position, static and trailing."""
