"""The life of orders and stops: accepted, resting, triggered, filled, forced."""
