"""What becomes of orders: accepted, resting, triggered, filled, forced; and of stops."""
