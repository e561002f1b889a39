"""What people do to the exchange by hand, and what faults do in their place."""
